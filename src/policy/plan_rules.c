/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The rules for one target, in the order that plan.h gives: each rules a
 * candidate out, with its reason, or lets it pass.
 */
#include "config.h"

#include <inttypes.h>

#include "base/sum.h"
#include "policy/plan_internal.h"
#include "policy/price.h"
#include "policy/remote.h"
#include "policy/when.h"

/* An estimate that is above the context by no more than this is worth asking
 * the server, in percent of the context: it seldom counts more too many. */
#define NEAR_PERCENT 15

static void
out(struct candidate *c, enum verdict verdict, enum refusal refusal,
    const char *reason)
{
	c->verdict = verdict;
	c->refusal = refusal;
	c->reason = reason;
}

static bool
rule_place(const struct plan_question *q, struct candidate *c)
{
	const struct provider *provider = c->target->provider;

	if (provider->place <= q->plan->ceiling)
		return true;
	out(c, VERDICT_PLACE, REFUSE_PRIVATE_ROUTE,
	    arena_printf(q->arena, "%s is external, %s allows local only",
		provider->name, q->plan->ceiling_by));
	return false;
}

/* Why this provider may not be given the call's URLs; NULL: it may.  The
 * operator says which local provider fetches; http and private addresses are
 * then in its own network.  Fetching for a request that may not leave would
 * make it leave. */
static const char *
why_not_fetch(const struct plan_question *q, const struct provider *provider)
{
	unsigned remote = q->call->remote;

	if (remote == 0)
		return NULL;
	if (remote & REMOTE_SCHEME)
		return "only https and data: URLs of media are handed on";
	if (provider->place == PLACE_LOCAL && provider->fetches_media)
		return NULL;
	if (q->plan->ceiling == PLACE_LOCAL)
		return "a request that stays local may not have media fetched "
		       "by URL (`fetches_media` of the provider allows it)";
	if (remote & REMOTE_INSIDE)
		return "media in a private network is not fetched for a "
		       "request";
	if (remote & REMOTE_PLAIN)
		return "media by http:// is not fetched for a request";
	return NULL;
}

static bool
rule_media(const struct plan_question *q, struct candidate *c)
{
	const char *why = why_not_fetch(q, c->target->provider);

	if (why == NULL)
		return true;
	out(c, VERDICT_MEDIA, REFUSE_REMOTE_MEDIA, why);
	return false;
}

/* The model's rule, then the target's own. */
static bool
rule_when(const struct plan_question *q, struct candidate *c)
{
	const char *why = when_not(&q->plan->model->when, q->call, q->arena);

	if (why == NULL)
		why = when_not(&c->target->when, q->call, q->arena);
	if (why == NULL)
		return true;
	out(c, VERDICT_WHEN, REFUSE_UNSUPPORTED, why);
	return false;
}

static bool
rule_endpoint(const struct plan_question *q, struct candidate *c)
{
	enum endpoint endpoint = q->call->endpoint;
	uint64_t serves = c->target->endpoints;

	if (serves & ENDPOINT_BIT(endpoint))
		return true;
	if (serves & ENDPOINT_BIT(ENDPOINT_CHAT)) {
		if (endpoint == ENDPOINT_RESPONSES)
			c->bridge = BRIDGE_RESPONSES;
		if (endpoint == ENDPOINT_MESSAGES ||
		    endpoint == ENDPOINT_COUNT_TOKENS)
			c->bridge = BRIDGE_MESSAGES;
	}
	if (c->bridge != BRIDGE_NONE)
		return true;
	out(c, VERDICT_ENDPOINT, REFUSE_UNSUPPORTED,
	    arena_printf(q->arena, "%s does not serve the endpoint %s",
		c->target->provider->name, endpoint_spec(endpoint)->name));
	return false;
}

/* A provider that its clients sign in to. */
static bool
rule_key(const struct plan_question *q, struct candidate *c)
{
	const struct provider *provider = c->target->provider;

	if (provider->auth != AUTH_CLIENT || q->call->own_key == OWN_KEY_GIVEN)
		return true;
	out(c, VERDICT_KEY, REFUSE_OWN_KEY_MISSING,
	    arena_printf(q->arena, "%s needs the client's own key, but %s",
		provider->name, own_key_lack(q->call->own_key)));
	return false;
}

/* Can its server be asked before this is too long for it?  It would count the
 * text that is sent as chat; what media need, each counts in its own way.  One
 * that loads a model at a time might drop the one that others use. */
static bool
is_near(const struct plan_question *q, const struct candidate *c)
{
	const struct provider *p = c->target->provider;
	enum endpoint endpoint = q->call->endpoint;
	uint64_t most = c->context / 100 * NEAR_PERCENT +
	    c->context % 100 * NEAR_PERCENT / 100;

	return p->counts != COUNTS_NONE && p->place == PLACE_LOCAL &&
	    (p->limit == NULL || p->limit->swap == SWAP_NONE) &&
	    c->counted == NULL && c->need_tokens - c->context <= most &&
	    c->open_ms == 0 &&
	    (endpoint == ENDPOINT_CHAT || c->bridge != BRIDGE_NONE) &&
	    endpoint != ENDPOINT_COUNT_TOKENS &&
	    !(q->call->needs & (CALL_IMAGES | CALL_AUDIO | CALL_FILES));
}

/* Input and output against the context. */
static bool
rule_context(const struct plan_question *q, struct candidate *c)
{
	uint64_t in = q->call->input_tokens, asked = q->call->max_output_tokens;
	uint64_t need = c->need_tokens;

	if (c->counted != NULL) {
		in = c->counted->tokens;
		need = sum_u64(in, asked);
	}
	if (c->context == 0 || need <= c->context)
		return true;
	c->near = is_near(q, c);
	out(c, VERDICT_TOO_LONG, REFUSE_TOO_LONG,
	    arena_printf(q->arena,
		"needs %s%" PRIu64 " tokens (%" PRIu64 " in%s, %" PRIu64
		" out), the context is %" PRIu64,
		c->counted != NULL ? "" : "about ", need, in,
		c->counted != NULL ? " as its server counts" : "", asked,
		c->context));
	return false;
}

static bool
rule_length(const struct plan_question *q, struct candidate *c)
{
	const struct target *able = &c->able;
	uint64_t asked = q->call->max_output_tokens;

	if (able->max_output != 0 && asked > able->max_output) {
		out(c, VERDICT_TOO_LONG, REFUSE_TOO_LONG,
		    arena_printf(q->arena,
			"%" PRIu64 " tokens of output are asked for, %" PRIu64
			" are allowed",
			asked, able->max_output));
		return false;
	}
	return rule_context(q, c);
}

static bool
rule_abilities(const struct plan_question *q, struct candidate *c)
{
	const struct target *able = &c->able;
	const struct {
		unsigned need;
		enum tri can;
		const char *text;
	} abilities[] = {
		{ CALL_IMAGES, able->images, "images" },
		{ CALL_AUDIO, able->audio, "audio" },
		{ CALL_FILES, able->files, "files" },
		{ CALL_TOOLS, able->tools, "tools" },
		{ CALL_JSON_SCHEMA, able->json_schema, "json_schema" },
	};
	size_t i;

	for (i = 0; i < sizeof(abilities) / sizeof(abilities[0]); i++) {
		if (!(q->call->needs & abilities[i].need) ||
		    abilities[i].can != TRI_NO)
			continue;
		out(c, VERDICT_UNSUPPORTED, REFUSE_UNSUPPORTED,
		    arena_printf(
			q->arena, "%s has no %s", c->model, abilities[i].text));
		return false;
	}
	return true;
}

static bool
rule_health(const struct plan_question *q, struct candidate *c)
{
	int64_t held = facts_held_ms(q->facts, c->target->provider, c->model);
	int64_t keys = facts_keys_ms(q->facts, c->target->provider, c->model);

	if (c->open_ms <= 0 && held <= 0 && keys <= 0)
		return true;
	if (keys > held && keys >= c->open_ms) {
		c->open_ms = keys;
		out(c, VERDICT_UNAVAILABLE, REFUSE_UNAVAILABLE,
		    arena_printf(q->arena,
			"all %zu keys of %s rest, the first for %" PRId64
			".%" PRId64 " s more",
			c->target->provider->nkeys, c->target->provider->name,
			keys / 1000, keys % 1000 / 100));
		return false;
	}
	if (held > c->open_ms) {
		c->open_ms = held;
		out(c, VERDICT_UNAVAILABLE, REFUSE_UNAVAILABLE,
		    arena_printf(q->arena,
			"this model of %s is rate limited or loading, "
			"left alone for %" PRId64 ".%" PRId64 " s more",
			c->target->provider->name, held / 1000,
			held % 1000 / 100));
		return false;
	}
	out(c, VERDICT_UNAVAILABLE, REFUSE_UNAVAILABLE,
	    arena_printf(q->arena,
		"the circuit of %s is open for %" PRId64 ".%" PRId64 " s more",
		c->target->provider->name, c->open_ms / 1000,
		c->open_ms % 1000 / 100));
	return false;
}

static bool
rule_attempts(const struct plan_question *q, struct candidate *c)
{
	unsigned most = q->plan->model->max_attempts;

	if (q->plan->nin < most)
		return true;
	out(c, VERDICT_ATTEMPTS, REFUSE_UNAVAILABLE,
	    arena_printf(q->arena, "max_attempts is %u", most));
	return false;
}

/* All rules for one target, in the order the header gives. */
void
plan_judge(
    const struct plan_question *q, const char *stopped, struct candidate *c)
{
	c->able = facts_target(q->facts, c->target, c->model);
	c->need_tokens =
	    sum_u64(q->call->input_tokens, q->call->max_output_tokens);
	c->context = c->able.context;
	c->counted = facts_find_count(q->facts, c->target->provider, c->model);
	c->worst_nanousd = price_worst(c->target, q->call->input_tokens,
	    q->call->max_output_tokens, q->call->choices, q->call->characters,
	    call_images(q->call));
	if (q->facts->providers != NULL)
		c->open_ms =
		    q->facts->providers[c->target->provider->index].open_ms;
	if (!rule_place(q, c) || !rule_media(q, c) || !rule_when(q, c))
		return;
	if (stopped != NULL) {
		out(c, VERDICT_STOPPED, REFUSE_UNAVAILABLE, stopped);
		return;
	}
	if (rule_endpoint(q, c) && rule_key(q, c) && rule_length(q, c) &&
	    rule_abilities(q, c) && rule_health(q, c) && rule_attempts(q, c)) {
		out(c, VERDICT_IN, REFUSE_NONE, "may be tried");
		q->plan->nin++;
	}
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The plan: hides the rules by which a target is in or out.  It stands between
 * reading a request and doing anything for it, touches nothing outside its
 * arguments, and is what `tailgate explain` prints.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "policy/identify.h"
#include "policy/plan.h"
#include "policy/price.h"
#include "policy/remote.h"
#include "policy/select.h"

/* What the rules for one target look at. */
struct question {
	const struct config *config;
	const struct client *client;
	const struct call *call;
	const struct facts *facts;
	struct arena *arena;
	struct plan *plan;
};

const char *
verdict_name(enum verdict verdict)
{
	static const char *const names[] = {
		[VERDICT_IN] = "in",
		[VERDICT_PLACE] = "place",
		[VERDICT_MEDIA] = "media",
		[VERDICT_ENDPOINT] = "endpoint",
		[VERDICT_TOO_LONG] = "too_long",
		[VERDICT_UNSUPPORTED] = "unsupported",
		[VERDICT_UNAVAILABLE] = "unavailable",
		[VERDICT_ATTEMPTS] = "attempts",
		[VERDICT_STOPPED] = "stopped",
	};

	return names[verdict];
}

/* The fixed part of "openrouter/" + "*". */
static size_t
prefix_length(const struct model *model)
{
	return strlen(model->id) - 1;
}

static bool
has_name(const struct model *model, const char *name)
{
	size_t i;

	if (!model->prefix && strcmp(model->id, name) == 0)
		return true;
	for (i = 0; i < model->naliases; i++)
		if (strcmp(model->aliases[i], name) == 0)
			return true;
	return false;
}

const struct model *
plan_model(const struct config *config, const char *name)
{
	const struct model *model, *found = NULL;
	size_t i;

	for (i = 0; i < config->nmodels; i++)
		if (has_name(&config->models[i], name))
			return &config->models[i];
	/* A pattern is not a name, whoever asks for it. */
	if (strchr(name, '*') != NULL)
		return NULL;
	for (i = 0; i < config->nmodels; i++) {
		model = &config->models[i];
		if (!model->prefix ||
		    strncmp(model->id, name, prefix_length(model)) != 0 ||
		    name[prefix_length(model)] == '\0')
			continue;
		if (found == NULL ||
		    prefix_length(model) > prefix_length(found))
			found = model;
	}
	return found;
}

const char *
plan_upstream_model(const struct model *model, const struct target *target,
    const char *requested, struct arena *arena)
{
	if (strcmp(target->model, "*") != 0)
		return target->model;
	if (!model->prefix)
		return model->id;
	if (strncmp(requested, model->id, prefix_length(model)) == 0)
		requested += prefix_length(model);
	return arena_strdup(arena, requested);
}

/* The first in this order that is local names the ceiling. */
static void
find_ceiling(const struct question *q)
{
	struct plan *plan = q->plan;

	plan->ceiling = PLACE_LOCAL;
	if (q->client->place == PLACE_LOCAL)
		plan->ceiling_by =
		    arena_printf(q->arena, "client %s", q->client->name);
	else if (plan->model->place == PLACE_LOCAL)
		plan->ceiling_by =
		    arena_printf(q->arena, "model %s", plan->model->id);
	else if (q->call->header_local)
		plan->ceiling_by = "X-Tailgate-Place";
	else if (q->call->private_rule != NULL)
		plan->ceiling_by = arena_printf(
		    q->arena, "private pattern %s", q->call->private_rule);
	else
		plan->ceiling = PLACE_EXTERNAL;
}

static const struct facts_learned *
find_learned(
    const struct facts *facts, const struct target *target, const char *model)
{
	size_t i;

	if (!target->provider->learn)
		return NULL;
	for (i = 0; i < facts->nlearned; i++)
		if (facts->learned[i].provider == target->provider &&
		    strcmp(facts->learned[i].model, model) == 0)
			return &facts->learned[i];
	return NULL;
}

static enum tri
over(enum tri learned, enum tri said)
{
	return learned != TRI_UNSET ? learned : said;
}

/* The target as it is: what was learned stands over what was configured. */
static struct target
effective(
    const struct facts *facts, const struct target *target, const char *model)
{
	const struct facts_learned *learned =
	    find_learned(facts, target, model);
	struct target out = *target;

	if (learned == NULL)
		return out;
	if (learned->context != 0)
		out.context = learned->context;
	out.images = over(learned->images, out.images);
	out.audio = over(learned->audio, out.audio);
	out.tools = over(learned->tools, out.tools);
	return out;
}

static void
out(struct candidate *c, enum verdict verdict, enum refusal refusal,
    const char *reason)
{
	c->verdict = verdict;
	c->refusal = refusal;
	c->reason = reason;
}

static bool
rule_place(const struct question *q, struct candidate *c)
{
	const struct provider *provider = c->target->provider;

	if (provider->place <= q->plan->ceiling)
		return true;
	out(c, VERDICT_PLACE, REFUSE_PRIVATE_ROUTE,
	    arena_printf(q->arena, "%s is external, %s allows local only",
		provider->name, q->plan->ceiling_by));
	return false;
}

/* Why this provider may not be handed the call's URLs; NULL: it may.  A local
 * one that fetches is the operator's word; http and private addresses are its
 * own network then.  To fetch for a request that may not leave is to leave. */
static const char *
why_not_fetch(const struct question *q, const struct provider *provider)
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
rule_media(const struct question *q, struct candidate *c)
{
	const char *why = why_not_fetch(q, c->target->provider);

	if (why == NULL)
		return true;
	out(c, VERDICT_MEDIA, REFUSE_REMOTE_MEDIA, why);
	return false;
}

static bool
rule_endpoint(const struct question *q, struct candidate *c)
{
	enum endpoint endpoint = q->call->endpoint;
	uint32_t serves = c->target->endpoints;

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

static uint64_t
sum(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static bool
rule_length(const struct question *q, struct candidate *c)
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
	if (able->context != 0 && c->need_tokens > able->context) {
		out(c, VERDICT_TOO_LONG, REFUSE_TOO_LONG,
		    arena_printf(q->arena,
			"needs about %" PRIu64 " tokens (%" PRIu64
			" in, %" PRIu64 " out), the context is %" PRIu64,
			c->need_tokens, q->call->input_tokens, asked,
			able->context));
		return false;
	}
	return true;
}

static bool
rule_abilities(const struct question *q, struct candidate *c)
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

/* FNV-1a; never 0. */
uint64_t
facts_held_key(const struct provider *p, const char *model)
{
	return hash_not_0(hash_text(hash_text(HASH_SEED, p->name), model));
}

bool
facts_held_is_sane(const struct provider *p, int64_t open_ms)
{
	return open_ms <= FACTS_LOADING_MS ||
	    open_ms <= p->circuit.cooldown_max_ms;
}

/* How long this model is left alone at this provider; 0 if it is not. */
static int64_t
held_ms(const struct facts *facts, const struct candidate *c)
{
	const struct provider *p = c->target->provider;
	int64_t ms = 0;
	uint64_t key;

	if (facts->nheld == 0 || p->circuit.failures == 0)
		return 0;
	key = facts_held_key(p, c->model);
	for (size_t i = 0; i < facts->nheld; i++)
		if (facts->held[i].key == key && facts->held[i].open_ms > ms &&
		    facts_held_is_sane(p, facts->held[i].open_ms))
			ms = facts->held[i].open_ms;
	return ms;
}

static bool
rule_health(const struct question *q, struct candidate *c)
{
	int64_t held = held_ms(q->facts, c);

	if (c->open_ms <= 0 && held <= 0)
		return true;
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
rule_attempts(const struct question *q, struct candidate *c)
{
	unsigned most = q->plan->model->max_attempts;

	if (q->plan->nin < most)
		return true;
	out(c, VERDICT_ATTEMPTS, REFUSE_UNAVAILABLE,
	    arena_printf(q->arena, "max_attempts is %u", most));
	return false;
}

/* The permission that lets the plan go on past a target that is out. */
static unsigned
permission(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_ENDPOINT:
	case VERDICT_UNSUPPORTED:
		return FALLBACK_UNSUPPORTED;
	case VERDICT_TOO_LONG:
		return FALLBACK_TOO_LONG;
	case VERDICT_UNAVAILABLE:
		return FALLBACK_UNAVAILABLE;
	default:
		return 0;
	}
}

/* All rules for one target, in the order the header gives. */
static void
judge(const struct question *q, const char *stopped, struct candidate *c)
{
	c->able = effective(q->facts, c->target, c->model);
	c->need_tokens = sum(q->call->input_tokens, q->call->max_output_tokens);
	c->context = c->able.context;
	c->worst_nanousd = price_worst(c->target, q->call->input_tokens,
	    q->call->max_output_tokens, q->call->choices, q->call->characters);
	if (q->facts->providers != NULL)
		c->open_ms =
		    q->facts->providers[c->target->provider->index].open_ms;
	if (!rule_place(q, c) || !rule_media(q, c))
		return;
	if (stopped != NULL) {
		out(c, VERDICT_STOPPED, REFUSE_UNAVAILABLE, stopped);
		return;
	}
	if (rule_endpoint(q, c) && rule_length(q, c) && rule_abilities(q, c) &&
	    rule_health(q, c) && rule_attempts(q, c)) {
		out(c, VERDICT_IN, REFUSE_NONE, "may be tried");
		q->plan->nin++;
	}
}

static void
judge_all(const struct question *q, const size_t *order)
{
	struct plan *plan = q->plan;
	const struct model *model = plan->model;
	const char *stopped = NULL;
	struct candidate *c;
	unsigned needed;
	size_t i;

	for (i = 0; i < plan->ncandidates; i++) {
		c = &plan->candidates[i];
		c->target = &model->targets[order[i]];
		c->model = plan_upstream_model(
		    model, c->target, q->call->model, q->arena);
		judge(q, stopped, c);
		needed = permission(c->verdict);
		if (needed != 0 && !(model->fallback & needed))
			stopped = arena_printf(q->arena,
			    "the model has no fallback permission %s",
			    fallback_name(needed));
	}
}

/* An outcome leads on where the model permits it and somebody is left. */
static void
link_candidates(struct plan *plan)
{
	bool later = false;
	size_t i;

	for (i = plan->ncandidates; i > 0; i--) {
		if (plan->candidates[i - 1].verdict != VERDICT_IN)
			continue;
		if (later)
			plan->candidates[i - 1].next_on = plan->model->fallback;
		later = true;
	}
}

static void
refuse(const struct question *q, enum refusal refusal, const char *param,
    const char *message)
{
	q->plan->refused = (struct refused){
		.refusal = refusal, .message = message, .param = param
	};
}

static void
refuse_private(const struct question *q)
{
	refuse(q, REFUSE_PRIVATE_ROUTE, "model",
	    arena_printf(q->arena,
		"%s keeps this request local and the model %s has no local "
		"target; choose a model whose place is local (GET "
		"/v1/models).",
		q->plan->ceiling_by, q->plan->model->id));
}

static const char *
advice(enum refusal refusal)
{
	switch (refusal) {
	case REFUSE_UNAVAILABLE:
		return "Wait for the time in Retry-After.";
	case REFUSE_TOO_LONG:
		return "Shorten the request or ask for less output.";
	case REFUSE_REMOTE_MEDIA:
		return "Send the file itself as a data: URL.";
	default:
		return "Choose another model from GET /v1/models.";
	}
}

/* Nobody is in: the first target that was within the ceiling says why. */
static void
refuse_empty(const struct question *q)
{
	const struct plan *plan = q->plan;
	const struct candidate *first = NULL;
	bool closed = false;
	size_t i;

	for (i = 0; i < plan->ncandidates; i++) {
		if (plan->candidates[i].verdict == VERDICT_PLACE)
			closed = true;
		else if (first == NULL)
			first = &plan->candidates[i];
	}
	if (first == NULL) {
		refuse_private(q);
		return;
	}
	refuse(q, first->refusal, "model",
	    arena_printf(q->arena, "Model %s: %s%s%s. %s", plan->model->id,
		first->reason, closed ? "; other targets are closed by " : "",
		closed ? plan->ceiling_by : "", advice(first->refusal)));
	if (first->verdict == VERDICT_UNAVAILABLE)
		q->plan->refused.retry_after_ms = first->open_ms;
}

/* May the client ask for this at all?  Finds the model on the way. */
static bool
admit(const struct question *q)
{
	const struct call *call = q->call;
	const char *name = call->model == NULL ? "" : call->model;

	if (!(q->client->endpoints & ENDPOINT_BIT(call->endpoint))) {
		refuse(q, REFUSE_ENDPOINT_NOT_ALLOWED, NULL,
		    arena_printf(q->arena,
			"Client %s may not call the endpoint %s; ask the "
			"operator to add it to the client's `endpoints`.",
			q->client->name, endpoint_spec(call->endpoint)->name));
		return false;
	}
	q->plan->model = plan_model(q->config, name);
	if (q->plan->model == NULL) {
		refuse(q, REFUSE_MODEL_NOT_FOUND, "model",
		    arena_printf(q->arena,
			"There is no model \"%s\"; GET /v1/models lists those "
			"you may use.",
			name));
		return false;
	}
	if (!identify_may_use(q->client, name, q->plan->model->id)) {
		refuse(q, REFUSE_MODEL_NOT_ALLOWED, "model",
		    arena_printf(q->arena,
			"Client %s may not use the model \"%s\"; GET "
			"/v1/models lists those it may use.",
			q->client->name, name));
		return false;
	}
	return true;
}

void
plan_make(const struct config *config, const struct client *client,
    const struct call *call, const struct facts *facts, struct arena *arena,
    struct plan *plan)
{
	const struct question q = { config, client, call, facts, arena, plan };
	const struct model *model;
	int64_t *worst;
	size_t *order, i;

	memset(plan, 0, sizeof(*plan));
	if (!admit(&q))
		return;
	model = plan->model;
	find_ceiling(&q);
	worst = arena_alloc(arena, model->ntargets * sizeof(*worst));
	order = arena_alloc(arena, model->ntargets * sizeof(*order));
	for (i = 0; i < model->ntargets; i++)
		worst[i] = price_worst(&model->targets[i], call->input_tokens,
		    call->max_output_tokens, call->choices, call->characters);
	select_order(model, client, facts, worst, arena, order);
	plan->ncandidates = model->ntargets;
	plan->candidates =
	    arena_alloc(arena, model->ntargets * sizeof(*plan->candidates));
	judge_all(&q, order);
	link_candidates(plan);
	if (plan->nin == 0)
		refuse_empty(&q);
}

static bool
may_use_any_name(const struct client *client, const struct model *model)
{
	size_t i;

	if (identify_may_use_some(client, model->id))
		return true;
	for (i = 0; i < model->naliases; i++)
		if (identify_may_use(client, model->aliases[i], model->id))
			return true;
	return false;
}

bool
plan_visible(const struct config *config, const struct client *client,
    const struct model *model, enum place *place, uint64_t *context)
{
	enum place ceiling =
	    client->place < model->place ? client->place : model->place;
	const struct target *target;
	bool visible = false;
	size_t i;

	(void)config;
	*place = PLACE_LOCAL;
	*context = 0;
	if (!may_use_any_name(client, model))
		return false;
	for (i = 0; i < model->ntargets; i++) {
		target = &model->targets[i];
		if (target->provider->place > ceiling)
			continue;
		visible = true;
		if (target->provider->place > *place)
			*place = target->provider->place;
		if (target->context > *context)
			*context = target->context;
	}
	return visible;
}

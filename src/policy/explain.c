/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The plan as JSON: hides how a decision is written down.  Pure, as the plan
 * is: the operator's command and the responder print the same decision with the
 * same code.
 */
#include "config.h"

#include <inttypes.h>

#include "base/jput.h"
#include "policy/explain_internal.h"

const struct explain_need explain_needs[EXPLAIN_NEEDS] = {
	{ CALL_IMAGES, "images" },
	{ CALL_AUDIO, "audio" },
	{ CALL_FILES, "files" },
	{ CALL_TOOLS, "tools" },
	{ CALL_JSON_SCHEMA, "json_schema" },
};

enum tri
explain_ability(const struct target *able, unsigned need)
{
	switch (need) {
	case CALL_IMAGES:
		return able->images;
	case CALL_AUDIO:
		return able->audio;
	case CALL_FILES:
		return able->files;
	case CALL_TOOLS:
		return able->tools;
	default:
		return able->json_schema;
	}
}

const char *
explain_bridge(enum bridge bridge)
{
	switch (bridge) {
	case BRIDGE_RESPONSES:
		return "responses";
	case BRIDGE_MESSAGES:
		return "messages";
	case BRIDGE_NONE:
		break;
	}
	return NULL;
}

const char *
explain_circuit(int64_t open_ms)
{
	return open_ms > 0 ? "open" : open_ms < 0 ? "half-open" : "closed";
}

struct facts_provider
explain_provider(const struct explain *e, const struct provider *provider)
{
	if (e->facts->providers == NULL)
		return (struct facts_provider){ .first_byte_ms = -1 };
	return e->facts->providers[provider->index];
}

struct facts_limit
explain_limit(const struct explain *e, const struct limit *limit)
{
	if (e->facts->limits == NULL)
		return (struct facts_limit){ 0 };
	return e->facts->limits[limit->index];
}

/* 0 is null: not said. */
static void
put_bound(struct buf *out, const char *name, uint64_t n)
{
	if (n == 0)
		jput_raw(out, name, "null");
	else
		jput_u64(out, name, n);
}

static void
put_measured(const struct call *call, struct buf *out)
{
	jput_name_open(out, "measured", '{');
	jput_u64(out, "input_tokens", call->input_tokens);
	jput_u64(out, "max_output_tokens", call->max_output_tokens);
	jput_u64(out, "choices", call->choices);
	jput_u64(out, "characters", call->characters);
	jput_u64(out, "images", call_images(call));
	jput_bool(out, "stream", call->stream);
	jput_bool(out, "thinking", call->thinking);
	jput_name_open(out, "needs", '[');
	for (size_t i = 0; i < EXPLAIN_NEEDS; i++)
		if (call->needs & explain_needs[i].need)
			jput_element(out, explain_needs[i].name);
	buf_puts(out, "]");
	jput_bool(out, "remote_media", call->remote != 0);
	jput_text(out, "private", call->private_rule);
	buf_puts(out, "}");
}

static void
put_outcomes(unsigned mask, struct buf *out)
{
	jput_name_open(out, "next_on", '[');
	for (unsigned i = 0; i < FALLBACK_COUNT; i++)
		if (mask & 1u << i)
			jput_element(
			    out, fallback_name((enum fallback)(1u << i)));
	buf_puts(out, "]");
}

static void
put_fit(const struct candidate *c, struct buf *out)
{
	static const char *const tri[] = { "null", "false", "true" };

	jput_name_open(out, "fit", '{');
	jput_u64(out, "need_tokens", c->need_tokens);
	if (c->counted != NULL)
		jput_u64(out, "counted_tokens", c->counted->tokens);
	if (c->near)
		jput_bool(out, "asks_count", true);
	put_bound(out, "context", c->context);
	put_bound(out, "max_output", c->able.max_output);
	for (size_t i = 0; i < EXPLAIN_NEEDS; i++)
		jput_raw(out, explain_needs[i].name,
		    tri[explain_ability(&c->able, explain_needs[i].need)]);
	buf_puts(out, "}");
}

static void
put_health(const struct explain *e, const struct candidate *c, struct buf *out)
{
	const struct provider *provider = c->target->provider;
	struct facts_provider facts = explain_provider(e, provider);

	jput_name_open(out, "health", '{');
	jput_text(out, "state", explain_circuit(c->open_ms));
	jput_i64(out, "open_ms", c->open_ms > 0 ? c->open_ms : 0);
	jput_u64(out, "in_flight", facts.in_flight);
	put_bound(out, "first_byte_ms",
	    facts.first_byte_ms > 0 ? (uint64_t)facts.first_byte_ms : 0);
	buf_puts(out, "}");
}

static void
put_sleep(const struct explain *e, const struct provider *p, struct buf *out)
{
	struct facts_sleep sleep = explain_provider(e, p).sleep;

	if (!p->sleeps)
		return;
	jput_name_open(out, "wake", '{');
	jput_bool(out, "asleep", sleep.since_wall_ms != 0);
	jput_text(out, "by", p->wake.mac != NULL ? "mac" : "command");
	jput_i64(out, "wait_ms", p->wake_wait_ms);
	jput_u64(out, "waiting", sleep.waiting);
	buf_puts(out, "}");
}

static void
put_limit(const struct explain *e, const struct limit *limit, struct buf *out)
{
	struct facts_limit facts;

	if (limit == NULL) {
		jput_raw(out, "limit", "null");
		return;
	}
	facts = explain_limit(e, limit);
	jput_name_open(out, "limit", '{');
	jput_text(out, "name", limit->name);
	jput_u64(out, "slots", limit->slots);
	jput_u64(out, "used", facts.used);
	jput_u64(out, "queue", limit->queue);
	jput_u64(out, "queued", facts.queued);
	jput_i64(out, "wait_ms", limit->wait_ms);
	if (limit->swap == SWAP_GROUP) {
		jput_name_open(out, "swap", '{');
		jput_text(
		    out, "in_use", facts.model == 0 ? NULL : facts.model_name);
		jput_i64(out, "wait_ms", limit->swap_wait_ms);
		buf_puts(out, "}");
	}
	buf_puts(out, "}");
}

/* nano-USD as USD with all its digits. */
void
explain_usd(struct buf *out, int64_t nanousd)
{
	buf_printf(out, "%" PRId64 ".%09" PRId64, nanousd / 1000000000,
	    nanousd % 1000000000);
}

static void
put_costs(const struct candidate *c, struct buf *out)
{
	const struct timeouts *t = &c->target->provider->timeouts;

	jput_name_open(out, "timeouts_ms", '{');
	jput_i64(out, "connect", t->connect_ms);
	jput_i64(out, "first_byte", t->first_byte_ms);
	jput_i64(out, "idle", t->idle_ms);
	jput_i64(out, "total", t->total_ms);
	buf_puts(out, "}");
	if (c->worst_nanousd < 0)
		jput_raw(out, "worst_usd", "null");
	else {
		jput_name(out, "worst_usd");
		explain_usd(out, c->worst_nanousd);
	}
}

/* refused NULL, or of nothing: null. */
static void
put_refused(const char *name, const struct refused *refused, struct buf *out)
{
	const struct refusal_spec *spec;

	if (refused == NULL || refused->refusal == REFUSE_NONE) {
		jput_raw(out, name, "null");
		return;
	}
	spec = refusal_spec(refused->refusal);
	jput_name_open(out, name, '{');
	jput_i64(out, "status", spec->status);
	jput_text(out, "code", spec->code);
	jput_text(out, "message",
	    refused->message != NULL ? refused->message : spec->text);
	jput_text(out, "param", refused->param);
	jput_i64(out, "retry_after_ms", refused->retry_after_ms);
	buf_puts(out, "}");
}

static void
put_candidate(
    const struct explain *e, const struct candidate *c, struct buf *out)
{
	const struct provider *provider = c->target->provider;

	jput_open(out, '{');
	jput_text(out, "provider", provider->name);
	jput_text(out, "place", place_name(provider->place));
	jput_text(out, "model", c->model);
	jput_text(out, "verdict", verdict_name(c->verdict));
	jput_text(out, "reason", c->reason);
	jput_text(out, "code",
	    c->refusal == REFUSE_NONE ? NULL : refusal_spec(c->refusal)->code);
	jput_text(out, "bridge", explain_bridge(c->bridge));
	if (provider->auth == AUTH_CLIENT)
		jput_text(out, "auth", "client");
	put_outcomes(c->next_on, out);
	put_fit(c, out);
	put_health(e, c, out);
	put_sleep(e, provider, out);
	put_limit(e, provider->limit, out);
	put_costs(c, out);
	put_refused("admission", c->met, out);
	buf_puts(out, "}");
}

void
explain_json(const struct explain *e, struct buf *out)
{
	const struct plan *plan = e->plan;
	size_t from = out->len;

	buf_puts(out, "{");
	jput_text(out, "client", e->client->name);
	jput_text(out, "endpoint", endpoint_spec(e->call->endpoint)->name);
	jput_text(out, "requested", e->call->model);
	jput_text(out, "model", plan->model == NULL ? NULL : plan->model->id);
	jput_text(out, "ceiling", place_name(plan->ceiling));
	jput_text(out, "ceiling_by", plan->ceiling_by);
	put_measured(e->call, out);
	jput_u64(out, "max_attempts",
	    plan->model == NULL ? 0 : plan->model->max_attempts);
	jput_i64(out, "total_ms", e->config->total_ms);
	jput_name_open(out, "candidates", '[');
	for (size_t i = 0; i < plan->ncandidates; i++)
		put_candidate(e, &plan->candidates[i], out);
	buf_puts(out, "]");
	put_refused("refused", &plan->refused, out);
	jput_name(out, "budgets");
	bounds_json(e->bounds, e->nbounds, out);
	buf_puts(out, "}\n");
	jput_spread(out, from);
}

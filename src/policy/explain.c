/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The plan rendered: hides how a decision is written down.  Pure, as the plan
 * is: the operator's command and the responder print with the same code what
 * the same function decided.
 */
#include "config.h"

#include <inttypes.h>

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

/* "name": "text" or null. */
static void
put_text(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, "\"%s\": ", name);
	if (text == NULL)
		buf_puts(out, "null");
	else
		buf_json(out, span_of(text));
}

/* "name": n, null where n is 0 and 0 means "not said". */
static void
put_bound(struct buf *out, const char *name, uint64_t n)
{
	if (n == 0)
		buf_printf(out, "\"%s\": null", name);
	else
		buf_printf(out, "\"%s\": %" PRIu64, name, n);
}

static void
put_measured(const struct call *call, struct buf *out)
{
	const char *comma = "";
	size_t i;

	buf_printf(out,
	    "\"measured\": {\"input_tokens\": %" PRIu64
	    ", \"max_output_tokens\": %" PRIu64 ", \"choices\": %" PRIu64
	    ", \"characters\": %" PRIu64 ", \"images\": %" PRIu64
	    ", \"stream\": %s, \"thinking\": %s, \"needs\": [",
	    call->input_tokens, call->max_output_tokens, call->choices,
	    call->characters, call_images(call),
	    call->stream ? "true" : "false", call->thinking ? "true" : "false");
	for (i = 0; i < EXPLAIN_NEEDS; i++) {
		if (!(call->needs & explain_needs[i].need))
			continue;
		buf_printf(out, "%s\"%s\"", comma, explain_needs[i].name);
		comma = ", ";
	}
	buf_printf(out, "], \"remote_media\": %s, ",
	    call->remote != 0 ? "true" : "false");
	put_text(out, "private", call->private_rule);
	buf_puts(out, "}");
}

void
explain_outcomes(struct buf *out, unsigned mask, const char *quote)
{
	const char *comma = "";
	unsigned i;

	for (i = 0; i < FALLBACK_COUNT; i++) {
		if (!(mask & 1u << i))
			continue;
		buf_printf(out, "%s%s%s%s", comma, quote,
		    fallback_name((enum fallback)(1u << i)), quote);
		comma = ", ";
	}
}

static void
put_fit(const struct candidate *c, struct buf *out)
{
	static const char *const tri[] = { "null", "false", "true" };
	size_t i;

	buf_printf(
	    out, "\"fit\": {\"need_tokens\": %" PRIu64 ", ", c->need_tokens);
	put_bound(out, "context", c->context);
	buf_puts(out, ", ");
	put_bound(out, "max_output", c->able.max_output);
	for (i = 0; i < EXPLAIN_NEEDS; i++)
		buf_printf(out, ", \"%s\": %s", explain_needs[i].name,
		    tri[explain_ability(&c->able, explain_needs[i].need)]);
	buf_puts(out, "}");
}

static void
put_health(const struct explain *e, const struct candidate *c, struct buf *out)
{
	const struct provider *provider = c->target->provider;
	struct facts_provider facts = explain_provider(e, provider);

	buf_printf(out,
	    "\"health\": {\"state\": \"%s\", \"open_ms\": %" PRId64
	    ", \"in_flight\": %u, ",
	    explain_circuit(c->open_ms), c->open_ms > 0 ? c->open_ms : 0,
	    facts.in_flight);
	put_bound(out, "first_byte_ms",
	    facts.first_byte_ms > 0 ? (uint64_t)facts.first_byte_ms : 0);
	buf_puts(out, "}");
}

static void
put_limit(const struct explain *e, const struct limit *limit, struct buf *out)
{
	struct facts_limit facts;

	if (limit == NULL) {
		buf_puts(out, "\"limit\": null");
		return;
	}
	facts = explain_limit(e, limit);
	buf_puts(out, "\"limit\": {");
	put_text(out, "name", limit->name);
	buf_printf(out,
	    ", \"slots\": %u, \"used\": %u, \"queue\": %u, \"queued\": %u, "
	    "\"wait_ms\": %" PRId64 "}",
	    limit->slots, facts.used, limit->queue, facts.queued,
	    limit->wait_ms);
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

	buf_printf(out,
	    "\"timeouts_ms\": {\"connect\": %" PRId64
	    ", \"first_byte\": %" PRId64 ", \"idle\": %" PRId64
	    ", \"total\": %" PRId64 "}, \"worst_usd\": ",
	    t->connect_ms, t->first_byte_ms, t->idle_ms, t->total_ms);
	if (c->worst_nanousd < 0)
		buf_puts(out, "null");
	else
		explain_usd(out, c->worst_nanousd);
}

/* refused NULL, or of nothing: null. */
static void
put_refused(const char *name, const struct refused *refused, struct buf *out)
{
	const struct refusal_spec *spec;

	if (refused == NULL || refused->refusal == REFUSE_NONE) {
		put_text(out, name, NULL);
		return;
	}
	spec = refusal_spec(refused->refusal);
	buf_printf(out, "\"%s\": {\"status\": %d, ", name, spec->status);
	put_text(out, "code", spec->code);
	buf_puts(out, ", ");
	put_text(out, "message",
	    refused->message != NULL ? refused->message : spec->text);
	buf_puts(out, ", ");
	put_text(out, "param", refused->param);
	buf_printf(
	    out, ", \"retry_after_ms\": %" PRId64 "}", refused->retry_after_ms);
}

static void
put_candidate(
    const struct explain *e, const struct candidate *c, struct buf *out)
{
	const struct provider *provider = c->target->provider;

	buf_puts(out, "{");
	put_text(out, "provider", provider->name);
	buf_printf(out, ", \"place\": \"%s\", ", place_name(provider->place));
	put_text(out, "model", c->model);
	buf_printf(out, ", \"verdict\": \"%s\", ", verdict_name(c->verdict));
	put_text(out, "reason", c->reason);
	buf_puts(out, ", ");
	put_text(out, "code",
	    c->refusal == REFUSE_NONE ? NULL : refusal_spec(c->refusal)->code);
	buf_puts(out, ", ");
	put_text(out, "bridge", explain_bridge(c->bridge));
	buf_puts(out, ", \"next_on\": [");
	explain_outcomes(out, c->next_on, "\"");
	buf_puts(out, "], ");
	put_fit(c, out);
	buf_puts(out, ", ");
	put_health(e, c, out);
	buf_puts(out, ", ");
	put_limit(e, provider->limit, out);
	buf_puts(out, ", ");
	put_costs(c, out);
	buf_puts(out, ", ");
	put_refused("admission", c->met, out);
	buf_puts(out, "}");
}

void
explain_json(const struct explain *e, struct buf *out)
{
	const struct plan *plan = e->plan;
	size_t i;

	buf_puts(out, "{");
	put_text(out, "client", e->client->name);
	buf_puts(out, ", ");
	put_text(out, "endpoint", endpoint_spec(e->call->endpoint)->name);
	buf_puts(out, ", ");
	put_text(out, "requested", e->call->model);
	buf_puts(out, ", ");
	put_text(out, "model", plan->model == NULL ? NULL : plan->model->id);
	buf_printf(out, ", \"ceiling\": \"%s\", ", place_name(plan->ceiling));
	put_text(out, "ceiling_by", plan->ceiling_by);
	buf_puts(out, ", ");
	put_measured(e->call, out);
	buf_printf(out,
	    ", \"max_attempts\": %u, \"total_ms\": %" PRId64
	    ", \"candidates\": [",
	    plan->model == NULL ? 0 : plan->model->max_attempts,
	    e->config->total_ms);
	for (i = 0; i < plan->ncandidates; i++) {
		buf_puts(out, i == 0 ? "" : ", ");
		put_candidate(e, &plan->candidates[i], out);
	}
	buf_puts(out, "], ");
	put_refused("refused", &plan->refused, out);
	buf_puts(out, ", \"budgets\": ");
	bounds_json(e->bounds, e->nbounds, out);
	buf_puts(out, "}\n");
}

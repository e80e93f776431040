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

#include "base/log.h"
#include "policy/explain.h"

static const struct {
	unsigned need;
	const char *name;
} needs[] = {
	{ CALL_IMAGES, "images" },
	{ CALL_AUDIO, "audio" },
	{ CALL_FILES, "files" },
	{ CALL_TOOLS, "tools" },
	{ CALL_JSON_SCHEMA, "json_schema" },
};
#define NEEDS (sizeof(needs) / sizeof(needs[0]))

static enum tri
ability(const struct target *able, unsigned need)
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

static const char *
bridge_name(enum bridge bridge)
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

static const char *
circuit_name(int64_t open_ms)
{
	return open_ms > 0 ? "open" : open_ms < 0 ? "half-open" : "closed";
}

static struct facts_provider
provider_facts(const struct explain *e, const struct provider *provider)
{
	if (e->facts->providers == NULL)
		return (struct facts_provider){ .first_byte_ms = -1 };
	return e->facts->providers[provider->index];
}

static struct facts_limit
limit_facts(const struct explain *e, const struct limit *limit)
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
	    ", \"characters\": %" PRIu64 ", \"stream\": %s, \"needs\": [",
	    call->input_tokens, call->max_output_tokens, call->choices,
	    call->characters, call->stream ? "true" : "false");
	for (i = 0; i < NEEDS; i++) {
		if (!(call->needs & needs[i].need))
			continue;
		buf_printf(out, "%s\"%s\"", comma, needs[i].name);
		comma = ", ";
	}
	buf_printf(out, "], \"remote_media\": %s, ",
	    call->remote != 0 ? "true" : "false");
	put_text(out, "private", call->private_rule);
	buf_puts(out, "}");
}

static void
put_outcomes(struct buf *out, unsigned mask, const char *quote)
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
	for (i = 0; i < NEEDS; i++)
		buf_printf(out, ", \"%s\": %s", needs[i].name,
		    tri[ability(&c->able, needs[i].need)]);
	buf_puts(out, "}");
}

static void
put_health(const struct explain *e, const struct candidate *c, struct buf *out)
{
	const struct provider *provider = c->target->provider;
	struct facts_provider facts = provider_facts(e, provider);

	buf_printf(out,
	    "\"health\": {\"state\": \"%s\", \"open_ms\": %" PRId64
	    ", \"in_flight\": %u, ",
	    circuit_name(c->open_ms), c->open_ms > 0 ? c->open_ms : 0,
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
	facts = limit_facts(e, limit);
	buf_puts(out, "\"limit\": {");
	put_text(out, "name", limit->name);
	buf_printf(out,
	    ", \"slots\": %u, \"used\": %u, \"queue\": %u, \"queued\": %u, "
	    "\"wait_ms\": %" PRId64 "}",
	    limit->slots, facts.used, limit->queue, facts.queued,
	    limit->wait_ms);
}

/* nano-USD as USD with all its digits. */
static void
put_usd(struct buf *out, int64_t nanousd)
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
		put_usd(out, c->worst_nanousd);
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
	put_text(out, "bridge", bridge_name(c->bridge));
	buf_puts(out, ", \"next_on\": [");
	put_outcomes(out, c->next_on, "\"");
	buf_puts(out, "], ");
	put_fit(c, out);
	buf_puts(out, ", ");
	put_health(e, c, out);
	buf_puts(out, ", ");
	put_limit(e, provider->limit, out);
	buf_puts(out, ", ");
	put_costs(c, out);
	buf_puts(out, "}");
}

static void
put_refused(const struct refused *refused, struct buf *out)
{
	const struct refusal_spec *spec = refusal_spec(refused->refusal);

	if (refused->refusal == REFUSE_NONE) {
		buf_puts(out, "\"refused\": null");
		return;
	}
	buf_printf(out, "\"refused\": {\"status\": %d, ", spec->status);
	put_text(out, "code", spec->code);
	buf_puts(out, ", ");
	put_text(out, "message",
	    refused->message != NULL ? refused->message : spec->text);
	buf_puts(out, ", ");
	put_text(out, "param", refused->param);
	buf_printf(
	    out, ", \"retry_after_ms\": %" PRId64 "}", refused->retry_after_ms);
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
	put_refused(&plan->refused, out);
	buf_puts(out, "}\n");
}

/* Foreign text for a terminal. */
static void
say_foreign(struct buf *out, const char *text)
{
	char escaped[1024];

	log_escape(text, strlen(text), escaped, sizeof(escaped));
	buf_puts(out, escaped);
}

static void
say_seconds(struct buf *out, const char *what, int64_t ms)
{
	buf_printf(out, "%s %" PRId64, what, ms / 1000);
	if (ms % 1000 != 0)
		buf_printf(out, ".%03" PRId64, ms % 1000);
	buf_puts(out, " s");
}

static void
say_request(const struct explain *e, struct buf *out)
{
	const struct call *call = e->call;
	size_t i;

	buf_printf(out, "request   %s, by client ",
	    endpoint_spec(call->endpoint)->name);
	say_foreign(out, e->client->name);
	buf_puts(out, ", for model ");
	say_foreign(out, call->model == NULL ? "(none)" : call->model);
	if (e->plan->model != NULL && call->model != NULL &&
	    strcmp(e->plan->model->id, call->model) != 0) {
		buf_puts(out, ", which is ");
		say_foreign(out, e->plan->model->id);
	}
	buf_printf(
	    out, "\nmeasured  about %" PRIu64 " tokens in", call->input_tokens);
	if (call->max_output_tokens > 0)
		buf_printf(
		    out, ", up to %" PRIu64 " out", call->max_output_tokens);
	if (call->stream)
		buf_puts(out, ", streaming");
	if (call->choices > 1)
		buf_printf(out, ", %" PRIu64 " choices", call->choices);
	for (i = 0; i < NEEDS; i++)
		if (call->needs & needs[i].need)
			buf_printf(out, ", needs %s", needs[i].name);
	if (call->remote != 0)
		buf_puts(out, ", media by URL");
	buf_puts(out, "\n");
}

static void
say_ceiling(const struct explain *e, struct buf *out)
{
	if (e->plan->model == NULL)
		return;
	buf_printf(out, "ceiling   %s", place_name(e->plan->ceiling));
	if (e->plan->ceiling_by != NULL) {
		buf_puts(out, ", by ");
		say_foreign(out, e->plan->ceiling_by);
	}
	buf_printf(out, "\nbounds    at most %u attempts",
	    e->plan->model->max_attempts);
	say_seconds(out, ", over all of them", e->config->total_ms);
	buf_puts(out, "\n");
}

static void
say_fit(const struct candidate *c, struct buf *out)
{
	size_t i;

	buf_printf(out, "    fit       needs %" PRIu64 " of ", c->need_tokens);
	if (c->context == 0)
		buf_puts(out, "(not said)");
	else
		buf_printf(out, "%" PRIu64, c->context);
	buf_puts(out, " tokens");
	if (c->able.max_output != 0)
		buf_printf(out, ", output up to %" PRIu64, c->able.max_output);
	for (i = 0; i < NEEDS; i++)
		if (ability(&c->able, needs[i].need) != TRI_UNSET)
			buf_printf(out, ", %s%s",
			    ability(&c->able, needs[i].need) == TRI_NO ? "no "
								       : "",
			    needs[i].name);
	if (c->bridge != BRIDGE_NONE)
		buf_printf(out, "; %s through chat", bridge_name(c->bridge));
	buf_puts(out, "\n");
}

static void
say_state(const struct explain *e, const struct candidate *c, struct buf *out)
{
	const struct limit *limit = c->target->provider->limit;
	struct facts_provider facts = provider_facts(e, c->target->provider);
	struct facts_limit held;

	buf_printf(out, "    health    circuit %s", circuit_name(c->open_ms));
	if (c->open_ms > 0)
		say_seconds(out, " for", c->open_ms);
	buf_printf(out, ", %u in flight", facts.in_flight);
	if (facts.first_byte_ms > 0)
		buf_printf(out, ", first byte after %" PRId64 " ms",
		    facts.first_byte_ms);
	buf_puts(out, "\n");
	if (limit == NULL)
		return;
	held = limit_facts(e, limit);
	buf_printf(out,
	    "    limit     %s: %u of %u slots used, %u of %u queued",
	    limit->name, held.used, limit->slots, held.queued, limit->queue);
	say_seconds(out, ", waits", limit->wait_ms);
	buf_puts(out, "\n");
}

static void
say_costs(const struct candidate *c, struct buf *out)
{
	const struct timeouts *t = &c->target->provider->timeouts;

	say_seconds(out, "    timeouts  connect", t->connect_ms);
	say_seconds(out, ", first byte", t->first_byte_ms);
	say_seconds(out, ", idle", t->idle_ms);
	say_seconds(out, ", total", t->total_ms);
	buf_puts(out, "\n    cost      ");
	if (c->worst_nanousd < 0)
		buf_puts(out, "no price known");
	else {
		buf_puts(out, "at most ");
		put_usd(out, c->worst_nanousd);
		buf_puts(out, " USD");
	}
	buf_puts(out, "\n");
}

static void
say_candidate(const struct explain *e, size_t i, struct buf *out)
{
	const struct candidate *c = &e->plan->candidates[i];
	const struct provider *provider = c->target->provider;

	buf_printf(out, "\n%zu. %s  %s (%s), model ", i + 1,
	    c->verdict == VERDICT_IN ? "IN " : "OUT", provider->name,
	    place_name(provider->place));
	say_foreign(out, c->model);
	buf_puts(out, "\n");
	if (c->verdict != VERDICT_IN) {
		buf_printf(out, "    %-9s ", verdict_name(c->verdict));
		say_foreign(out, c->reason);
		buf_puts(out, "\n");
	}
	say_fit(c, out);
	say_state(e, c, out);
	say_costs(c, out);
	if (c->verdict != VERDICT_IN)
		return;
	buf_puts(out, "    next on   ");
	if (c->next_on == 0)
		buf_puts(out, "nothing");
	put_outcomes(out, c->next_on, "");
	buf_puts(out, "\n");
}

void
explain_text(const struct explain *e, struct buf *out)
{
	const struct refused *refused = &e->plan->refused;
	const struct refusal_spec *spec = refusal_spec(refused->refusal);
	size_t i;

	say_request(e, out);
	say_ceiling(e, out);
	for (i = 0; i < e->plan->ncandidates; i++)
		say_candidate(e, i, out);
	if (refused->refusal == REFUSE_NONE)
		return;
	buf_printf(out, "\nREFUSED   %d %s: ", spec->status, spec->code);
	say_foreign(
	    out, refused->message != NULL ? refused->message : spec->text);
	buf_puts(out, "\n");
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides in how many ways upstreams say no: connection errors, timeouts,
 * statuses, errors dressed as 200, errors as a first event.  Behind the
 * relay, before the next candidate.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/jscan.h"
#include "base/log.h"
#include "bridge/finish.h"
#include "policy/blame.h"
#include "serve/verdict.h"

/* ---- errors inside a good status -------------------------------------- */

struct members {
	bool error; /* `error` is there and not null */
	bool answer; /* so is something that only answers have */
	bool empty_choices;
	bool usage;
	bool type_error; /* "type": "error" */
	bool words; /* `detail`, `message` or `msg`: what errors have */
	bool choices; /* `choices` is there, empty or not */
	bool is_object;
	struct span type; /* the string's inside */
	enum endpoint_usage kind;
	struct usage *used; /* where that is gathered, or NULL */
};

static void
note_type(struct members *m, const struct jscan_value *v)
{
	m->type_error = span_is(v->raw, "\"error\"");
	if (v->type == JSCAN_STRING && v->raw.len >= 2)
		m->type = (struct span){ v->raw.p + 1, v->raw.len - 2 };
}

/* The members of the document; of an array's first element where it is one
 * (Gemini's errors). */
static int
on_member(void *ctx, const struct jscan_value *v)
{
	struct members *m = ctx;
	const struct jscan_step *step = v->path;
	unsigned depth = v->depth;

	if (m->used != NULL)
		usage_value(m->kind, v, m->used);
	if (depth == 0 && v->begin)
		m->is_object = v->type == JSCAN_OBJECT;
	if (depth > 1 && step->key.p == NULL && step->index == 0) {
		step++;
		depth--;
	}
	if (depth != 1 || v->begin || step->key.p == NULL)
		return 0;
	if (jscan_key_is(step, "error"))
		m->error = v->type != JSCAN_NULL && v->type != JSCAN_FALSE;
	else if (jscan_key_is(step, "type"))
		note_type(m, v);
	else if (jscan_key_is(step, "choices")) {
		m->choices = true;
		m->empty_choices = v->raw.len <= 3;
		m->answer |= !m->empty_choices;
	} else if (jscan_key_is(step, "usage"))
		m->usage = v->type == JSCAN_OBJECT;
	else if (jscan_key_is(step, "data") || jscan_key_is(step, "output") ||
	    jscan_key_is(step, "text") || jscan_key_is(step, "results") ||
	    jscan_key_is(step, "content") || jscan_key_is(step, "input_tokens"))
		m->answer |= v->type != JSCAN_NULL;
	else if (jscan_key_is(step, "detail") ||
	    jscan_key_is(step, "message") || jscan_key_is(step, "msg"))
		m->words |= v->type != JSCAN_NULL;
	return 0;
}

static struct members
members_of(struct span json)
{
	struct members m = { .used = NULL };
	struct jscan_error error;

	/* What is no JSON from some byte on has said what stands before. */
	m.is_object =
	    jscan(json, JSCAN_DEPTH_MAX, on_member, &m, &error) == 0 &&
	    m.is_object;
	return m;
}

static bool
has(struct span text, const char *what)
{
	return text.len > 0 &&
	    memmem(text.p, text.len, what, strlen(what)) != NULL;
}

static bool
is_error(const struct members *m)
{
	return (m->error && !m->answer) || m->type_error;
}

bool
verdict_is_error(struct span name, struct span data)
{
	struct members m;

	if (!has(data, "error"))
		return false;
	if (span_is(name, "error"))
		return true;
	m = members_of(data);
	return is_error(&m);
}

static bool
is_ping(struct span name)
{
	return span_is(name, "ping") || span_is(name, "keepalive") ||
	    span_is(name, "keep-alive") || span_is(name, "heartbeat");
}

bool
verdict_is_idle(enum endpoint speaks, struct span name, struct span data)
{
	struct members m;

	if (is_ping(name))
		return true;
	if (data.len == 0 || span_is(name, "error"))
		return false;
	m = members_of(data);
	if (is_ping(m.type))
		return true;
	if (speaks != ENDPOINT_CHAT && speaks != ENDPOINT_COMPLETIONS)
		return false;
	return m.is_object && !m.choices && !m.error && !m.type_error &&
	    !m.usage;
}

struct span
verdict_event_name(struct span name, struct span data)
{
	return name.len > 0 || !has(data, "\"type\"") ? name
						      : members_of(data).type;
}

bool
verdict_ends_badly(enum endpoint endpoint, struct span data)
{
	return (endpoint == ENDPOINT_CHAT ||
		   endpoint == ENDPOINT_COMPLETIONS) &&
	    finish_failed(data);
}

bool
verdict_is_only_usage(struct span data)
{
	struct members m = members_of(data);

	return m.usage && m.empty_choices;
}

void
verdict_look(struct relay *r)
{
	struct members m = { .kind = endpoint_spec(r->speaks)->usage,
		.used = &r->usage };
	struct span held = buf_span(&r->held);
	struct jscan_error error;

	if (jscan(held, JSCAN_DEPTH_MAX, on_member, &m, &error) == -1) {
		/* The scanner wanted more: the value is not complete. */
		r->ends_early = error.offset >= held.len;
		usage_read(m.kind, held, &r->usage);
	}
	/* {"detail": "…"} and nothing else that answers. */
	r->error_whole =
	    is_error(&m) || (m.words && !m.answer && !m.choices && !m.usage);
	r->finish_failed |= verdict_ends_badly(r->speaks, held);
}

bool
verdict_is_dressed(const struct relay *r)
{
	return r->error_first || r->error_whole;
}

bool
verdict_is_short(const struct relay *r, uint64_t bytes_in)
{
	if (r->state != RELAY_HOLD)
		return false;
	if (r->is_sse && r->events == 0)
		return true;
	return r->bridge == NULL && (bytes_in == 0 || r->ends_early);
}

/* ---- what the upstream advises ---------------------------------------- */

/* Retry-After in seconds or as a date (RFC 9110 §10.2.3), in ms; 0: none. */
static int64_t
retry_after_ms(const struct relay *r)
{
	struct span value =
	    answer_field(r->head.fields, r->head.nfields, "retry-after");
	struct tm tm;
	const char *error;
	long long n;

	if (value.len == 0)
		return 0;
	n = strtonum(value.p, 0, 86400, &error);
	if (error == NULL)
		return n * 1000;
	memset(&tm, 0, sizeof(tm));
	if (strptime(value.p, "%a, %d %b %Y %H:%M:%S GMT", &tm) == NULL)
		return 0;
	n = (long long)timegm(&tm) * 1000 - clock_wall_ms();
	return n < 0 ? 0 : n > 86400000 ? 86400000 : n;
}

/* ---- names for failures ----------------------------------------------- */

static void
judge_as(struct relay_result *result, enum refusal refusal,
    enum health_outcome health)
{
	result->refused.refusal = refusal;
	result->reason = refusal_spec(refusal)->fallback;
	result->health = health;
}

static void
judge_exchange(const struct relay *r, const struct upstream_report *report,
    struct relay_result *result)
{
	const char *provider = r->candidate->target->provider->name;
	const char *what = "failed";

	switch (report->result) {
	case UPSTREAM_EXHAUSTED:
		/* Not the provider's doing, nor a reason to go elsewhere. */
		judge_as(result, REFUSE_EXHAUSTED, HEALTH_ABANDONED);
		return;
	case UPSTREAM_CONNECT:
	case UPSTREAM_TLS:
	case UPSTREAM_FORBIDDEN:
	case UPSTREAM_TIMEOUT_CONNECT:
		judge_as(result, REFUSE_UNAVAILABLE, HEALTH_CONNECT);
		what = report->result == UPSTREAM_FORBIDDEN
		    ? "has an address outside the private networks"
		    : "cannot be reached";
		break;
	case UPSTREAM_TIMEOUT_FIRST_BYTE:
	case UPSTREAM_TIMEOUT_IDLE:
	case UPSTREAM_TIMEOUT_TOTAL:
		judge_as(result, REFUSE_UPSTREAM_TIMEOUT, HEALTH_TIMEOUT);
		what = report->result == UPSTREAM_TIMEOUT_FIRST_BYTE
		    ? "did not begin to answer in time"
		    : "did not finish its answer in time";
		break;
	default:
		judge_as(result, REFUSE_UPSTREAM, HEALTH_ERROR);
		what = report->result == UPSTREAM_BAD
		    ? "answered in a way that is no valid HTTP response"
		    : report->result == UPSTREAM_OK &&
			(report->bytes_in == 0 || r->is_sse)
		    ? "gave an empty answer"
		    : "closed the connection in the middle of its answer";
	}
	result->refused.message = arena_printf(
	    r->arena, "Provider %s %s; try again.", provider, what);
	if (report->result == UPSTREAM_FORBIDDEN)
		result->refused.message = arena_printf(r->arena,
		    "Provider %s %s; the operator can list its network in "
		    "`addresses`.",
		    provider, what);
}

/* The upstream's word is about the gateway's own key or account.  Its words
 * often quote a part of that key, and would make the client think its own was
 * meant. */
static void
judge_account(const struct relay *r, bool key, struct relay_result *result)
{
	const char *name = r->candidate->target->provider->name;

	judge_as(result, REFUSE_PROVIDER_ACCOUNT, HEALTH_ACCOUNT);
	result->upstream_error = false;
	result->refused.message = arena_printf(r->arena,
	    key ? "Provider %s did not accept the gateway's own key; the "
		  "operator has to correct `key` in its configuration."
		: "Provider %s serves the gateway's own account no longer (its "
		  "credit, quota or key limit is used up); the operator has to "
		  "top it up.",
	    name);
	log_warn("provider %s answered %d: its %s", name, r->head.status,
	    key ? "key is missing or wrong"
		: "account is out of credit or over its quota");
}

/* In the words of the API whose clients compact then: behind "prompt is too
 * long: " (wire/reply.c). */
static void
judge_length(
    const struct relay *r, const struct blamed *b, struct relay_result *result)
{
	const struct target *able = &r->candidate->able;
	uint64_t tokens = b->tokens, limit = b->limit;
	const char *name = r->candidate->target->provider->name;
	char words[400];

	judge_as(result, REFUSE_TOO_LONG, HEALTH_OK);
	blame_words(buf_span(&r->held), words, sizeof(words));
	if (tokens == 0 && able->context != 0 &&
	    r->call->input_tokens > able->context) {
		tokens = r->call->input_tokens;
		limit = able->context;
	}
	result->refused.message = tokens > 0
	    ? arena_printf(r->arena,
		  "%llu tokens > %llu maximum (provider %s: %s)",
		  (unsigned long long)tokens, (unsigned long long)limit, name,
		  *words == '\0' ? "no words" : words)
	    : arena_printf(r->arena,
		  "the context is exceeded (provider %s: "
		  "%s)",
		  name, *words == '\0' ? "no words" : words);
}

/* What the blame means: for the fallback, for health.  tailgate.conf(5) has
 * the same table. */
static void
judge_blame(
    const struct relay *r, const struct blamed *b, struct relay_result *result)
{
	bool failed = result->status >= 500;

	switch (b->blame) {
	case BLAME_KEY:
	case BLAME_ACCOUNT:
		judge_account(r, b->blame == BLAME_KEY, result);
		return;
	case BLAME_LENGTH:
		judge_length(r, b, result);
		return;
	case BLAME_RATE:
		judge_as(result, REFUSE_RATE_UPSTREAM, HEALTH_MODEL_LIMITED);
		return;
	case BLAME_RATE_ALL:
		judge_as(result, REFUSE_RATE_UPSTREAM, HEALTH_RATE_LIMITED);
		return;
	case BLAME_MODEL:
		judge_as(result, REFUSE_PROVIDER_MODEL, HEALTH_NO_MODEL);
		return;
	case BLAME_LOADING:
		judge_as(result, REFUSE_MODEL_LOADING, HEALTH_MODEL_LOADING);
		return;
	case BLAME_TIME:
		judge_as(result, REFUSE_UPSTREAM_TIMEOUT, HEALTH_ERROR);
		return;
	case BLAME_REFUSED:
		judge_as(result, REFUSE_UNSUPPORTED, HEALTH_OK);
		return;
	case BLAME_CONFLICT:
		judge_as(result, REFUSE_UPSTREAM, HEALTH_OK);
		return;
	case BLAME_REQUEST:
		judge_as(result,
		    failed ? REFUSE_UPSTREAM : REFUSE_INVALID_REQUEST,
		    HEALTH_OK);
		if (!failed)
			result->reason = 0;
		return;
	case BLAME_PROVIDER:
		break;
	}
	judge_as(result, REFUSE_UPSTREAM, HEALTH_ERROR);
}

/* An error of the upstream's own, by its status and body. */
static void
judge_status(const struct relay *r, struct relay_result *result)
{
	struct blamed b = blame_of(r->head.status, buf_span(&r->held));

	result->status = r->head.status;
	/* A redirect is not followed, nor passed. */
	result->upstream_error = result->status >= 400;
	result->refused.message = arena_printf(r->arena,
	    "Provider %s answered with status %d and no JSON error.",
	    r->candidate->target->provider->name, r->head.status);
	judge_blame(r, &b, result);
}

/* An error dressed as 200: by the status that it names in itself. */
static void
judge_dressed(const struct relay *r, struct relay_result *result)
{
	struct span body = buf_span(&r->held);
	int status = blame_status(body);
	struct blamed b = blame_of(status == 0 ? 502 : status, body);

	result->upstream_error = true;
	result->status = 502;
	if (b.blame == BLAME_RATE || b.blame == BLAME_RATE_ALL)
		result->status = 429;
	if (b.blame == BLAME_LENGTH ||
	    (b.blame == BLAME_REQUEST && status >= 400 && status < 500))
		result->status = 400;
	result->refused.message = arena_printf(r->arena,
	    "Provider %s answered 200 with an error inside.",
	    r->candidate->target->provider->name);
	judge_blame(r, &b, result);
}

/* Without a full stop: it goes into a sentence. */
static struct span
clause_of(const char *text)
{
	struct span s = span_of(text);

	while (s.len > 0 && s.p[s.len - 1] == '.')
		s.len--;
	return s;
}

void
verdict_judge(const struct relay *r, const struct upstream_report *report,
    struct relay_result *result)
{
	if (report->result == UPSTREAM_EXHAUSTED) {
		judge_exchange(r, report, result);
		return;
	}
	result->retry_after_ms = retry_after_ms(r);
	if (verdict_is_dressed(r)) {
		judge_dressed(r, result);
	} else if (report->result == UPSTREAM_CLIENT_GONE) {
		/* It has not: we are told to end (answer_tick). */
		judge_as(result, REFUSE_UNAVAILABLE, HEALTH_ABANDONED);
		result->reason = 0;
		result->refused.message =
		    "The gateway is being stopped; try again in a moment.";
	} else if (r->odd_stream) {
		judge_as(result, REFUSE_UPSTREAM, HEALTH_OK);
		result->refused.message = arena_printf(r->arena,
		    "Provider %s answered with a stream, which was not asked "
		    "for.",
		    r->candidate->target->provider->name);
	} else if (r->no_stream) {
		judge_as(result, REFUSE_UPSTREAM, HEALTH_OK);
		result->refused.message = arena_printf(r->arena,
		    "Provider %s answered without a stream.",
		    r->candidate->target->provider->name);
	} else if (r->bridge_failed) {
		struct span clause = clause_of(bridge_why(r->bridge));

		judge_as(result, REFUSE_UPSTREAM, HEALTH_ERROR);
		result->refused.message = arena_printf(r->arena,
		    "Provider %s gave no usable answer: %.*s.",
		    r->candidate->target->provider->name, (int)clause.len,
		    clause.p);
	} else if (r->state == RELAY_COLLECT && report->result == UPSTREAM_OK)
		judge_status(r, result);
	else
		judge_exchange(r, report, result);
	result->refused.retry_after_ms = result->retry_after_ms;
}

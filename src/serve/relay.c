/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how an answer is judged while it passes: when the client may have it,
 * where an event ends, what it says it used.  The "relay" step of a request's
 * way; verdict.c judges how it ended.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "serve/relay_internal.h"
#include "serve/restream.h"
#include "config/redact.h"
#include "serve/verdict.h"

/* A JSON answer up to this size is looked at whole before it passes. */
#define HOLD_BYTES (64 * 1024)
/* What is kept of an upstream's error. */
#define ERROR_BYTES (256 * 1024)
/* What a bridge, which needs all of it, takes. */
#define BRIDGE_BYTES (32 * 1024 * 1024)
#define EVENT_BYTES (256 * 1024)
/* Where the last event tells all of it again, and the usage behind that. */
#define LONG_EVENT_BYTES (32 * 1024 * 1024)

#define EVENT_STREAM "text/event-stream; charset=utf-8"

void
relay_init(struct relay *r, struct answer *a, const struct call *call,
    const struct candidate *candidate, struct bridge_run *bridge,
    struct arena *arena)
{
	memset(r, 0, sizeof(*r));
	r->answer = a;
	a->at_boundary = true; /* nothing of an earlier one has passed */
	r->call = call;
	r->candidate = candidate;
	r->arena = arena;
	r->bridge = bridge;
	r->speaks = bridge != NULL ? ENDPOINT_CHAT : call->endpoint;
	buf_init_charged(&r->held, BRIDGE_BYTES);
	buf_init_charged(&r->out, BRIDGE_BYTES);
	sse_init(&r->sse,
	    bridge != NULL || r->speaks == ENDPOINT_RESPONSES ? LONG_EVENT_BYTES
							      : EVENT_BYTES);
	usage_init(&r->usage);
}

void
relay_free(struct relay *r)
{
	bridge_free(r->bridge);
	buf_free(&r->held);
	buf_free(&r->out);
	sse_free(&r->sse);
}

/* ---- the head --------------------------------------------------------- */

static bool
starts_with(const char *text, const char *with)
{
	return text != NULL && strncasecmp(text, with, strlen(with)) == 0;
}

static bool
says_events(const struct relay *r)
{
	return starts_with(r->content_type, "text/event-stream");
}

static bool
says_json(const struct relay *r)
{
	return starts_with(r->content_type, "application/json");
}

/* Does the client get an event stream, whatever the upstream sends? */
static bool
must_stream(const struct relay *r)
{
	return r->answer->streams &&
	    (r->bridge != NULL || restream_can(r->speaks));
}

int
relay_commit(struct relay *r, int64_t length)
{
	struct answer *a = r->answer;
	const char *type = r->content_type;
	bool events = a->streams && r->is_sse;

	r->state = RELAY_PASS;
	if (r->answered != NULL)
		r->answered(r->answered_ctx);
	if (a->head_sent)
		return 0; /* by a heartbeat */
	if (r->bridge != NULL)
		type = a->streams ? EVENT_STREAM : "application/json";
	else if ((events || must_stream(r)) && !says_events(r))
		type = EVENT_STREAM;
	if (events || must_stream(r))
		length = -1;
	return answer_head(
	    a, r->head.status, type, r->head.fields, r->head.nfields, length);
}

/* ---- the sink --------------------------------------------------------- */

/* ---- what it is ------------------------------------------------------- */

enum beginning { BEGINS_OTHER, BEGINS_EVENTS, BEGINS_JSON, BEGINS_UNSAID };

/* As far as a body's first bytes tell. */
static enum beginning
beginning(struct span s)
{
	static const char *const fields[] = { "data", "event", "id", "retry" };
	static const char bom[] = "\xef\xbb\xbf";

	if (s.len < 3 && memcmp(s.p, bom, s.len) == 0)
		return BEGINS_UNSAID;
	if (s.len >= 3 && memcmp(s.p, bom, 3) == 0)
		s = (struct span){ s.p + 3, s.len - 3 };
	while (s.len > 0 && memchr(" \t\r\n", *s.p, 4) != NULL) {
		s.p++;
		s.len--;
	}
	if (s.len == 0)
		return BEGINS_UNSAID;
	if (*s.p == '{' || *s.p == '[')
		return BEGINS_JSON;
	if (*s.p == ':')
		return BEGINS_EVENTS;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		size_t n = strlen(fields[i]);

		if (memcmp(s.p, fields[i], n < s.len ? n : s.len) != 0)
			continue;
		if (s.len <= n)
			return BEGINS_UNSAID;
		if (s.p[n] == ':')
			return BEGINS_EVENTS;
	}
	return BEGINS_OTHER;
}

/* What it is, by its first bytes where events were asked for or are said to
 * come, else by its Content-Type.  -1: not what the client can be given. */
static int
decide(struct relay *r, enum beginning begins)
{
	r->decided = true;
	r->is_sse = begins == BEGINS_EVENTS ||
	    (begins != BEGINS_JSON && says_events(r));
	r->is_json =
	    begins == BEGINS_JSON || (begins == BEGINS_UNSAID && says_json(r));
	/* A bridge makes a whole response of a whole one only. */
	r->odd_stream = r->is_sse && r->bridge != NULL && !r->answer->streams;
	if (r->odd_stream) {
		r->state = RELAY_COLLECT;
		return -1;
	}
	if (r->is_sse)
		r->answer->at_boundary = true;
	if (r->is_sse || r->bridge != NULL || (r->is_json && must_stream(r)) ||
	    begins == BEGINS_UNSAID)
		return 0;
	r->no_stream = r->answer->head_early || must_stream(r);
	if (r->no_stream)
		r->state = RELAY_COLLECT;
	return r->no_stream ? -1 : 0;
}

static int
on_head(void *ctx, const struct http1_head *head)
{
	struct relay *r = ctx;

	/* The fields live in the arena, as long as the request. */
	r->head = *head;
	r->content_type =
	    answer_field(head->fields, head->nfields, "content-type").p;
	if (head->status < 200 || head->status > 299) {
		r->state = RELAY_COLLECT;
		r->held.max_bytes = ERROR_BYTES;
		return 0;
	}
	r->state = RELAY_HOLD;
	/* A page or a plain text may be an error with a good status. */
	r->holds_text = r->bridge == NULL && !says_events(r) &&
	    r->content_type != NULL &&
	    strncasecmp(r->content_type, "text/", 5) == 0;
	if (!r->answer->streams && !says_events(r)) {
		r->decided = true;
		r->is_json = says_json(r);
	}
	/* No comments into what may be no stream, nor a stream's head for
	 * it. */
	if (!says_events(r) && !must_stream(r) && r->bridge == NULL)
		r->answer->at_boundary = false;
	return 0;
}

/* Too large to be held until it is whole: its usage is read as it passes. */
static void
begin_scan(struct relay *r)
{
	r->scan = arena_alloc(r->arena, sizeof(*r->scan));
	usage_scan_init(r->scan, endpoint_spec(r->speaks)->usage);
	if (r->held.len > 0)
		usage_scan_push(r->scan, buf_span(&r->held));
}

static int
push_whole(struct relay *r, struct span bytes)
{
	if (r->state == RELAY_HOLD) {
		if ((r->is_json || r->holds_text) &&
		    r->held.len + bytes.len <= HOLD_BYTES) {
			buf_add(&r->held, bytes.p, bytes.len);
			return 0;
		}
		if (r->is_json)
			begin_scan(r);
		if (r->holds_text)
			redact(r->answer->config, r->held.p, r->held.len);
		r->holds_text = false;
		if (relay_commit(r, r->head.content_length) == -1)
			return -1;
		if (r->held.len > 0 &&
		    answer_body(r->answer, buf_span(&r->held)) == -1)
			return -1;
		buf_free(&r->held);
	}
	if (r->is_json)
		usage_scan_push(r->scan, bytes);
	return answer_body(r->answer, bytes);
}

static int
take(struct relay *r, struct span bytes)
{
	if (r->bridge != NULL && r->is_sse)
		return relay_push_bridged(r, bytes);
	if (r->is_sse)
		return relay_push_events(r, bytes);
	if (r->bridge == NULL && !must_stream(r))
		return push_whole(r, bytes);
	buf_add(&r->held, bytes.p, bytes.len);
	return 0;
}

/* Held back until its first bytes say what it is. */
static int
take_first(struct relay *r, struct span bytes)
{
	enum beginning begins;
	struct buf first;
	int rc;

	if (r->held.len == 0 && (begins = beginning(bytes)) != BEGINS_UNSAID)
		return decide(r, begins) == -1 ? -1 : take(r, bytes);
	buf_add(&r->held, bytes.p, bytes.len);
	begins = beginning(buf_span(&r->held));
	if (begins == BEGINS_UNSAID && r->held.len <= HOLD_BYTES)
		return 0;
	if (decide(r, begins) == -1)
		return -1;
	first = r->held;
	buf_init_charged(&r->held, first.max_bytes);
	rc = take(r, buf_span(&first));
	buf_free(&first);
	return rc;
}

static int
on_body(void *ctx, struct span bytes)
{
	struct relay *r = ctx;
	int rc;

	if (r->answer->ended || bytes.len == 0)
		return 0; /* behind the last event */
	if (r->state == RELAY_COLLECT) {
		buf_add(&r->held, bytes.p, bytes.len);
		return 0;
	}
	rc = r->decided ? take(r, bytes) : take_first(r, bytes);
	return relay_starved(r) ? -1 : rc;
}

bool
relay_starved(const struct relay *r)
{
	return buf_starved(&r->held) || buf_starved(&r->out) ||
	    (r->bridge != NULL && r->sse.starved);
}

static int
on_pause(void *ctx)
{
	struct relay *r = ctx;

	/* A whole answer leaves with the end, in one record. */
	if (r->state != RELAY_PASS || r->answer->ended ||
	    (!r->is_sse && r->head.content_length >= 0 &&
		r->answer->bytes_out >= (uint64_t)r->head.content_length))
		return 0;
	return answer_flush(r->answer);
}

/* Only event streams come in pieces that are worth the pump. */
static size_t
on_held(void *ctx)
{
	const struct relay *r = ctx;

	if (r->state != RELAY_PASS || !r->is_sse)
		return SIZE_MAX;
	return r->held.len + r->out.len;
}

struct upstream_sink
relay_sink(struct relay *r)
{
	return (struct upstream_sink){ on_head, on_body, on_pause, on_held, r };
}

/* ---- the end ---------------------------------------------------------- */

static enum relay_end
serve_bridged(struct relay *r)
{
	bool failed;

	relay_tell_usage(r);
	if (!r->done && !r->bridge_failed)
		relay_bridge_step(r,
		    r->is_sse ? bridge_end(r->bridge, &r->out)
			      : bridge_answer(
				    r->bridge, buf_span(&r->held), &r->out));
	failed = r->bridge_failed;
	if (failed && r->state == RELAY_HOLD && !r->bridge_good)
		return RELAY_FAILED;
	if (relay_pass_bridged(
		r, r->answer->streams ? -1 : (int64_t)r->out.len) == -1)
		return RELAY_GONE;
	answer_end(r->answer);
	return failed ? RELAY_CUT : RELAY_SERVED;
}

/* A whole answer where a stream was asked for: its events. */
static bool
make_stream(struct relay *r)
{
	if (r->is_json &&
	    restream(r->speaks, buf_span(&r->held),
		r->withhold_usage || !r->call->asks_usage, &r->out) == 0 &&
	    !buf_failed(&r->out) && !buf_failed(&r->held)) {
		struct buf held = r->held;

		r->held = r->out;
		r->out = held;
		return true;
	}
	r->no_stream = true;
	return false;
}

/* The exchange ended as HTTP says it should, with a good status: give the
 * client what is still held. */
static enum relay_end
serve_rest(struct relay *r)
{
	struct answer *a = r->answer;

	if (r->bridge != NULL)
		return serve_bridged(r);
	if (must_stream(r) && !r->is_sse && !make_stream(r))
		return RELAY_FAILED;
	if (r->state == RELAY_HOLD &&
	    relay_commit(r, (int64_t)r->held.len) == -1)
		return RELAY_GONE;
	if (r->held.len > 0 && !a->ended &&
	    answer_body(a, buf_span(&r->held)) == -1)
		return RELAY_GONE;
	answer_end(a);
	return RELAY_SERVED;
}

/* What the upstream calls an error the client has seen as it came: it has
 * only to be accounted. */
static void
ended_in_error(const struct relay *r, struct relay_result *result)
{
	if (!r->bridge_failed && !r->finish_failed &&
	    (!r->error_passed || r->done))
		return;
	result->end = RELAY_CUT;
	result->health = HEALTH_ERROR;
	result->refused.refusal = REFUSE_UPSTREAM;
}

/* Does this API end each stream in an event of its own?  (Not every chat
 * upstream sends [DONE].) */
static bool
always_says_last(enum endpoint endpoint)
{
	return endpoint == ENDPOINT_RESPONSES || endpoint == ENDPOINT_MESSAGES;
}

static bool
says(const struct relay *r, const char *name)
{
	return answer_field(r->head.fields, r->head.nfields, name).len > 0;
}

/* An answer that ends before it is complete; and a stream that lacks its last
 * event where that is always sent, or where nothing but the connection's end
 * frames it: it may have lost the rest. */
static bool
is_whole(const struct relay *r, const struct upstream_report *report)
{
	if (verdict_is_short(r, report->bytes_in))
		return false;
	if (!r->is_sse || r->done || r->error_passed)
		return true;
	if (r->bridge == NULL && always_says_last(r->speaks))
		return false;
	/* A coding has an end of its own. */
	return says(r, "content-length") || says(r, "transfer-encoding") ||
	    says(r, "content-encoding");
}

/* All of it has come: what is it, where that was not said before? */
static void
settle(struct relay *r)
{
	if (!r->decided && r->state == RELAY_HOLD)
		decide(r, BEGINS_UNSAID);
	if (r->is_sse)
		relay_end_events(r);
}

/* Before anybody reads an error, the keys in it are covered: bodies of every
 * status, and what may be an error in a good one.  What is too long to be held
 * is no error. */
static void
hide_keys(struct relay *r)
{
	struct buf *held = &r->held;

	if (r->state == RELAY_COLLECT || r->error_first || r->holds_text ||
	    (r->state == RELAY_HOLD && held->len > 0 &&
		held->len <= HOLD_BYTES &&
		(memmem(held->p, held->len, "rror", 4) != NULL ||
		    verdict_ends_badly(r->speaks, buf_span(held)))))
		redact(r->answer->config, held->p, held->len);
}

void
relay_finish(struct relay *r, const struct upstream_report *report,
    struct relay_result *result)
{
	memset(result, 0, sizeof(*result));
	result->health = HEALTH_OK;
	if (!r->answer->ended && !r->answer->gone &&
	    report->result == UPSTREAM_OK && r->state != RELAY_COLLECT)
		settle(r);
	hide_keys(r);
	if (r->scan != NULL)
		usage_scan_finish(r->scan, &r->usage);
	else if (r->state == RELAY_HOLD && r->is_json)
		verdict_look(r);
	if (r->error_whole)
		redact(r->answer->config, r->held.p, r->held.len);
	if (r->answer->ended) {
		result->end = RELAY_SERVED;
		ended_in_error(r, result);
		return;
	}
	if (r->answer->gone) {
		result->end = RELAY_GONE;
		result->health = HEALTH_ABANDONED;
		return;
	}
	if (report->result == UPSTREAM_OK && r->state != RELAY_COLLECT &&
	    !verdict_is_dressed(r) && is_whole(r, report)) {
		result->end = serve_rest(r);
		if (r->answer->ended)
			ended_in_error(r, result);
		if (r->answer->ended || result->end == RELAY_GONE)
			return;
	}
	verdict_judge(r, report, result);
	result->end = r->state == RELAY_PASS ? RELAY_CUT : RELAY_FAILED;
}

bool
relay_was_generated(const struct relay *r, const struct upstream_report *report)
{
	return r->head.status >= 200 && r->head.status <= 299 &&
	    report->bytes_in > 0 && !verdict_is_dressed(r);
}

static void
refuse_bridged(struct relay *r, const struct relay_result *result)
{
	struct answer *a = r->answer;
	bool whole = result->end == RELAY_FAILED && result->upstream_error &&
	    result->refused.refusal != REFUSE_TOO_LONG;
	int status = result->status;

	buf_reset(&r->out);
	if (a->head_sent && a->streams) {
		if (whole)
			bridge_fail_upstream(
			    r->bridge, status, buf_span(&r->held), &r->out);
		else
			bridge_fail(r->bridge, &result->refused, &r->out);
		answer_body(a, buf_span(&r->out));
		answer_end(a);
	} else if (!a->head_sent && whole) {
		bridge_error_body(
		    r->bridge, status, buf_span(&r->held), &r->out);
		answer_upstream_error(a, status, r->head.fields,
		    r->head.nfields, buf_span(&r->out), &result->refused);
	} else
		answer_refuse(a, &result->refused);
}

void
relay_refuse(struct relay *r, const struct relay_result *result)
{
	if (r->answer->ended)
		return;
	if (r->bridge != NULL)
		refuse_bridged(r, result);
	else if (result->end == RELAY_FAILED && result->upstream_error)
		answer_upstream_error(r->answer, result->status, r->head.fields,
		    r->head.nfields, buf_span(&r->held), &result->refused);
	else
		answer_refuse(r->answer, &result->refused);
}

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
#include "serve/relay.h"
#include "serve/verdict.h"

/* A JSON answer up to this size is looked at whole before it passes. */
#define HOLD_BYTES (64 * 1024)
/* An unfinished event over this size passes in pieces. */
#define TAIL_BYTES (256 * 1024)
/* What is kept of an upstream's error. */
#define ERROR_BYTES (256 * 1024)
/* What a bridge, which needs all of it, takes. */
#define BRIDGE_BYTES (32 * 1024 * 1024)
#define EVENT_BYTES (256 * 1024)
/* Where the last event tells all of it again, and the usage behind that. */
#define LONG_EVENT_BYTES (32 * 1024 * 1024)

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
	buf_init(&r->held, BRIDGE_BYTES);
	buf_init(&r->out, BRIDGE_BYTES);
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

/* ---- passing ---------------------------------------------------------- */

/* The client gets its head; from now on nothing else can be tried. */
static int
commit(struct relay *r, int64_t length)
{
	struct answer *a = r->answer;

	r->state = RELAY_PASS;
	if (r->answered != NULL)
		r->answered(r->answered_ctx);
	if (a->head_sent)
		return 0; /* by a heartbeat */
	if (a->streams && r->is_sse)
		length = -1;
	if (r->bridge == NULL)
		return answer_head(a, r->head.status, r->content_type,
		    r->head.fields, r->head.nfields, length);
	return answer_head(a, r->head.status,
	    a->streams ? "text/event-stream; charset=utf-8"
		       : "application/json",
	    r->head.fields, r->head.nfields, length);
}

static int
pass(struct relay *r, size_t upto)
{
	struct span part = { r->window.p + r->written, upto - r->written };

	r->written = upto;
	return part.len == 0 ? 0 : answer_body(r->answer, part);
}

/* ---- events ----------------------------------------------------------- */

static bool
is_last(enum endpoint endpoint, const struct sse_event *event)
{
	switch (endpoint) {
	case ENDPOINT_RESPONSES:
		return span_is(event->name, "response.completed") ||
		    span_is(event->name, "response.incomplete") ||
		    span_is(event->name, "response.failed");
	case ENDPOINT_MESSAGES:
		return span_is(event->name, "message_stop");
	default:
		return span_is(event->data, "[DONE]");
	}
}

static void
bridge_step(struct relay *r, enum bridge_step step)
{
	r->done |= step == BRIDGE_DONE;
	r->bridge_failed |= step == BRIDGE_FAILED;
}

/* One event, whole.  What the relay knows of a stream it learns here. */
static int
on_event(void *ctx, const struct sse_event *event)
{
	struct relay *r = ctx;
	size_t end = r->base + event->end;
	bool only_usage = false;

	if (r->events++ == 0 && verdict_is_error(event->name, event->data)) {
		r->error_first = true;
		buf_reset(&r->held);
		buf_add(&r->held, event->data.p, event->data.len);
		return -1;
	}
	if (usage_read(endpoint_spec(r->speaks)->usage, event->data, &r->usage))
		only_usage = verdict_is_only_usage(event->data);
	if (r->bridge != NULL) {
		if (event->data.len > 0)
			bridge_step(
			    r, bridge_event(r->bridge, event->data, &r->out));
		return 0;
	}
	if (r->withhold_usage && only_usage) {
		if (r->state == RELAY_PASS && pass(r, r->last_end) == -1)
			return -1;
		/* Skipped; what stood before it has been passed, or is the
		 * stream's beginning (an empty stream but for usage). */
		r->written = end;
	}
	r->last_end = end;
	r->error_passed |= verdict_is_error(event->name, event->data);
	if (is_last(r->speaks, event))
		r->done = true;
	return 0;
}

/* Keeps what was not passed of the window. */
static void
keep_rest(struct relay *r, bool held)
{
	struct span rest = { r->window.p + r->written,
		r->window.len - r->written };

	if (held)
		buf_drop(&r->held, r->written);
	else if (rest.len > 0)
		buf_add(&r->held, rest.p, rest.len);
	r->last_end = r->last_end > r->written ? r->last_end - r->written : 0;
	r->written = 0;
}

static int
push_events(struct relay *r, struct span bytes)
{
	struct answer *a = r->answer;
	bool held = r->held.len > 0, boundary;
	size_t upto;
	int rc;

	r->base = r->held.len;
	if (held) {
		buf_add(&r->held, bytes.p, bytes.len);
		r->window = buf_span(&r->held);
	} else
		r->window = bytes;
	rc = sse_push(&r->sse, bytes, on_event, r);
	if (rc != 0)
		return -1;
	boundary = sse_at_boundary(&r->sse);
	if (r->state == RELAY_HOLD && r->events == 0 &&
	    r->window.len <= TAIL_BYTES) {
		keep_rest(r, held);
		return 0;
	}
	if (r->state == RELAY_HOLD && commit(r, -1) == -1)
		return -1;
	upto = boundary ? r->window.len : r->last_end;
	if (r->window.len - upto > TAIL_BYTES)
		upto = r->window.len;
	if (upto > r->written && pass(r, upto) == -1)
		return -1;
	/* What stays behind changes nothing for the client: it may be in the
	 * middle of a long event still. */
	if (r->written > 0)
		a->at_boundary = r->written == r->window.len ? boundary : true;
	keep_rest(r, held);
	if (r->done) {
		answer_flush(a);
		answer_end(a);
	}
	return 0;
}

/* The client gets what the bridge has made so far. */
static int
pass_bridged(struct relay *r, int64_t length)
{
	if (r->out.len == 0)
		return 0;
	if (r->state == RELAY_HOLD && commit(r, length) == -1)
		return -1;
	if (answer_body(r->answer, buf_span(&r->out)) == -1)
		return -1;
	buf_reset(&r->out);
	return 0;
}

static int
push_bridged(struct relay *r, struct span bytes)
{
	if (!r->is_sse) {
		buf_add(&r->held, bytes.p, bytes.len);
		return 0;
	}
	if (sse_push(&r->sse, bytes, on_event, r) != 0)
		return -1;
	if (r->bridge_failed && r->state == RELAY_HOLD)
		return -1;
	if (pass_bridged(r, -1) == -1)
		return -1;
	if (r->done || r->bridge_failed) {
		answer_flush(r->answer);
		answer_end(r->answer);
	}
	return 0;
}

/* ---- the sink --------------------------------------------------------- */

static bool
starts_with(const char *text, const char *with)
{
	return text != NULL && strncasecmp(text, with, strlen(with)) == 0;
}

static int
on_head(void *ctx, const struct http1_head *head)
{
	struct relay *r = ctx;

	/* The fields live in the arena, as long as the request. */
	r->head = *head;
	r->content_type =
	    answer_field(head->fields, head->nfields, "content-type").p;
	r->is_sse = starts_with(r->content_type, "text/event-stream");
	r->is_json = starts_with(r->content_type, "application/json");
	if (head->status < 200 || head->status > 299) {
		r->state = RELAY_COLLECT;
		r->held.max_bytes = ERROR_BYTES;
		return 0;
	}
	if (r->answer->head_early && !r->is_sse && r->bridge == NULL) {
		r->no_stream = true;
		r->state = RELAY_COLLECT;
		return 0;
	}
	r->state = RELAY_HOLD;
	/* No comments into what is no stream, nor a stream's head for it. */
	if (!r->is_sse && r->bridge == NULL)
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
		if (r->is_json && r->held.len + bytes.len <= HOLD_BYTES) {
			buf_add(&r->held, bytes.p, bytes.len);
			return 0;
		}
		if (r->is_json)
			begin_scan(r);
		if (commit(r, r->head.content_length) == -1)
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
on_body(void *ctx, struct span bytes)
{
	struct relay *r = ctx;

	if (r->answer->ended)
		return 0; /* behind the last event */
	if (r->state == RELAY_COLLECT) {
		buf_add(&r->held, bytes.p, bytes.len);
		return 0;
	}
	if (r->bridge != NULL)
		return push_bridged(r, bytes);
	return r->is_sse ? push_events(r, bytes) : push_whole(r, bytes);
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

	bridge_step(r,
	    r->is_sse ? bridge_end(r->bridge, &r->out)
		      : bridge_answer(r->bridge, buf_span(&r->held), &r->out));
	failed = r->bridge_failed;
	if (failed && r->state == RELAY_HOLD)
		return RELAY_FAILED;
	if (pass_bridged(r, r->answer->streams ? -1 : (int64_t)r->out.len) ==
	    -1)
		return RELAY_GONE;
	answer_end(r->answer);
	return failed ? RELAY_CUT : RELAY_SERVED;
}

/* The exchange ended as HTTP says it should, with a good status: give the
 * client what is still held. */
static enum relay_end
serve_rest(struct relay *r)
{
	struct answer *a = r->answer;

	if (r->bridge != NULL)
		return serve_bridged(r);
	if (r->state == RELAY_HOLD && commit(r, (int64_t)r->held.len) == -1)
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
	if (!r->bridge_failed && (!r->error_passed || r->done))
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
	if (r->head.content_length >= 0)
		return true;
	return answer_field(
		   r->head.fields, r->head.nfields, "transfer-encoding")
		   .len > 0;
}

void
relay_finish(struct relay *r, const struct upstream_report *report,
    struct relay_result *result)
{
	memset(result, 0, sizeof(*result));
	result->health = HEALTH_OK;
	if (r->scan != NULL)
		usage_scan_finish(r->scan, &r->usage);
	else if (r->state == RELAY_HOLD && r->is_json)
		verdict_look(r);
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

static void
refuse_bridged(struct relay *r, const struct relay_result *result)
{
	struct answer *a = r->answer;
	bool whole = result->end == RELAY_FAILED && result->upstream_error;

	buf_reset(&r->out);
	if (a->head_sent && a->streams) {
		bridge_fail(r->bridge, &result->refused, &r->out);
		answer_body(a, buf_span(&r->out));
		answer_end(a);
	} else if (!a->head_sent && whole) {
		int status = r->head.status < 300 ? 502 : r->head.status;

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
		answer_upstream_error(r->answer,
		    r->head.status < 300 ? 502 : r->head.status, r->head.fields,
		    r->head.nfields, buf_span(&r->held), &result->refused);
	else
		answer_refuse(r->answer, &result->refused);
}

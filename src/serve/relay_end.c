/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The end of an exchange: hides how a response is found to be complete, and
 * what the client gets if it is not.  verdict.c judges what it means for the
 * provider.
 */
#include "config.h"

#include <string.h>

#include "base/find.h"
#include "base/task.h"
#include "config/redact.h"
#include "serve/relay_internal.h"
#include "serve/restream.h"
#include "serve/verdict.h"

static void
end_bridge(void *ctx)
{
	struct relay *r = ctx;

	if (r->is_sse && relay_bridge_complains(r)) {
		relay_bridge_fail(r, buf_span(&r->complaint));
		return;
	}
	relay_bridge_result(r,
	    r->is_sse
		? bridge_end(r->bridge, &r->out)
		: bridge_response(r->bridge, buf_span(&r->held), &r->out));
}

static enum relay_end
serve_bridged(struct relay *r)
{
	bool failed;

	relay_tell_usage(r);
	if (!r->done && !r->bridge_failed)
		task_work(r->is_sse ? r->response->bytes_out : r->held.len,
		    end_bridge, r);
	if (relay_lack(r) != MEMORY_ENOUGH)
		return RELAY_FAILED; /* what was received is not all */
	failed = r->bridge_failed;
	if (failed && r->state == RELAY_PEEK && !r->bridge_good)
		return RELAY_FAILED;
	if (relay_pass_bridged(
		r, r->response->streams ? -1 : (int64_t)r->out.len) == -1)
		return RELAY_GONE;
	response_end(r->response);
	return failed ? RELAY_CUT : RELAY_SERVED;
}

/* A whole response although a stream was asked for: makes its events. */
static void
make_stream(void *ctx)
{
	struct relay *r = ctx;

	r->no_stream = !r->is_json ||
	    restream(r->speaks, buf_span(&r->held),
		r->withhold_usage || !r->call->asks_usage, &r->out) != 0 ||
	    buf_failed(&r->out) || buf_failed(&r->held);
	if (!r->no_stream) {
		struct buf held = r->held;

		r->held = r->out;
		r->out = held;
	}
}

/* The exchange ended properly for HTTP, with a good status: sends the client
 * what is still held. */
static enum relay_end
serve_rest(struct relay *r)
{
	struct response *a = r->response;

	if (r->bridge != NULL)
		return serve_bridged(r);
	if (relay_must_stream(r) && !r->is_sse) {
		task_work(r->held.len, make_stream, r);
		if (r->no_stream)
			return RELAY_FAILED;
	}
	if (r->state == RELAY_PEEK &&
	    relay_commit(r, (int64_t)r->held.len) == -1)
		return RELAY_GONE;
	if (r->held.len > 0 && !a->ended &&
	    response_body(a, buf_span(&r->held)) == -1)
		return RELAY_GONE;
	response_end(a);
	return RELAY_SERVED;
}

/* The client has already seen what the upstream calls an error: it must only
 * be recorded. */
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
	return http1_find(r->head.fields, r->head.nfields, name).len > 0;
}

/* A response that ends before it is complete; and a stream without its last
 * event, if that is always sent, or if only the connection's end frames it:
 * it may have lost the rest. */
static bool
is_whole(const struct relay *r, const struct upstream_report *report)
{
	if (verdict_is_short(r, report->bytes_in))
		return false;
	if (!r->is_sse || r->done || r->error_passed || r->bridge_failed)
		return true;
	if (r->bridge == NULL && always_says_last(r->speaks))
		return false;
	/* A coding has an end of its own. */
	return says(r, "content-length") || says(r, "transfer-encoding") ||
	    says(r, "content-encoding");
}

/* All of it has come: decides what it is, if that was not known before. */
static void
settle(struct relay *r)
{
	if (!r->decided && r->state == RELAY_PEEK)
		relay_decide(r, RELAY_BEGINS_UNSAID);
	if (r->is_sse)
		relay_end_events(r);
}

/* Covers the keys in an error before anybody reads it: bodies of every bad
 * status, and what may be an error in a good one.  What is too long to be
 * held is not an error. */
static void
hide_keys(struct relay *r)
{
	struct buf *held = &r->held;

	if (r->state == RELAY_COLLECT || r->error_first || r->peeks_text ||
	    r->error_whole ||
	    (r->state == RELAY_PEEK && held->len > 0 &&
		held->len <= RELAY_PEEK_BYTES &&
		(r->finish_failed || find_says(buf_span(held), "rror"))))
		redact(&r->response->keys, held->p, held->len);
}

void
relay_finish(struct relay *r, const struct upstream_report *report,
    struct relay_result *result)
{
	memset(result, 0, sizeof(*result));
	result->health = HEALTH_OK;
	if (!r->response->ended && !r->response->gone &&
	    report->result == UPSTREAM_OK && r->state != RELAY_COLLECT)
		settle(r);
	if (r->scan != NULL)
		usage_scan_finish(r->scan, &r->usage);
	else if (r->state == RELAY_PEEK && r->is_json)
		verdict_look(r);
	r->finish_failed |= r->ending.failed;
	hide_keys(r);
	if (r->response->ended) {
		result->end = RELAY_SERVED;
		ended_in_error(r, result);
		return;
	}
	if (r->response->gone) {
		result->end = RELAY_GONE;
		result->health = HEALTH_ABANDONED;
		return;
	}
	if (report->result == UPSTREAM_OK && r->state != RELAY_COLLECT &&
	    !verdict_is_dressed(r) && is_whole(r, report)) {
		result->end = serve_rest(r);
		if (r->response->ended)
			ended_in_error(r, result);
		if (r->response->ended || result->end == RELAY_GONE)
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
	struct response *a = r->response;
	bool whole = result->end == RELAY_FAILED && result->upstream_error &&
	    result->refused.refusal != REFUSE_TOO_LONG;
	int status = result->status;

	/* In a stream, what the bridge made of the rest, perhaps its own
	 * error, comes before the end. */
	if (!a->head_sent || !a->streams || buf_failed(&r->out))
		buf_reset(&r->out);
	if (a->head_sent && a->streams) {
		if (whole)
			bridge_fail_upstream(
			    r->bridge, status, buf_span(&r->held), &r->out);
		else
			bridge_fail(r->bridge, &result->refused, &r->out);
		/* There is no memory even for that (Responses tells all of it
		 * again), or the bridge made its end before, when there was
		 * none for it. */
		if (buf_failed(&r->out) || r->out.len == 0) {
			a->cut = true;
			return;
		}
		response_body(a, buf_span(&r->out));
		response_end(a);
	} else if (!a->head_sent && whole) {
		bridge_error_body(
		    r->bridge, status, buf_span(&r->held), &r->out);
		response_upstream_error(a, status, r->head.fields,
		    r->head.nfields, buf_span(&r->out), &result->refused);
	} else
		response_refuse(a, &result->refused);
}

void
relay_refuse(struct relay *r, const struct relay_result *result)
{
	if (r->response->ended)
		return;
	if (r->bridge != NULL)
		refuse_bridged(r, result);
	else if (result->end == RELAY_FAILED && result->upstream_error)
		response_upstream_error(r->response, result->status,
		    r->head.fields, r->head.nfields, buf_span(&r->held),
		    &result->refused);
	else
		response_refuse(r->response, &result->refused);
}

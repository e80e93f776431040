/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides where an event ends and what it means while a stream passes: what is
 * withheld, what ends the stream, what goes to the bridge.  Nothing here
 * depends on how the events were split over reads.
 */
#include "config.h"

#include <string.h>

#include "base/find.h"
#include "base/task.h"
#include "config/redact.h"
#include "serve/relay_internal.h"
#include "serve/verdict.h"

/* An unfinished event over this size passes in pieces. */
#define TAIL_BYTES (256 * 1024)

/* ---- passing ---------------------------------------------------------- */

/* Passes the stream before `upto` that has not been dealt with. */
static int
pass(struct relay *r, uint64_t upto)
{
	size_t n;

	if (upto <= r->written)
		return 0;
	if (r->state == RELAY_PEEK && relay_commit(r, -1) == -1)
		return -1;
	n = (size_t)(upto - r->written);
	if (relay_pass_lines(r, (struct span){ r->window.p, n }) == -1)
		return -1;
	r->window.p += n;
	r->window.len -= n;
	r->written = upto;
	return 0;
}

/* Skips what the client must not see. */
static void
skip(struct relay *r, uint64_t upto)
{
	size_t n = (size_t)(upto - r->written);

	r->window.p += n;
	r->window.len -= n;
	r->written = upto;
}

/* ---- events ----------------------------------------------------------- */

static struct span
trim(struct span s)
{
	while (s.len > 0 && strchr(" \t", s.p[s.len - 1]) != NULL &&
	    s.p[s.len - 1] != '\0')
		s.len--;
	while (s.len > 0 && (*s.p == ' ' || *s.p == '\t')) {
		s.p++;
		s.len--;
	}
	return s;
}

static bool
is_last(enum endpoint endpoint, struct span name, struct span data)
{
	switch (endpoint) {
	case ENDPOINT_RESPONSES:
		return span_is(name, "response.completed") ||
		    span_is(name, "response.incomplete") ||
		    span_is(name, "response.failed");
	case ENDPOINT_MESSAGES:
		return span_is(name, "message_stop");
	default:
		return span_is(data, "[DONE]");
	}
}

void
relay_bridge_result(struct relay *r, enum bridge_result result)
{
	r->done |= result == BRIDGE_DONE;
	r->bridge_failed |= result == BRIDGE_FAILED;
	r->bridge_good |= result != BRIDGE_FAILED && r->out.len > 0;
}

void
relay_tell_usage(struct relay *r)
{
	const struct usage *u = &r->usage;

	if (u->reported)
		bridge_set_usage(r->bridge,
		    &(struct bridge_usage){ true, u->input, u->cached,
			u->cache_write, u->output, u->reasoning });
}

/* [DONE] with blanks around it: the SDKs want it without. */
static int
pass_clean_end(struct relay *r, const struct sse_event *event)
{
	static const char done[] = "data: [DONE]\n\n";

	if (event->begin < r->written)
		return 0;
	if (pass(r, event->begin) == -1)
		return -1;
	if (r->state == RELAY_PEEK && relay_commit(r, -1) == -1)
		return -1;
	skip(r, event->end);
	return response_body(
	    r->response, (struct span){ done, sizeof(done) - 1 });
}

/* Other events of these APIs repeat the request or the output. */
static bool
brings_output(enum endpoint endpoint, struct span name)
{
	static const char delta[] = "delta";
	size_t n = sizeof(delta) - 1;

	if (endpoint != ENDPOINT_RESPONSES && endpoint != ENDPOINT_MESSAGES)
		return true;
	return name.len >= n && memcmp(name.p + name.len - n, delta, n) == 0;
}

/* The response keeps the id that the client already knows. */
static int
rename_response(
    struct relay *r, const struct sse_event *event, struct span data)
{
	struct alive *alive = &r->response->alive;
	struct span old = alive_foreign_id(alive, data), raw, id;
	const char *at;
	uint64_t offset;

	if (old.len == 0 || event->begin < r->written)
		return 0;
	raw = (struct span){ r->window.p + (event->begin - r->written),
		(size_t)(event->end - event->begin) };
	if ((at = memmem(raw.p, raw.len, old.p, old.len)) == NULL)
		return 0;
	offset = event->begin + (uint64_t)(at - raw.p);
	id = span_of(alive_id(alive));
	if (pass(r, offset) == -1 || response_body(r->response, id) == -1)
		return -1;
	skip(r, offset + old.len);
	return 0;
}

/* What an event may mean, by the words in it; each is searched once. */
struct signs {
	bool choices;
	bool error; /* it, or its name, speaks of one */
	bool bad_end; /* chat: it ends with a failure */
	/* Could it be an error?  Only then is it searched for keys in each
	 * form.  In a chat, an event without choices could be one. */
	bool suspicious;
};

static struct signs
signs_of(enum endpoint speaks, struct span name, struct span data)
{
	bool chat = speaks == ENDPOINT_CHAT || speaks == ENDPOINT_COMPLETIONS;
	struct signs s = { .choices = chat && find_says(data, "\"choices\""),
		.error = find_says(data, "rror") || find_says(name, "rror"),
		.bad_end = verdict_ends_badly(speaks, data) };

	s.suspicious = s.error || s.bad_end ||
	    find_says(data, "\"incomplete_details\":{") ||
	    find_says(data, "\"incomplete_details\": {") ||
	    (chat && !s.choices && !span_is(data, "[DONE]"));
	return s;
}

/* Passes the event with its keys covered: 1: it has passed; 0: it contains
 * no key; -1: stop. */
static int
pass_covered(struct relay *r, const struct sse_event *event)
{
	struct buf copy;
	int rc = 0;

	if (event->begin < r->written)
		return 0;
	buf_init_charged(
	    &copy, (size_t)(event->end - event->begin), &r->memory);
	buf_add(&copy, r->window.p + (event->begin - r->written),
	    (size_t)(event->end - event->begin));
	if (buf_failed(&copy))
		rc = -1;
	else if (copy.p != NULL &&
	    redact(&r->response->keys, copy.p, copy.len)) {
		rc = pass(r, event->begin) == -1 ? -1 : 1;
		if (rc == 1 && r->state == RELAY_PEEK &&
		    relay_commit(r, -1) == -1)
			rc = -1;
		if (rc == 1 &&
		    response_body(r->response, buf_span(&copy)) == -1)
			rc = -1;
		if (rc == 1)
			skip(r, event->end);
	}
	buf_free(&copy);
	return rc;
}

struct bridging {
	struct relay *relay;
	struct span data;
};

static void
bridge_one(void *ctx)
{
	struct bridging *b = ctx;
	struct relay *r = b->relay;

	relay_bridge_result(r, bridge_event(r->bridge, b->data, &r->out));
}

static void
bridge_data(struct relay *r, struct span data)
{
	struct bridging b = { r, data };
	size_t bytes = data.len;

	/* The end of a stream may repeat all of it. */
	if (span_is(data, "[DONE]"))
		bytes += (size_t)r->response->bytes_out;
	task_work(bytes, bridge_one, &b);
}

/* A bridge reads the event with its keys covered. */
static void
bridge_covered(struct relay *r, struct span data)
{
	struct buf copy;

	buf_init_charged(&copy, data.len, &r->memory);
	buf_add(&copy, data.p, data.len);
	if (copy.p != NULL && !buf_failed(&copy)) {
		redact(&r->response->keys, copy.p, copy.len);
		bridge_data(r, buf_span(&copy));
	}
	buf_free(&copy);
}

static void
push_bridge(struct relay *r, struct span name, struct span data,
    const struct signs *signs)
{
	if (span_is(name, "error"))
		relay_bridge_fail(r, data);
	else if (is_last(r->speaks, name, data) && relay_bridge_complains(r))
		relay_bridge_fail(r, buf_span(&r->complaint));
	else if (data.len > 0 && signs->suspicious)
		bridge_covered(r, data);
	else if (data.len > 0)
		bridge_data(r, data);
}

/* One whole event.  All that the relay knows of a stream comes from here. */
static int
on_event(void *ctx, const struct sse_event *event)
{
	struct relay *r = ctx;
	struct span data = trim(event->data), name = event->name;
	bool only_usage = false;
	struct signs signs;
	int covered = 0;

	if (r->done || r->bridge_failed)
		return 0; /* after the end */
	signs = signs_of(r->speaks, name, data);
	relay_note_complaint(r, data, signs.choices);
	if (r->events == 0 && verdict_is_idle(r->speaks, name, data))
		return 0;
	if (relay_begins_as_error(r, event, is_last(r->speaks, name, data)))
		return -1;
	r->events++;
	if (usage_read(r->counts, data, &r->usage))
		only_usage = verdict_is_only_usage(data);
	if (r->bridge != NULL) {
		relay_tell_usage(r);
		push_bridge(r, name, data, &signs);
		return 0;
	}
	/* An event that began to pass passes as a whole. */
	if (r->withhold_usage && only_usage && event->begin >= r->written) {
		if (pass(r, event->begin) == -1)
			return -1;
		skip(r, event->end);
		return 0;
	}
	alive_note(&r->response->alive, data);
	if (signs.suspicious)
		covered = pass_covered(r, event);
	if (covered == -1 ||
	    (covered == 0 && rename_response(r, event, data) == -1))
		return -1;
	if (r->speaks == ENDPOINT_RESPONSES || r->speaks == ENDPOINT_MESSAGES)
		name = verdict_event_name(name, data);
	if (brings_output(r->speaks, name)) {
		r->deltas++;
		r->delta_bytes += event->end - event->begin;
	}
	r->error_passed |= signs.error && verdict_is_error(name, data);
	r->finish_failed |= signs.bad_end ||
	    (r->speaks == ENDPOINT_RESPONSES &&
		span_is(name, "response.failed"));
	if (!is_last(r->speaks, name, data))
		return 0;
	r->done = true;
	r->done_at = event->end;
	return data.len < event->data.len ? pass_clean_end(r, event) : 0;
}

/* Keeps what was not dealt with for the next push. */
static void
keep_rest(struct relay *r, bool held)
{
	if (r->window.len == 0) {
		if (held)
			buf_free(&r->held);
	} else if (held)
		buf_drop(&r->held, r->held.len - r->window.len);
	else
		buf_add(&r->held, r->window.p, r->window.len);
}

/* Passes what can go now: whole events, and the available part of an event
 * that is too long to be held. */
static uint64_t
passable(const struct relay *r)
{
	uint64_t upto = sse_open_at(&r->sse);

	if (r->done)
		return r->done_at;
	return r->sse.total - upto > TAIL_BYTES ? r->sse.total : upto;
}

static int
pass_events(struct relay *r)
{
	struct response *a = r->response;

	if (r->state == RELAY_PEEK && r->events == 0 &&
	    r->window.len <= TAIL_BYTES)
		return 0;
	if (r->state == RELAY_PEEK && relay_commit(r, -1) == -1)
		return -1;
	if (pass(r, passable(r)) == -1)
		return -1;
	/* Nothing that is left matters to the client. */
	a->at_boundary =
	    r->written < r->sse.total || sse_at_boundary(&r->sse) || r->done;
	return 0;
}

int
relay_push_events(struct relay *r, struct span bytes)
{
	bool held = r->held.len > 0;

	r->window = bytes;
	if (held) {
		buf_add(&r->held, bytes.p, bytes.len);
		if (buf_failed(&r->held))
			return -1; /* what follows would be incomplete */
		r->window = buf_span(&r->held);
	}
	if (sse_push(&r->sse, bytes, on_event, r) != 0 || pass_events(r) == -1)
		return -1;
	keep_rest(r, held);
	if (r->done) {
		response_flush(r->response);
		response_end(r->response);
	}
	return 0;
}

int
relay_pass_bridged(struct relay *r, int64_t length)
{
	if (r->out.len == 0)
		return 0;
	if (r->state == RELAY_PEEK && relay_commit(r, length) == -1)
		return -1;
	if (response_body(r->response, buf_span(&r->out)) == -1)
		return -1;
	buf_reset(&r->out);
	return 0;
}

int
relay_push_bridged(struct relay *r, struct span bytes)
{
	if (sse_push(&r->sse, bytes, on_event, r) != 0 ||
	    relay_lack(r) != MEMORY_ENOUGH)
		return -1;
	if (r->bridge_failed && r->state == RELAY_PEEK && !r->bridge_good)
		return -1;
	if (relay_pass_bridged(r, -1) == -1)
		return -1;
	if (r->done || r->bridge_failed) {
		response_flush(r->response);
		response_end(r->response);
	}
	return 0;
}

void
relay_end_events(struct relay *r)
{
	bool held = r->held.len > 0;

	if (r->error_first)
		return; /* held is its text */
	r->window = buf_span(&r->held);
	if (sse_finish(&r->sse, on_event, r) != 0)
		return;
	relay_end_complaint(r);
	if (r->error_first || r->bridge != NULL)
		return;
	if (r->done && pass(r, r->done_at) == 0)
		skip(r, r->sse.total);
	if (held)
		keep_rest(r, true);
}

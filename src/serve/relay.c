/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a response is judged while it passes: what it is, and when it may
 * go to the client (relay_events.c: event streams; relay_end.c: the end).  The
 * "relay" step of a request's way.
 */
#include "config.h"

#include <string.h>

#include "config/redact.h"
#include "serve/relay_internal.h"
#include "serve/restream.h"

/* What is kept of an upstream's error. */
#define ERROR_BYTES (256 * 1024)
/* The largest response for a bridge, which needs all of it. */
#define BRIDGE_BYTES (32 * 1024 * 1024)
#define EVENT_BYTES (256 * 1024)
/* If the last event repeats the whole response, followed by the usage. */
#define LONG_EVENT_BYTES (32 * 1024 * 1024)

#define EVENT_STREAM "text/event-stream; charset=utf-8"

void
relay_init(struct relay *r, struct response *a, const struct call *call,
    const struct candidate *candidate, struct bridge_run *bridge,
    struct arena *arena)
{
	memset(r, 0, sizeof(*r));
	r->response = a;
	a->at_boundary = true; /* nothing of an earlier one has passed */
	r->call = call;
	r->candidate = candidate;
	r->arena = arena;
	r->bridge = bridge;
	r->speaks = bridge != NULL ? ENDPOINT_CHAT : call->endpoint;
	r->counts = endpoint_spec(r->speaks)->usage;
	/* The same stream once more; it was counted the first time. */
	if (r->speaks == ENDPOINT_RESPONSES_GET && call->stream)
		r->speaks = ENDPOINT_RESPONSES;
	r->ending.endpoint = r->speaks;
	r->memory.share = a->memory == NULL ? NULL : a->memory->share;
	buf_init_charged(&r->held, BRIDGE_BYTES, &r->memory);
	buf_init_charged(&r->out, BRIDGE_BYTES, &r->memory);
	buf_init_charged(&r->complaint, RELAY_PEEK_BYTES, &r->memory);
	sse_init(&r->sse,
	    bridge != NULL || r->speaks == ENDPOINT_RESPONSES ||
		    endpoint_spec(r->speaks)->flags & ENDPOINT_IMAGES_OUT
		? LONG_EVENT_BYTES
		: EVENT_BYTES,
	    bridge != NULL ? &r->memory : &r->looking);
	usage_init(&r->usage);
}

void
relay_free(struct relay *r)
{
	bridge_free(r->bridge);
	buf_free(&r->held);
	buf_free(&r->out);
	buf_free(&r->complaint);
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

bool
relay_must_stream(const struct relay *r)
{
	return r->response->streams &&
	    (r->bridge != NULL || restream_can(r->speaks));
}

int
relay_commit(struct relay *r, int64_t length)
{
	struct response *a = r->response;
	const char *type = r->content_type;
	bool events = a->streams && r->is_sse;

	r->state = RELAY_PASS;
	if (r->answered != NULL)
		r->answered(r->answered_ctx);
	if (a->head_sent)
		return 0; /* by a heartbeat */
	if (r->bridge != NULL)
		type = a->streams ? EVENT_STREAM : "application/json";
	else if ((events || relay_must_stream(r)) && !says_events(r))
		type = EVENT_STREAM;
	if (events || relay_must_stream(r))
		length = -1;
	return response_head(
	    a, r->head.status, type, r->head.fields, r->head.nfields, length);
}

/* ---- what it is ------------------------------------------------------- */

/* Judging by a body's first bytes. */
static enum relay_beginning
beginning(struct span s)
{
	static const char *const fields[] = { "data", "event", "id", "retry" };
	static const char bom[] = "\xef\xbb\xbf";

	if (s.len < 3 && memcmp(s.p, bom, s.len) == 0)
		return RELAY_BEGINS_UNSAID;
	if (s.len >= 3 && memcmp(s.p, bom, 3) == 0)
		s = (struct span){ s.p + 3, s.len - 3 };
	while (s.len > 0 && memchr(" \t\r\n", *s.p, 4) != NULL) {
		s.p++;
		s.len--;
	}
	if (s.len == 0)
		return RELAY_BEGINS_UNSAID;
	if (*s.p == '{' || *s.p == '[')
		return RELAY_BEGINS_JSON;
	if (*s.p == ':')
		return RELAY_BEGINS_EVENTS;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		size_t n = strlen(fields[i]);

		if (memcmp(s.p, fields[i], n < s.len ? n : s.len) != 0)
			continue;
		if (s.len <= n)
			return RELAY_BEGINS_UNSAID;
		if (s.p[n] == ':')
			return RELAY_BEGINS_EVENTS;
	}
	return RELAY_BEGINS_OTHER;
}

int
relay_decide(struct relay *r, enum relay_beginning begins)
{
	r->decided = true;
	r->is_sse = begins == RELAY_BEGINS_EVENTS ||
	    (begins != RELAY_BEGINS_JSON && says_events(r));
	r->is_json = begins == RELAY_BEGINS_JSON ||
	    (begins == RELAY_BEGINS_UNSAID && says_json(r));
	/* A bridge makes a whole response only from a whole one. */
	r->odd_stream = r->is_sse && r->bridge != NULL && !r->response->streams;
	if (r->odd_stream) {
		r->state = RELAY_COLLECT;
		return -1;
	}
	if (r->is_sse)
		r->response->at_boundary = true;
	if (r->is_sse || r->bridge != NULL ||
	    (r->is_json && relay_must_stream(r)) ||
	    begins == RELAY_BEGINS_UNSAID)
		return 0;
	r->no_stream = r->response->head_early || relay_must_stream(r);
	if (r->no_stream)
		r->state = RELAY_COLLECT;
	return r->no_stream ? -1 : 0;
}

static int
on_head(void *ctx, const struct http1_head *head)
{
	struct relay *r = ctx;

	/* The fields are in the arena, as long as the request. */
	r->head = *head;
	r->content_type =
	    http1_find(head->fields, head->nfields, "content-type").p;
	if (head->status < 200 || head->status > 299) {
		r->state = RELAY_COLLECT;
		r->held.max_bytes = ERROR_BYTES;
		return 0;
	}
	r->state = RELAY_PEEK;
	/* An HTML page or a plain text may be an error with a good status. */
	r->peeks_text = r->bridge == NULL && !says_events(r) &&
	    r->content_type != NULL &&
	    strncasecmp(r->content_type, "text/", 5) == 0;
	if (!r->response->streams && !says_events(r)) {
		r->decided = true;
		r->is_json = says_json(r);
	}
	/* No comments, and no stream's head, for what may not be a stream. */
	if (!says_events(r) && !relay_must_stream(r) && r->bridge == NULL)
		r->response->at_boundary = false;
	return 0;
}

/* Too large to be held until it is whole: its usage and its end are read as
 * it passes. */
static void
scan(struct relay *r, struct span bytes)
{
	usage_scan_push(r->scan, bytes);
	ending_push(&r->ending, bytes);
}

static void
begin_scan(struct relay *r)
{
	r->scan = arena_alloc(r->arena, sizeof(*r->scan));
	usage_scan_init(r->scan, r->counts);
	if (r->held.len > 0)
		scan(r, buf_span(&r->held));
}

static int
push_whole(struct relay *r, struct span bytes)
{
	if (r->state == RELAY_PEEK) {
		if ((r->is_json || r->peeks_text) &&
		    r->held.len + bytes.len <= RELAY_PEEK_BYTES) {
			buf_add(&r->held, bytes.p, bytes.len);
			return 0;
		}
		if (r->is_json)
			begin_scan(r);
		if (r->peeks_text)
			redact(&r->response->keys, r->held.p, r->held.len);
		r->peeks_text = false;
		if (relay_commit(r, r->head.content_length) == -1)
			return -1;
		if (r->held.len > 0 &&
		    response_body(r->response, buf_span(&r->held)) == -1)
			return -1;
		buf_free(&r->held);
	}
	if (r->is_json)
		scan(r, bytes);
	return response_body(r->response, bytes);
}

static int
take(struct relay *r, struct span bytes)
{
	if (r->bridge != NULL && r->is_sse)
		return relay_push_bridged(r, bytes);
	if (r->is_sse)
		return relay_push_events(r, bytes);
	if (r->bridge == NULL && !relay_must_stream(r))
		return push_whole(r, bytes);
	buf_add(&r->held, bytes.p, bytes.len);
	return 0;
}

/* Held back until its first bytes show what it is. */
static int
take_first(struct relay *r, struct span bytes)
{
	enum relay_beginning begins;
	struct buf first;
	int rc;

	if (r->held.len == 0 &&
	    (begins = beginning(bytes)) != RELAY_BEGINS_UNSAID)
		return relay_decide(r, begins) == -1 ? -1 : take(r, bytes);
	buf_add(&r->held, bytes.p, bytes.len);
	if (buf_failed(&r->held))
		return -1;
	begins = beginning(buf_span(&r->held));
	if (begins == RELAY_BEGINS_UNSAID && r->held.len <= RELAY_PEEK_BYTES)
		return 0;
	if (relay_decide(r, begins) == -1)
		return -1;
	first = r->held;
	buf_init_charged(&r->held, first.max_bytes, &r->memory);
	rc = take(r, buf_span(&first));
	buf_free(&first);
	return rc;
}

static int
on_body(void *ctx, struct span bytes)
{
	struct relay *r = ctx;
	int rc;

	if (r->response->ended || bytes.len == 0)
		return 0; /* after the last event */
	if (r->state == RELAY_COLLECT) {
		buf_add(&r->held, bytes.p, bytes.len);
		return 0;
	}
	rc = r->decided ? take(r, bytes) : take_first(r, bytes);
	return relay_lack(r) != MEMORY_ENOUGH ? -1 : rc;
}

enum memory_lack
relay_lack(const struct relay *r)
{
	return r->memory.lack != MEMORY_ENOUGH || r->bridge == NULL
	    ? r->memory.lack
	    : bridge_lack(r->bridge);
}

static int
on_pause(void *ctx)
{
	struct relay *r = ctx;

	/* A whole response is sent with the end, in one record. */
	if (r->state != RELAY_PASS || r->response->ended ||
	    (!r->is_sse && r->head.content_length >= 0 &&
		r->response->bytes_out >= (uint64_t)r->head.content_length))
		return 0;
	return response_flush(r->response);
}

struct upstream_sink
relay_sink(struct relay *r)
{
	return (struct upstream_sink){ on_head, on_body, on_pause, r };
}

/* ---- the end ---------------------------------------------------------- */

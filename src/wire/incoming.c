/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides that a response is framed and may be coded: the sink gets its head and
 * its decoded body.  Between upstream.c, which reads the bytes, and the relay.
 */
#include "config.h"

#include <string.h>

#include "wire/incoming.h"

void
incoming_fail(
    struct incoming *in, enum upstream_result result, const char *detail)
{
	in->over = true;
	in->ended = result;
	in->detail = detail;
}

static int
give_body(void *ctx, struct span bytes)
{
	struct incoming *in = ctx;

	in->bytes += bytes.len;
	in->dirty = true;
	return in->sink->body(in->sink->ctx, bytes);
}

/* Is it coded?  Then its length differs from what we pass on. */
static int
begin_coding(struct incoming *in, struct http1_head *head)
{
	for (size_t i = 0; i < head->nfields; i++) {
		const struct http1_field *f = &head->fields[i];

		if (!span_is_nocase(f->name, "content-encoding") ||
		    f->value.len == 0 || span_is_nocase(f->value, "identity"))
			continue;
		/* Nested codings are not supported. */
		if (in->coding != NULL ||
		    (in->coding = coding_new(f->value)) == NULL) {
			incoming_fail(in, UPSTREAM_BAD,
			    arena_printf(in->arena,
				"content coding %.64s, which was not requested",
				f->value.p));
			return -1;
		}
		head->content_length = -1;
	}
	return 0;
}

static int
on_head(void *ctx, const struct http1_head *said)
{
	struct incoming *in = ctx;
	struct http1_head head = *said;

	if (begin_coding(in, &head) == -1)
		return -1;
	return in->sink->head(in->sink->ctx, &head);
}

static int
on_body(void *ctx, struct span bytes)
{
	struct incoming *in = ctx;
	int rc;

	in->body_seen = true;
	if (in->coding == NULL)
		return give_body(in, bytes);
	rc = coding_push(in->coding, bytes, give_body, in);
	if (rc == -1)
		incoming_fail(in, UPSTREAM_BAD, "its content coding is broken");
	return rc;
}

void
incoming_init(
    struct incoming *in, const struct upstream_sink *sink, struct arena *arena)
{
	struct http1_sink parts = { on_head, on_body, in };

	memset(in, 0, sizeof(*in));
	in->sink = sink;
	in->arena = arena;
	http1_init(&in->http, arena, &parts);
}

void
incoming_free(struct incoming *in)
{
	coding_free(in->coding);
}

static void
ended_well(struct incoming *in)
{
	in->over = true;
	in->ended = UPSTREAM_OK;
	if (in->coding != NULL && in->body_seen && !coding_ended(in->coding))
		incoming_fail(
		    in, UPSTREAM_CUT, "its content coding lacks its end");
}

void
incoming_push(struct incoming *in, struct span bytes)
{
	switch (http1_push(&in->http, bytes)) {
	case HTTP1_MORE:
		break;
	case HTTP1_DONE:
		ended_well(in);
		break;
	case HTTP1_BAD:
		incoming_fail(in, UPSTREAM_BAD, in->http.error);
		break;
	case HTTP1_STOPPED:
		in->stopped = !in->over;
	}
}

void
incoming_end(struct incoming *in, bool clean)
{
	if (clean && http1_ends(&in->http))
		ended_well(in);
	else
		incoming_fail(in, UPSTREAM_CUT,
		    in->http.bytes == 0
			? "closed before it answered"
			: "closed in the middle of its response");
}

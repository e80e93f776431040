/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how an upstream's response is framed: where a head ends (http1_head.c
 * reads it), lengths, chunks, trailers.  upstream.c pushes the bytes it read;
 * the relay sees only the content.
 */
#include "config.h"

#include <string.h>

#include "base/hex.h"
#include "wire/http1_internal.h"

#define SIZE_DIGITS_MAX 15
#define EXTENSION_MAX 4096 /* bytes after a chunk's size */

void
http1_init(struct http1 *h, struct arena *arena, const struct http1_sink *sink)
{
	memset(h, 0, sizeof(*h));
	h->arena = arena;
	h->sink = *sink;
}

enum http1_result
http1_bad(struct http1 *h, const char *error)
{
	h->error = error;
	return HTTP1_BAD;
}

/* ---- where a head ends ------------------------------------------------ */

/* How many of the bytes are up to and with the blank line that ends a head or
 * a trailer; 0: it is not among them. */
static size_t
find_blank(struct http1 *h, struct span in)
{
	size_t at = 0, n;
	const char *lf;

	while ((lf = memchr(in.p + at, '\n', in.len - at)) != NULL) {
		bool cr = h->line_cr;
		size_t line = h->line_len;

		n = (size_t)(lf - (in.p + at));
		if (n > 0)
			cr = line == 0 && n == 1 && in.p[at] == '\r';
		line += n;
		at += n + 1;
		h->line_len = 0;
		h->line_cr = false;
		if (line == 0 || (line == 1 && cr))
			return at;
	}
	n = in.len - at;
	if (n > 0)
		h->line_cr = h->line_len == 0 && n == 1 && in.p[at] == '\r';
	h->line_len += n;
	return 0;
}

static bool
count_head(struct http1 *h, size_t n)
{
	h->head_bytes += n;
	return h->head_bytes <= HTTP1_HEAD_MAX;
}

static void
keep_head(struct http1 *h, struct span bytes)
{
	size_t need = h->head_len + bytes.len;

	if (need > h->head_room) {
		size_t room = h->head_len == 0 ? need : 2 * need;
		char *head = arena_alloc(h->arena, room);

		if (h->head_len > 0)
			memcpy(head, h->head, h->head_len);
		h->head = head;
		h->head_room = room;
	}
	memcpy(h->head + h->head_len, bytes.p, bytes.len);
	h->head_len = need;
}

/* Recognises what is not HTTP before a blank line comes, if one ever does. */
static bool
begins_well(const struct http1 *h)
{
	static const char begin[] = "HTTP/1.";
	size_t n = sizeof(begin) - 1;

	return memcmp(h->head, begin, h->head_len < n ? h->head_len : n) == 0;
}

static enum http1_result
take_head(struct http1 *h, struct span *in)
{
	size_t end = find_blank(h, *in), n = end == 0 ? in->len : end;

	if (!count_head(h, n))
		return http1_bad(h, "head over 64 KiB");
	keep_head(h, (struct span){ in->p, n });
	in->p += n;
	in->len -= n;
	if (!begins_well(h))
		return http1_bad(h, "no HTTP/1 status line");
	return end == 0 ? HTTP1_MORE : http1_read_head(h);
}

/* ---- the body --------------------------------------------------------- */

static enum http1_result
give(struct http1 *h, struct span *in, size_t n)
{
	struct span part = { in->p, n };

	in->p += n;
	in->len -= n;
	return h->sink.body(h->sink.ctx, part) == 0 ? HTTP1_MORE
						    : HTTP1_STOPPED;
}

/* Of a length or a chunk; `then` is what comes after it. */
static enum http1_result
take_left(struct http1 *h, struct span *in, enum http1_state then)
{
	size_t n = in->len < h->left ? in->len : (size_t)h->left;

	h->left -= n;
	if (h->left == 0) {
		h->state = then;
		h->digits = 0;
	}
	return give(h, in, n);
}

static char
next_byte(struct span *in)
{
	in->len--;
	return *in->p++;
}

static enum http1_result
take_size(struct http1 *h, struct span *in)
{
	while (in->len > 0) {
		int digit = hex_value(*in->p);

		if (digit == -1) {
			if (h->digits == 0 ||
			    memchr("\r\n; \t", *in->p, 5) == NULL)
				return http1_bad(h, "a chunk without a size");
			h->state = HTTP1_IN_EXTENSION;
			h->digits = 0;
			return HTTP1_MORE;
		}
		if (++h->digits > SIZE_DIGITS_MAX)
			return http1_bad(h, "a chunk of absurd size");
		h->left = h->left << 4 | (unsigned)digit;
		next_byte(in);
	}
	return HTTP1_MORE;
}

static enum http1_result
take_extension(struct http1 *h, struct span *in)
{
	while (in->len > 0) {
		if (next_byte(in) == '\n') {
			h->state =
			    h->left == 0 ? HTTP1_IN_TRAILER : HTTP1_IN_CHUNK;
			h->line_len = 0;
			h->line_cr = false;
			return HTTP1_MORE;
		}
		if (++h->digits > EXTENSION_MAX)
			return http1_bad(
			    h, "a chunk's extension without an end");
	}
	return HTTP1_MORE;
}

static enum http1_result
take_chunk_end(struct http1 *h, struct span *in)
{
	while (in->len > 0) {
		char c = next_byte(in);

		if (c == '\n') {
			h->state = HTTP1_IN_SIZE;
			h->left = h->digits = 0;
			return HTTP1_MORE;
		}
		if (c != '\r' || ++h->digits > 1)
			return http1_bad(h, "a chunk longer than it says");
	}
	return HTTP1_MORE;
}

/* The content of a trailer is ignored. */
static enum http1_result
take_trailer(struct http1 *h, struct span *in)
{
	size_t end = find_blank(h, *in), n = end == 0 ? in->len : end;

	if (!count_head(h, n))
		return http1_bad(h, "head over 64 KiB");
	in->p += n;
	in->len -= n;
	if (end != 0)
		h->state = HTTP1_AT_END;
	return HTTP1_MORE;
}

static enum http1_result
take(struct http1 *h, struct span *in)
{
	switch (h->state) {
	case HTTP1_IN_HEAD:
		return take_head(h, in);
	case HTTP1_IN_LENGTH:
		return take_left(h, in, HTTP1_AT_END);
	case HTTP1_IN_SIZE:
		return take_size(h, in);
	case HTTP1_IN_EXTENSION:
		return take_extension(h, in);
	case HTTP1_IN_CHUNK:
		return take_left(h, in, HTTP1_IN_CHUNK_END);
	case HTTP1_IN_CHUNK_END:
		return take_chunk_end(h, in);
	case HTTP1_IN_TRAILER:
		return take_trailer(h, in);
	case HTTP1_TO_CLOSE:
		return give(h, in, in->len);
	case HTTP1_AT_END:
		break;
	}
	return HTTP1_DONE;
}

enum http1_result
http1_push(struct http1 *h, struct span in)
{
	enum http1_result result = HTTP1_MORE;

	h->bytes += in.len;
	while (in.len > 0 && result == HTTP1_MORE && h->state != HTTP1_AT_END)
		result = take(h, &in);
	if (result != HTTP1_MORE || h->state != HTTP1_AT_END)
		return result;
	if (in.len > 0)
		h->keeps = false; /* bytes that belong to no response */
	return HTTP1_DONE;
}

bool
http1_ends(const struct http1 *h)
{
	return h->state == HTTP1_TO_CLOSE || h->state == HTTP1_AT_END;
}

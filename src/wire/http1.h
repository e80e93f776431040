/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A response in HTTP/1.1 (RFC 9112), as a push parser: bytes go in as they
 * come, the head and the pieces of the body come out.  No I/O.  It is strict if
 * two readers could disagree about the end of a response (lengths that differ,
 * transfer codings it does not know, no colon, a NUL), and lenient if upstreams
 * are sloppy and nothing is lost: bare LF, folded lines (left out), no reason
 * phrase.
 *
 * libcurl makes and keeps the connections, but does not use HTTP on them: its
 * own HTTP takes 70,000 instructions for a request and its response, a third of
 * all that a request costs the gateway.
 */
#ifndef WIRE_HTTP1_H
#define WIRE_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/span.h"

/* Of a head; what comes after is read for framing and not kept. */
#define HTTP1_FIELDS_MAX 1024
#define HTTP1_HEAD_MAX (64 * 1024) /* of all heads and the trailer together */

struct http1_field { /* one header field; both end in a NUL */
	struct span name, value;
};

struct http1_head {
	int status; /* 200..599: 1xx responses are skipped */
	const struct http1_field *fields;
	size_t nfields;
	int64_t content_length; /* -1: not given, or not used for framing */
};

/* Functions return 0, or -1: stop. */
struct http1_sink {
	int (*head)(void *ctx, const struct http1_head *);
	int (*body)(void *ctx, struct span);
	void *ctx;
};

enum http1_result {
	HTTP1_MORE, /* the response goes on */
	HTTP1_DONE, /* it is complete */
	HTTP1_BAD, /* this is no HTTP/1; error says why */
	HTTP1_STOPPED, /* the sink said so */
};

enum http1_state {
	HTTP1_IN_HEAD,
	HTTP1_IN_LENGTH,
	HTTP1_IN_SIZE,
	HTTP1_IN_EXTENSION,
	HTTP1_IN_CHUNK,
	HTTP1_IN_CHUNK_END,
	HTTP1_IN_TRAILER,
	HTTP1_TO_CLOSE, /* the connection's end is the body's */
	HTTP1_AT_END,
};

struct http1 {
	struct arena *arena;
	struct http1_sink sink;
	const char *error; /* for HTTP1_BAD */
	uint64_t bytes; /* pushed: 0 means that no response has begun */
	bool keeps; /* DONE: the connection can be used again */

	/* The parser's own. */
	enum http1_state state;
	char *head;
	size_t head_len, head_room;
	size_t head_bytes; /* of all heads */
	size_t line_len; /* of the line that is not finished, */
	bool line_cr; /* which is "\r" */
	bool chunked;
	uint64_t left; /* of the body or the chunk */
	unsigned digits; /* of a chunk's size, then bytes after it */
};

/* The head that the sink's head() gets is in the arena. */
void http1_init(struct http1 *, struct arena *, const struct http1_sink *);
/* After DONE it ignores further bytes, except that they make `keeps` false. */
enum http1_result http1_push(struct http1 *, struct span);
/* The connection has ended: is the response complete? */
bool http1_ends(const struct http1 *);

/* The first field of this name; an empty span: there is none. */
struct span
http1_find(const struct http1_field *, size_t nfields, const char *name);
/* Retry-After in seconds or as a date (RFC 9110 section 10.2.3), up to a day;
 * 0: none that can be read.  Values are terminated, as http1 makes them. */
int64_t http1_retry_after_ms(const struct http1_field *, size_t nfields);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides zlib.  Between upstream.c and the relay, for the few responses that
 * need it.
 */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/task.h"
#include "wire/coding.h"

#define OUT_BYTES 16384
#define ANY_HEADER (MAX_WBITS + 32) /* gzip's or zlib's */
#define HEADER_BYTES 2

struct coding {
	z_stream z;
	bool begun, ended;
	unsigned char first[HEADER_BYTES]; /* until there are so many */
	size_t nfirst;
};

static void *
take_memory(void *ctx, unsigned n, unsigned bytes)
{
	(void)ctx;
	return memory_alloc((size_t)n * bytes);
}

static void
give_memory(void *ctx, void *p)
{
	(void)ctx;
	free(p);
}

struct coding *
coding_new(struct span name)
{
	struct coding *c;

	if (!span_is_nocase(name, "gzip") && !span_is_nocase(name, "x-gzip") &&
	    !span_is_nocase(name, "deflate"))
		return NULL;
	c = memory_zero(sizeof(*c));
	c->z.zalloc = take_memory;
	c->z.zfree = give_memory;
	if (inflateInit2(&c->z, ANY_HEADER) != Z_OK)
		fatal("zlib does not start: %s",
		    c->z.msg == NULL ? "no reason given" : c->z.msg);
	return c;
}

void
coding_free(struct coding *c)
{
	if (c == NULL)
		return;
	inflateEnd(&c->z);
	free(c);
}

/* Some servers send "deflate" without zlib's header (RFC 1950 2.2, RFC 1952
 * 2.3). */
static bool
has_header(const unsigned char *p)
{
	return (p[0] == 0x1f && p[1] == 0x8b) ||
	    ((p[0] & 0x0f) == Z_DEFLATED && (p[0] << 8 | p[1]) % 31 == 0);
}

/* Gives out() the decoded bytes. */
static int
inflate_all(struct coding *c, struct span bytes,
    int (*out)(void *ctx, struct span), void *ctx)
{
	unsigned char text[OUT_BYTES];
	int rc;

	c->z.next_in = (Bytef *)bytes.p;
	c->z.avail_in = (uInt)bytes.len;
	/* Bytes after the end are ignored. */
	while (!c->ended) {
		struct span part = { (char *)text, 0 };

		c->z.next_out = text;
		c->z.avail_out = sizeof(text);
		rc = inflate(&c->z, Z_NO_FLUSH);
		c->ended = rc == Z_STREAM_END;
		/* Bytes before a broken place count, as if that place came
		 * with a later read. */
		part.len = sizeof(text) - c->z.avail_out;
		if (part.len > 0 && out(ctx, part) != 0)
			return 1;
		/* A few bytes may expand to very many. */
		task_breathe();
		if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
			return -1;
		if (c->z.avail_out > 0)
			break; /* the input is used up */
	}
	return 0;
}

int
coding_push(struct coding *c, struct span bytes,
    int (*out)(void *ctx, struct span), void *ctx)
{
	struct span first = { (const char *)c->first, HEADER_BYTES };
	int rc;

	while (!c->begun && bytes.len > 0 && c->nfirst < HEADER_BYTES) {
		c->first[c->nfirst++] = (unsigned char)*bytes.p++;
		bytes.len--;
	}
	if (!c->begun && c->nfirst < HEADER_BYTES)
		return 0;
	if (!c->begun) {
		c->begun = true;
		if (!has_header(c->first) &&
		    inflateReset2(&c->z, -MAX_WBITS) != Z_OK)
			return -1;
		if ((rc = inflate_all(c, first, out, ctx)) != 0)
			return rc;
	}
	return inflate_all(c, bytes, out, ctx);
}

bool
coding_ended(const struct coding *c)
{
	return c->ended;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The SSE splitter: every stream is pushed whole, byte by byte and cut in two
 * at each place, and must give the same events each time.
 */
#include "config.h"

#include <stdlib.h>

#include "check.h"
#include "wire/sse.h"

struct seen {
	struct buf text;
	const char *base;
	size_t base_len;
	size_t in_place, last_end;
	int stop_at, count;
};

static int
see(void *ctx, const struct sse_event *e)
{
	struct seen *s = ctx;

	buf_add(&s->text, e->name.p, e->name.len);
	buf_puts(&s->text, "=");
	buf_add(&s->text, e->data.p, e->data.len);
	buf_puts(&s->text, e->cut ? "~|" : "|");
	if (s->base != NULL && e->data.p >= s->base &&
	    e->data.p + e->data.len <= s->base + s->base_len)
		s->in_place++;
	s->last_end = e->end;
	return ++s->count == s->stop_at ? 7 : 0;
}

static void
push_all(struct sse *s, struct seen *seen, const char *stream, size_t first,
    size_t piece)
{
	size_t len = strlen(stream), at = 0;

	while (at < len) {
		size_t n = at == 0 ? first : piece;
		char *copy;

		if (n > len - at)
			n = len - at;
		/* In memory of its own, so that a stale span is seen. */
		copy = malloc(n);
		memcpy(copy, stream + at, n);
		sse_push(s, (struct span){ copy, n }, see, seen);
		memset(copy, '#', n);
		free(copy);
		at += n;
	}
}

static bool
gives(const char *stream, size_t cap, size_t first, size_t piece,
    const char *want, bool boundary)
{
	struct seen seen = { .stop_at = 0 };
	struct sse s;
	bool ok;

	buf_init(&seen.text, 1 << 20);
	buf_puts(&seen.text, "");
	sse_init(&s, cap, NULL);
	push_all(&s, &seen, stream, first, piece);
	ok = strcmp(seen.text.p, want) == 0 && sse_at_boundary(&s) == boundary;
	if (!ok)
		printf(
		    "# first %zu piece %zu: %s\n", first, piece, seen.text.p);
	sse_free(&s);
	buf_free(&seen.text);
	return ok;
}

static void
try_stream(const char *what, const char *stream, size_t cap, const char *want,
    bool boundary)
{
	bool ok = gives(stream, cap, strlen(stream), 1, want, boundary) &&
	    gives(stream, cap, 1, 1, want, boundary);

	for (size_t cut = 1; ok && cut < strlen(stream); cut++)
		ok = gives(stream, cap, cut, strlen(stream), want, boundary);
	CHECK(ok, "%s, however it is cut", what);
}

static void
test_streams(void)
{
	try_stream("LF", "data: a\n\ndata: b\n\n", 100, "=a|=b|", true);
	try_stream(
	    "CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", 100, "=a|=b|", true);
	try_stream("CR", "data: a\r\rdata: b\r\r", 100, "=a|=b|", true);
	try_stream("mixed ends", "data: a\r\n\ndata: b\n\r\ndata: c\r\n\r\n",
	    100, "=a|=b|=c|", true);
	try_stream("half a line end waits for the other half",
	    "data: a\r\n\r\ndata: b\r\n\r", 100, "=a|", false);
	try_stream("but not where lines end in CR alone",
	    "data: a\r\rdata: b\r\r", 100, "=a|=b|", true);
	try_stream("BOM",
	    "\xef\xbb\xbf"
	    "data: a\n\n",
	    100, "=a|", true);
	try_stream("a BOM alone in its line",
	    "\xef\xbb\xbf\n"
	    "data: a\n\n",
	    100, "=a|", true);
	try_stream("a second BOM is no BOM",
	    "data: a\n\n\xef\xbb\xbf"
	    "data: b\n\n",
	    100, "=a|", true);
	try_stream("names",
	    "event: x\ndata: 1\n\nevent:y\ndata:2\n\ndata: 3\n\n", 100,
	    "x=1|y=2|=3|", true);
	try_stream("lines of data", "data: a\ndata\ndata:\ndata:  b\n\n", 100,
	    "=a\n\n\n b|", true);
	try_stream("comments and other fields",
	    ": hi\n\nid: 1\nretry: 5\ndata: a\n: more\n\n:\n\n", 100, "=a|",
	    true);
	try_stream("an event without data is none", "event: x\n\ndata: a\n\n",
	    100, "=a|", true);
	try_stream(
	    "empty data is data", "data:\n\ndata\n\n", 100, "=|=|", true);
	try_stream("near names", "datax: 1\nxdata: 2\nDATA: 3\n data: 4\n\n",
	    100, "", true);
	try_stream("unfinished", "data: a\n\ndata: b\n", 100, "=a|", false);
	try_stream("unfinished line", "data: a\n\nda", 100, "=a|", false);
	try_stream("over the cap", "data: 0123456789\n\ndata: b\n\n", 4,
	    "=0123~|=b|", true);
	try_stream("over the cap by lines", "data: 01\ndata: 23\ndata: 4\n\n",
	    4, "=01\n2~|", true);
	try_stream("a comment over the cap",
	    ": 0123456789012345678901234567890123456789012345678901234567890"
	    "123456789012345678901234567890123456789\n\ndata: b\n\n",
	    4, "=b|", true);
	try_stream("a long name",
	    "event: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "\ndata: b\n\n",
	    100, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=b|",
	    true);
}

static void
test_places(void)
{
	static const char stream[] = ": c\n\ndata: one\n\ndata: two\r\n\r\nda";
	struct seen seen = { .base = stream, .base_len = sizeof(stream) - 1 };
	struct sse s;

	buf_init(&seen.text, 1000);
	sse_init(&s, 1000, NULL);
	CHECK(sse_at_boundary(&s), "a stream begins between two events");
	sse_push(&s, span_of(stream), see, &seen);
	CHECK(seen.in_place == 2, "whole events are handed out in place");
	CHECK(seen.last_end == sizeof(stream) - 3,
	    "an event ends behind its blank line");
	CHECK(!sse_at_boundary(&s), "a begun line is no boundary");
	sse_push(&s, span_of("ta: three\n"), see, &seen);
	CHECK(sse_finish(&s, see, &seen) == 0 && seen.count == 3,
	    "the end hands out what lacks a blank line");
	CHECK_STR(seen.text.p, "=one|=two|=three|", "and nothing else");
	sse_free(&s);

	sse_init(&s, 1000, NULL);
	seen.count = 0;
	seen.stop_at = 2;
	CHECK(sse_push(&s, span_of("data: 1\n\ndata: 2\n\ndata: 3\n\n"), see,
		  &seen) == 7 &&
		seen.count == 2,
	    "a callback ends the push");
	sse_free(&s);
	buf_free(&seen.text);
}

int
main(void)
{
	test_streams();
	test_places();
	return check_done();
}

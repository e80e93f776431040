/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * wire/http1: each response is pushed whole, and again cut in two at every
 * place; the result is the same.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "check.h"
#include "wire/http1.h"

/* The result as one text: "200 length|name=value|...|body". */
struct seen {
	struct buf text;
	int stop_head, stop_body;
};

static int
on_head(void *ctx, const struct http1_head *head)
{
	struct seen *s = ctx;

	buf_printf(&s->text, "%d %lld|", head->status,
	    (long long)head->content_length);
	for (size_t i = 0; i < head->nfields; i++) {
		const struct http1_field *f = &head->fields[i];

		if (f->name.p[f->name.len] != '\0' ||
		    f->value.p[f->value.len] != '\0')
			buf_puts(&s->text, "(no NUL)");
		buf_printf(&s->text, "%s=%s|", f->name.p, f->value.p);
	}
	return s->stop_head;
}

static int
on_body(void *ctx, struct span bytes)
{
	struct seen *s = ctx;

	buf_add(&s->text, bytes.p, bytes.len);
	return s->stop_body;
}

struct outcome {
	enum http1_result result;
	bool keeps, ends;
	char text[2048];
	char error[80];
};

/* Pushed in two pieces, or byte by byte (cut: SIZE_MAX). */
static void
parse(const char *response, size_t len, size_t cut, struct outcome *out)
{
	struct arena *arena = arena_new();
	struct seen seen = { .stop_head = 0 };
	struct http1_sink sink = { on_head, on_body, &seen };
	struct http1 h;
	size_t at = 0;

	buf_init(&seen.text, 1024 * 1024);
	http1_init(&h, arena, &sink);
	out->result = HTTP1_MORE;
	while (at < len && out->result == HTTP1_MORE) {
		size_t n = cut == SIZE_MAX ? 1 : at < cut ? cut : len - at;
		char *copy;

		if (n > len - at)
			n = len - at;
		/* In memory of its own, so that a read past the end is seen. */
		copy = malloc(n);
		memcpy(copy, response + at, n);
		out->result = http1_push(&h, (struct span){ copy, n });
		free(copy);
		at += n;
	}
	out->keeps = h.keeps;
	out->ends = http1_ends(&h);
	snprintf(out->text, sizeof(out->text), "%s",
	    seen.text.p == NULL ? "" : seen.text.p);
	snprintf(out->error, sizeof(out->error), "%s",
	    h.error == NULL ? "" : h.error);
	buf_free(&seen.text);
	arena_free(arena);
}

struct example {
	const char *what, *response, *text;
	enum http1_result result;
	bool keeps, ends;
	const char *error;
};

#define HEAD "HTTP/1.1 200 OK\r\n"

static const struct example examples[] = {
	{ "a length", HEAD "Content-Length: 5\r\n\r\nhello",
	    "200 5|Content-Length=5|hello", HTTP1_DONE, true, true, "" },
	{ "no body", HEAD "Content-Length: 0\r\n\r\n",
	    "200 0|Content-Length=0|", HTTP1_DONE, true, true, "" },
	{ "less than the length", HEAD "Content-Length: 6\r\n\r\nhello",
	    "200 6|Content-Length=6|hello", HTTP1_MORE, true, false, "" },
	{ "more than the length", HEAD "Content-Length: 4\r\n\r\nhello",
	    "200 4|Content-Length=4|hell", HTTP1_DONE, true, true, "" },
	{ "the same length twice",
	    HEAD "content-length: 2\r\nCONTENT-LENGTH: 2, 2\r\n\r\nhi",
	    "200 2|content-length=2|CONTENT-LENGTH=2, 2|hi", HTTP1_DONE, true,
	    true, "" },
	{ "two lengths",
	    HEAD "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi", "",
	    HTTP1_BAD, false, false, "an invalid Content-Length" },
	{ "two lengths in one", HEAD "Content-Length: 2, 3\r\n\r\nhi", "",
	    HTTP1_BAD, false, false, "an invalid Content-Length" },
	{ "a length below nothing", HEAD "Content-Length: -2\r\n\r\nhi", "",
	    HTTP1_BAD, false, false, "an invalid Content-Length" },
	{ "a length with a sign", HEAD "Content-Length: +2\r\n\r\nhi", "",
	    HTTP1_BAD, false, false, "an invalid Content-Length" },
	{ "a length beyond counting",
	    HEAD "Content-Length: 99999999999999999999\r\n\r\n", "", HTTP1_BAD,
	    false, false, "an invalid Content-Length" },
	{ "no length that says anything", HEAD "Content-Length:\r\n\r\n", "",
	    HTTP1_BAD, false, false, "an invalid Content-Length" },
	{ "until the connection's end", HEAD "A: b\r\n\r\nhello",
	    "200 -1|A=b|hello", HTTP1_MORE, false, true, "" },
	{ "chunks",
	    HEAD "Transfer-Encoding: Chunked\r\n\r\n"
		 "5\r\nhello\r\n00A;x=\"1\"\r\n, it is me\r\n0\r\n\r\n",
	    "200 -1|Transfer-Encoding=Chunked|hello, it is me", HTTP1_DONE,
	    true, true, "" },
	{ "chunks, and a trailer",
	    HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"
		 "X-Sum: 1\r\nX-Late: 2\r\n\r\n",
	    "200 -1|Transfer-Encoding=chunked|hi", HTTP1_DONE, true, true, "" },
	{ "chunks with bare LF",
	    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nhi\n0\n\n",
	    "200 -1|Transfer-Encoding=chunked|hi", HTTP1_DONE, true, true, "" },
	{ "chunks beside a length",
	    HEAD "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "2\r\nhi\r\n0\r\n\r\n",
	    "200 -1|Content-Length=1|Transfer-Encoding=chunked|hi", HTTP1_DONE,
	    false, true, "" },
	{ "chunks without their end",
	    HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n",
	    "200 -1|Transfer-Encoding=chunked|hi", HTTP1_MORE, true, false,
	    "" },
	{ "a chunk longer than it says",
	    HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhi!\r\n0\r\n\r\n",
	    "200 -1|Transfer-Encoding=chunked|hi", HTTP1_BAD, true, false,
	    "a chunk longer than it says" },
	{ "a chunk without a size",
	    HEAD "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
	    "200 -1|Transfer-Encoding=chunked|", HTTP1_BAD, true, false,
	    "a chunk without a size" },
	{ "a chunk with another size",
	    HEAD "Transfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n0\r\n\r\n",
	    "200 -1|Transfer-Encoding=chunked|", HTTP1_BAD, true, false,
	    "a chunk without a size" },
	{ "chunks under HTTP/1.0",
	    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
	    "200 -1|Connection=keep-alive|Transfer-Encoding=chunked|hi",
	    HTTP1_DONE, false, true, "" },
	{ "a CR alone", HEAD "A: b\r\r\nContent-Length: 2\r\n\r\nhi", "",
	    HTTP1_BAD, false, false, "a CR alone in its head" },
	{ "a chunk of absurd size",
	    HEAD "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
	    "200 -1|Transfer-Encoding=chunked|", HTTP1_BAD, true, false,
	    "a chunk of absurd size" },
	{ "another transfer coding",
	    HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n", "", HTTP1_BAD,
	    false, false, "a Transfer-Encoding that is not chunked" },
	{ "chunked twice",
	    HEAD "Transfer-Encoding: chunked\r\n"
		 "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	    "", HTTP1_BAD, false, false,
	    "a Transfer-Encoding that is not chunked" },
	{ "no transfer coding",
	    HEAD "Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi",
	    "200 2|Transfer-Encoding=identity|Content-Length=2|hi", HTTP1_DONE,
	    true, true, "" },
	{ "to be closed",
	    HEAD "Connection: x, Close\r\nContent-Length: 2\r\n\r\nhi",
	    "200 2|Connection=x, Close|Content-Length=2|hi", HTTP1_DONE, false,
	    true, "" },
	{ "HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
	    "200 2|Content-Length=2|hi", HTTP1_DONE, false, true, "" },
	{ "HTTP/1.0 that is kept",
	    "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n"
	    "Content-Length: 2\r\n\r\nhi",
	    "200 2|Connection=Keep-Alive|Content-Length=2|hi", HTTP1_DONE, true,
	    true, "" },
	{ "heads before the head",
	    "HTTP/1.1 102 Processing\r\n\r\n"
	    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n"
	    "Content-Length: 9\r\n\r\n"
	    "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi",
	    "200 2|Content-Length=2|hi", HTTP1_DONE, true, true, "" },
	{ "another protocol", "HTTP/1.1 101 Switching\r\n\r\n", "", HTTP1_BAD,
	    false, false, "another protocol, which was not requested" },
	{ "a status that has no body",
	    "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
	    "204 5|Content-Length=5|", HTTP1_DONE, true, true, "" },
	{ "white space around values",
	    HEAD "A:  b c \t\r\nEmpty:\r\nB:x\r\nContent-Length: 0\r\n\r\n",
	    "200 0|A=b c|Empty=|B=x|Content-Length=0|", HTTP1_DONE, true, true,
	    "" },
	{ "folded lines are left out",
	    HEAD "A: b\r\n  c\r\nContent-Length: 0\r\n\r\n",
	    "200 0|A=b|Content-Length=0|", HTTP1_DONE, true, true, "" },
	{ "a line without a colon", HEAD "what is this\r\n\r\n", "", HTTP1_BAD,
	    false, false, "a header line without a name and a colon" },
	{ "a line without a name", HEAD ": x\r\n\r\n", "", HTTP1_BAD, false,
	    false, "a header line without a name and a colon" },
	{ "a space before the colon", HEAD "Content-Length : 2\r\n\r\nhi", "",
	    HTTP1_BAD, false, false, "a space before a header's colon" },
	{ "another version", "HTTP/2 200 OK\r\n\r\n", "", HTTP1_BAD, false,
	    false, "no HTTP/1 status line" },
	{ "no status", "HTTP/1.1 OK\r\n\r\n", "", HTTP1_BAD, false, false,
	    "no HTTP/1 status line" },
	{ "a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", "", HTTP1_BAD,
	    false, false, "no HTTP/1 status line" },
	{ "a status beyond 599", "HTTP/1.1 600 OK\r\n\r\n", "", HTTP1_BAD,
	    false, false, "no HTTP/1 status line" },
	{ "the same, far", "HTTP/1.1 999 OK\r\n\r\n", "", HTTP1_BAD, false,
	    false, "no HTTP/1 status line" },
	{ "another service", "SSH-2.0-x", "", HTTP1_BAD, false, false,
	    "no HTTP/1 status line" },
	{ "an empty line first", "\r\nHTTP/1.1 200 OK\r\n\r\n", "", HTTP1_BAD,
	    false, false, "no HTTP/1 status line" },
	{ "a head that does not end", HEAD "A: b\r\n", "", HTTP1_MORE, false,
	    false, "" },
};

static bool
as_expected(const struct example *e, const struct outcome *o)
{
	return o->result == e->result && strcmp(o->text, e->text) == 0 &&
	    o->ends == e->ends && strcmp(o->error, e->error) == 0;
}

static void
test_example(const struct example *e)
{
	size_t len = strlen(e->response), cut;
	struct outcome o;

	parse(e->response, len, len, &o);
	CHECK(as_expected(e, &o) &&
		(o.keeps == e->keeps || e->result != HTTP1_DONE ||
		    strstr(e->what, "more than") != NULL),
	    "%s: %d \"%s\" %d %d %s", e->what, (int)o.result, o.text, o.keeps,
	    o.ends, o.error);
	for (cut = 1; cut < len; cut++) {
		parse(e->response, len, cut, &o);
		if (!as_expected(e, &o))
			break;
	}
	CHECK(cut >= len, "%s, cut at byte %zu of %zu", e->what, cut, len);
	parse(e->response, len, SIZE_MAX, &o);
	CHECK(as_expected(e, &o), "%s, byte by byte", e->what);
}

/* Bytes after a response's end belong to nobody: the connection can't be used
 * again. */
static void
test_behind(void)
{
	static const char response[] =
	    HEAD "Content-Length: 2\r\n\r\nhiHTTP/1.1 500 No\r\n\r\n";
	struct outcome o;

	parse(response, sizeof(response) - 1, sizeof(response) - 1, &o);
	CHECK(o.result == HTTP1_DONE && !o.keeps, "bytes behind the end");
}

static void
test_nul(void)
{
	static const char response[] = HEAD "A: b\0c\r\n\r\n";
	struct outcome o;

	parse(response, sizeof(response) - 1, 4, &o);
	CHECK(
	    o.result == HTTP1_BAD && strcmp(o.error, "a NUL in its head") == 0,
	    "a NUL in a head");
}

/* A head of n lines. */
static void
parse_lines(const char *line, size_t n, struct outcome *out)
{
	struct buf b;

	buf_init(&b, 1024 * 1024);
	buf_puts(&b, HEAD);
	for (size_t i = 0; i < n; i++)
		buf_puts(&b, line);
	buf_puts(&b, "Content-Length: 0\r\n\r\n");
	parse(b.p, b.len, 1000, out);
	buf_free(&b);
}

static void
test_caps(void)
{
	static char line[70000];
	struct outcome o;

	for (size_t n = 199; n < 10000; n = 7 * n + 1) {
		parse_lines("A: b\r\n", n, &o);
		CHECK(o.result == HTTP1_DONE,
		    "%zu fields, and the Content-Length after them", n);
	}
	memset(line, 'x', sizeof(line) - 1);
	memcpy(line, "A: ", 3);
	memcpy(line + 60000, "\r\n", 3);
	parse_lines(line, 1, &o);
	CHECK(o.result == HTTP1_DONE, "a long line");
	memset(line + 60000, 'x', 6000);
	memcpy(line + 66000, "\r\n", 3);
	parse_lines(line, 1, &o);
	CHECK(o.result == HTTP1_BAD && strcmp(o.error, "head over 64 KiB") == 0,
	    "a head over its cap");
	parse_lines("HTTP/1.1 100 Continue\r\n\r\n", 1, &o);
	CHECK(o.result == HTTP1_BAD, "a status line among the fields");
}

static void
test_many_heads(void)
{
	struct outcome o;
	struct buf b;

	buf_init(&b, 1024 * 1024);
	for (int i = 0; i < 4000; i++)
		buf_puts(&b, "HTTP/1.1 100 Continue\r\n\r\n");
	parse(b.p, b.len, 1000, &o);
	CHECK(o.result == HTTP1_BAD && strcmp(o.error, "head over 64 KiB") == 0,
	    "heads without end");
	buf_reset(&b);
	buf_puts(&b, HEAD "Transfer-Encoding: chunked\r\n\r\n1;");
	for (int i = 0; i < 5000; i++)
		buf_puts(&b, "x");
	parse(b.p, b.len, 1000, &o);
	CHECK(o.result == HTTP1_BAD, "a chunk's extension without end");
	buf_free(&b);
}

/* The sink stops it, in the head and in the body. */
static void
test_stop(void)
{
	static const char response[] = HEAD "Content-Length: 5\r\n\r\nhello";
	struct arena *arena = arena_new();
	struct seen seen = { .stop_head = -1 };
	struct http1_sink sink = { on_head, on_body, &seen };
	struct http1 h;

	buf_init(&seen.text, 1024);
	http1_init(&h, arena, &sink);
	CHECK(http1_push(&h, span_of(response)) == HTTP1_STOPPED,
	    "stopped by the head");
	seen.stop_head = 0;
	seen.stop_body = -1;
	http1_init(&h, arena, &sink);
	CHECK(http1_push(&h, span_of(response)) == HTTP1_STOPPED,
	    "stopped by the body");
	buf_free(&seen.text);
	arena_free(arena);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
		test_example(&examples[i]);
	test_behind();
	test_nul();
	test_caps();
	test_many_heads();
	test_stop();
	return check_done();
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The form scanner: a well-formed form gives its parts, and one that two
 * parsers could read differently is refused.
 */
#include "config.h"

#include <stdlib.h>

#include "base/buf.h"
#include "check.h"
#include "wire/multipart.h"

#define PART(name) "Content-Disposition: form-data; name=\"" name "\"\r\n"
#define FILE_FORM                                              \
	"--b0\r\nContent-Disposition: form-data; name=\"f\"; " \
	"filename=\"%s\"\r\n\r\n1\r\n--b0--"

struct seen {
	struct buf text;
	struct span body, form;
	bool offsets_ok;
	int response;
};

static int
see(void *ctx, const struct multipart_part *p)
{
	struct seen *s = ctx;

	buf_add(&s->text, p->name.p, p->name.len);
	buf_puts(&s->text, p->file ? "@" : "=");
	buf_add(&s->text, p->content.p, p->content.len);
	buf_puts(&s->text, "|");
	if (s->body.p + p->offset != p->content.p)
		s->offsets_ok = false;
	return s->response;
}

static int
scan(struct span body, const char *boundary, struct seen *s, const char **error)
{
	/* Exactly as long as the body, so that a read past the end is seen. */
	char *copy = malloc(body.len == 0 ? 1 : body.len);
	int result;

	memcpy(copy, body.p, body.len);
	s->body = (struct span){ copy, body.len };
	s->offsets_ok = true;
	buf_init(&s->text, 1 << 20);
	buf_puts(&s->text, "");
	result =
	    multipart_scan(s->body, span_of(boundary), see, s, &s->form, error);
	free(copy);
	return result;
}

static void
good(const char *what, const char *body, const char *want)
{
	struct seen s = { .response = 0 };
	const char *error = NULL;
	int r = scan(span_of(body), "b0", &s, &error);

	CHECK(r == 0 && s.offsets_ok, "%s: %s", what, error ? error : "ok");
	CHECK_STR(s.text.p, want, "%s: its parts", what);
	buf_free(&s.text);
}

/* The part of a body that is the form itself. */
static void
sent(const char *what, const char *body, const char *want)
{
	struct span boundary = span_of("b0"), form;
	struct seen s = { .response = 0 };
	const char *error = NULL;

	s.body = span_of(body);
	buf_init(&s.text, 1 << 20);
	CHECK(multipart_scan(s.body, boundary, see, &s, &form, &error) == 0 &&
		span_is(form, want),
	    "%s", what);
	buf_free(&s.text);
}

static void
bad(const char *body, const char *want)
{
	struct seen s = { .response = 0 };
	const char *error = NULL;
	int r = scan(span_of(body), "b0", &s, &error);

	CHECK(r == -1, "refused: %s", want);
	CHECK_STR(error, want, "it says so");
	buf_free(&s.text);
}

static void
test_good(void)
{
	good("one field", "--b0\r\n" PART("model") "\r\nm\r\n--b0--\r\n",
	    "model=m|");
	good("no line end behind the last boundary",
	    "--b0\r\n" PART("a") "\r\n1\r\n--b0--", "a=1|");
	good("preamble and epilogue",
	    "hi\r\n--b0\r\n" PART("a") "\r\n1\r\n--b0--\r\n--b0\r\nno", "a=1|");
	sent("nothing around it is sent",
	    "hi\r\n--b0\r\n" PART("a") "\r\n1\r\n--b0-- \t\r\nbye",
	    "--b0\r\n" PART("a") "\r\n1\r\n--b0--");
	sent("but its own last line end",
	    "--b0\r\n" PART("a") "\r\n1\r\n--b0--\r\n--b0\r\nbye",
	    "--b0\r\n" PART("a") "\r\n1\r\n--b0--\r\n");
	good("a file between fields",
	    "--b0\r\n" PART(
		"a") "\r\n1\r\n--b0\r\nContent-Disposition: "
		     "form-data; name=\"file\"; filename=\"x\\\".wav\"\r\n"
		     "Content-Type: "
		     "audio/wav\r\n\r\nRI\r\nFF--b0\r\n\r\n--b0\r\n"
		     "content-disposition:form-data;NAME=model\r\n\r\nm\r\n--"
		     "b0--\r\n",
	    "a=1|file@RI\r\nFF--b0\r\n|model=m|");
	good("empty content", "--b0\r\n" PART("a") "\r\n\r\n--b0--\r\n", "a=|");
	good("padding", "--b0 \t\r\n" PART("a") "\r\n1\r\n--b0-- \r\n", "a=1|");
	good("no parts at all", "--b0--\r\n", "");
	good("kept escapes", "--b0\r\n" PART("a\\\"\\\\%22") "\r\n1\r\n--b0--",
	    "a\\\"\\\\%22=1|");
	good("half boundaries in content",
	    "--b0\r\n" PART("a") "\r\n\r\n-\r\n--\r\n--b\r\n-b0\r\n--b0--",
	    "a=\r\n-\r\n--\r\n--b\r\n-b0|");
}

/* A file name may have semicolons, and words behind them. */
static void
test_semicolons(void)
{
	static const char *const names[] = { "Minutes; names of guests.pdf",
		"Smith; filenames.txt", "a; name.txt", "a;name", "a; filename",
		"a; name 1.txt", "a; name*", "a; names=b", "a; rename=b" };
	static const char *const refused[] = { "a; name=b", "a;NAME=b",
		"a; filename=b", "a;; name=b", "a; \tname \t=b", "a; name*=b",
		"a; name*0=b", "a; name*12*=b", "a; filename*=b",
		"a; filename*0*=b", "a; name\\\"=b", "a; name\\\\=b",
		"a; name'=b", "a; name\v=b", "a; names; name=b", "a; name=" };
	char form[256];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(form, sizeof(form), FILE_FORM, names[i]);
		good(names[i], form, "f@1|");
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		snprintf(form, sizeof(form), FILE_FORM, refused[i]);
		bad(form, "a part with a name within another");
	}
}

static void
test_bad(void)
{
	bad("", "the form is empty");
	bad("x", "the form has no final boundary");
	bad("--b0", "the form ends after a boundary");
	bad("--b0\r\n", "the form ends inside a part's headers");
	bad("--b0\r\n\r\n1\r\n--b0--", "a part without a name");
	bad("--b0\r\n" PART("a") "\r\n1", "the form has no final boundary");
	bad("--b0\r\n" PART("a") "\r\n1\r\n--b",
	    "the form has no final boundary");
	bad("--b0\r\n" PART("a") "\r\n1\r\n--b0",
	    "the form ends after a boundary");
	bad("--b0\r\n" PART("a") "\r\n1\r\n--b0x\r\n",
	    "bytes after a boundary");
	bad("--b0\r\n" PART("a") "\r\n1\r\n--b0--x\r\n",
	    "bytes after a boundary");
	bad("--b0\r\n" PART("a") "\r\n1\n--b0\r\n" PART(
		"model") "\r\nm\r\n--b0--",
	    "a boundary after a bare line end");
	bad("--b0\r\n" PART("a") "\r\n1\r--b0--",
	    "a boundary after a bare line end");
	bad("x\n--b0\r\n" PART("a") "\r\n1\r\n--b0--",
	    "a boundary after a bare line end");
	bad("--b0\n" PART("a") "\r\n1\r\n--b0--", "bytes after a boundary");
	bad("--b0\r\n" PART("a") "--b0--",
	    "the form ends inside a part's headers");
	bad("--b0\r\n" PART("a") "\r\n--b0--", "a part without content");
	bad("--b0\r\n" PART("a") PART("b") "\r\n1\r\n--b0--",
	    "a part with two Content-Disposition headers");
	bad("--b0\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\n"
	    "1\r\n--b0--",
	    "a part with two names");
	bad("--b0\r\nContent-Disposition: form-data; name*=utf-8''a\r\n\r\n"
	    "1\r\n--b0--",
	    "a part with an encoded name");
	bad("--b0\r\nContent-Disposition: form-data; name*=a; name=b\r\n\r\n"
	    "1\r\n--b0--",
	    "a part with an encoded name");
	bad("--b0\r\nContent-Disposition: form-data; name*0=mod; name*1=el; "
	    "name=x\r\n\r\n1\r\n--b0--",
	    "a part with an encoded name");
	bad("--b0\r\nContent-Disposition: form-data; NAME*0*=a; name=x\r\n\r\n"
	    "1\r\n--b0--",
	    "a part with an encoded name");
	bad("--b0\r\nContent-Disposition: form-data; "
	    "name=\"=?utf-8?B?bW9kZWw=?=\"\r\n\r\n1\r\n--b0--",
	    "a part with an encoded name");
	bad("--b0\r\nContent-Disposition: form-data; name=\"x\"; "
	    "filename=\"a; name=model; b\"\r\n\r\n1\r\n--b0--",
	    "a part with a name within another");
	bad("--b0\r\nContent-Disposition: form-data; "
	    "name=\"x\\\"; NAME=\\\"model\"\r\n\r\n1\r\n--b0--",
	    "a part with a name within another");
	bad("--b0\r\nContent-Disposition: attachment; "
	    "name=a\r\n\r\n1\r\n--b0--",
	    "a part that is not form-data");
	bad("--b0\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b0--",
	    "a part without a name");
	bad("--b0\r\nContent-Disposition: form-data; name=\"mo\\del\"\r\n\r\n"
	    "1\r\n--b0--",
	    "a malformed Content-Disposition header");
	bad("--b0\r\nContent-Disposition: form-data; "
	    "name=\"a\r\n\r\n1\r\n--b0--",
	    "a malformed Content-Disposition header");
	bad("--b0\r\nContent-Disposition: form-data;\r\n name=a\r\n\r\n"
	    "1\r\n--b0--",
	    "a part without a name");
	bad("--b0\r\n" PART("a") " folded: x\r\n\r\n1\r\n--b0--",
	    "a folded part header");
	bad("--b0\r\n" PART("a") "X: a\nY: b\r\n\r\n1\r\n--b0--",
	    "a malformed part header");
	bad("--b0\r\n" PART("a") "X : a\r\n\r\n1\r\n--b0--",
	    "a malformed part header");
	bad("--b0\r\n" PART("a") "Content-Transfer-Encoding: base64\r\n\r\n"
				 "bQ==\r\n--b0--",
	    "a part with a transfer encoding");
}

/* Many parts, long headers, and a good form cut short at every place. */
static void
test_limits(void)
{
	static const char form[] = "--b0\r\n" PART(
	    "a") "\r\n1\r\n--b0\r\n" PART("b") "X-Y: z\r\n\r\n2\r\n--b0--";
	struct seen s = { .response = 0 };
	const char *error;
	struct buf b;
	bool all = true;

	for (size_t n = 0; n < sizeof(form) - 1; n++) {
		if (scan((struct span){ form, n }, "b0", &s, &error) != -1 ||
		    error == NULL)
			all = false;
		buf_free(&s.text);
	}
	CHECK(all, "a form cut anywhere is refused");

	buf_init(&b, 1 << 20);
	for (int i = 0; i < MULTIPART_PARTS_MAX + 1; i++)
		buf_puts(&b, "--b0\r\n" PART("a") "\r\n1\r\n");
	buf_puts(&b, "--b0--");
	bad(b.p, "too many parts");
	buf_reset(&b);
	buf_puts(&b, "--b0\r\n" PART("a") "X: ");
	for (int i = 0; i < 9000; i++)
		buf_puts(&b, "y");
	buf_puts(&b, "\r\n\r\n1\r\n--b0--");
	bad(b.p, "a part's headers are too long");
	buf_free(&b);

	s.response = 5;
	CHECK(scan(span_of(form), "b0", &s, &error) == 5,
	    "a callback ends the scan");
	CHECK_STR(s.text.p, "a=1|", "after the first part");
	buf_free(&s.text);
}

static void
boundary(const char *type, const char *want)
{
	struct span got = multipart_boundary(type);
	char text[128];

	snprintf(text, sizeof(text), "%.*s", SPAN_FMT(got));
	CHECK_STR(got.p == NULL ? NULL : text, want, "boundary of %s",
	    type == NULL ? "(none)" : type);
}

static void
test_boundary(void)
{
	boundary("multipart/form-data; boundary=abc", "abc");
	boundary("Multipart/Form-Data;BOUNDARY=\"a b:c\"; charset=x", "a b:c");
	boundary(
	    "multipart/form-data; charset=\"utf-8\"; boundary=--x--", "--x--");
	boundary("multipart/form-data", NULL);
	boundary("multipart/form-data; boundary=", NULL);
	boundary("multipart/form-data; boundary=\"a\\\"b\"", NULL);
	boundary("multipart/form-data; boundary=\"abc", NULL);
	boundary("multipart/form-data; boundary=a; boundary=b", NULL);
	boundary("multipart/form-data; boundary=\"a \"", NULL);
	boundary("multipart/form-datax; boundary=a", NULL);
	boundary("multipart/mixed; boundary=a", NULL);
	boundary("application/json", NULL);
	boundary(NULL, NULL);
	boundary("multipart/form-data; boundary=0123456789012345678901234567890"
		 "123456789012345678901234567890123456789",
	    "0123456789012345678901234567890123456789012345678901234567890"
	    "123456789");
	boundary("multipart/form-data; boundary=0123456789012345678901234567890"
		 "1234567890123456789012345678901234567890",
	    NULL);
}

int
main(void)
{
	test_good();
	test_semicolons();
	test_bad();
	test_limits();
	test_boundary();
	return check_done();
}

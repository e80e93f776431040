/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The form scanner.  Input: a Content-Type, LF, the body.  All that the scanner
 * returns must be inside the body, between boundaries.
 */
#include "config.h"

#include <string.h>

#include "fuzz.h"
#include "wire/multipart.h"

struct form {
	struct span body, boundary;
	unsigned parts;
};

static int
take_part(void *ctx, const struct multipart_part *p)
{
	struct form *f = ctx;
	const char *begin = f->body.p, *end = begin + f->body.len;
	const char *behind = p->content.p + p->content.len;

	MUST(p->name.p >= begin && p->name.p + p->name.len <= end);
	MUST(p->content.p == begin + p->offset && behind <= end);
	MUST((size_t)(end - behind) >= f->boundary.len + 4);
	MUST(memcmp(behind, "\r\n--", 4) == 0);
	MUST(memcmp(behind + 4, f->boundary.p, f->boundary.len) == 0);
	MUST(memmem(p->name.p, p->name.len, "\r", 1) == NULL);
	f->parts++;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *lf = size == 0 ? NULL : memchr(text, '\n', size);
	struct form f = { .parts = 0 }, again = { .parts = 0 };
	struct span sent, rest;
	const char *error;
	char *type;
	int result;

	if (lf == NULL)
		return 0;
	type = strndup(text, (size_t)(lf - text));
	f.boundary = multipart_boundary(type);
	if (f.boundary.p == NULL)
		f.boundary = (struct span){ "b0", 2 };
	f.body = (struct span){ lf + 1, size - (size_t)(lf + 1 - text) };
	result =
	    multipart_scan(f.body, f.boundary, take_part, &f, &sent, &error);
	MUST(result == 0 || (result == -1 && error != NULL));
	/* The form to send has the same parts, without the text around the
	 * form. */
	if (result == 0) {
		again.boundary = f.boundary;
		again.body = sent;
		MUST(sent.p >= f.body.p &&
		    sent.p + sent.len <= f.body.p + f.body.len);
		MUST(multipart_scan(sent, f.boundary, take_part, &again, &rest,
			 &error) == 0);
		MUST(again.parts == f.parts && span_eq(rest, sent));
	}
	MUST(f.parts <= MULTIPART_PARTS_MAX);
	free(type);
	return 0;
}

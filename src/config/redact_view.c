/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the encodings in which a key may occur in an error.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/memory.h"
#include "config/redact_view.h"

void
redact_fold(const char *p, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++)
		out[i] =
		    p[i] >= 'A' && p[i] <= 'Z' ? (char)(p[i] | 0x20) : p[i];
}

/* &#47; &#x2f; and the few that have names; 0: none. */
static size_t
entity(const char *p, const char *end, char *out)
{
	static const struct {
		const char *name;
		char c;
	} names[] = { { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' },
		{ "&quot;", '"' }, { "&apos;", '\'' } };
	const char *semicolon =
	    memchr(p, ';', end - p < 8 ? (size_t)(end - p) : 8);
	long code;

	if (semicolon == NULL)
		return 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(p, names[i].name, (size_t)(semicolon - p + 1)) ==
		    0) {
			*out = names[i].c;
			return (size_t)(semicolon - p + 1);
		}
	if (p[1] != '#')
		return 0;
	code = (p[2] | 0x20) == 'x'
	    ? hex_number(p + 3, semicolon, (size_t)(semicolon - p - 3))
	    : strtol(p + 2, NULL, 10);
	if (code <= 0x20 || code >= 0x7f)
		return 0;
	*out = (char)code;
	return (size_t)(semicolon - p + 1);
}

/* One character; how many bytes it takes. */
static size_t
decode(const char *p, const char *end, char *out)
{
	int code = -1;
	size_t n = 1;

	*out = *p;
	if (*p == '\\' && end - p >= 2) {
		if (p[1] == 'u' && (code = hex_number(p + 2, end, 4)) > 0x20)
			n = 6;
		else if (p[1] != 'u') {
			/* A line end is not a letter. */
			*out = p[1];
			if (p[1] != '\0' && strchr("bfnrt", p[1]) != NULL)
				*out = ' ';
			return 2;
		}
	} else if (*p == '%' && (code = hex_number(p + 1, end, 2)) > 0x20)
		n = 3;
	else if (*p == '&' && end - p >= 4 && (n = entity(p, end, out)) > 0)
		return n;
	/* A character that may mask hidden letters. */
	if (n == 6 && code >= 0x80)
		code = REDACT_MASK;
	else if (code <= 0x20 || code >= 0x7f)
		return 1;
	*out = (char)code;
	return n;
}

int
redact_view_init(struct redact_view *v, struct span text)
{
	v->len = text.len;
	v->p = memory_try(NULL, text.len + 1);
	v->from = text.len >= UINT32_MAX
	    ? NULL
	    : memory_try(NULL, (text.len + 1) * sizeof(*v->from));
	if (v->p == NULL || v->from == NULL) {
		redact_view_free(v);
		return -1;
	}
	redact_fold(text.p, text.len, v->p);
	for (uint32_t i = 0; i <= text.len; i++)
		v->from[i] = i;
	return 0;
}

void
redact_view_free(struct redact_view *v)
{
	free(v->p);
	free(v->from);
}

/* In place: the decoded text is never longer. */
bool
redact_view_decode(struct redact_view *v)
{
	const char *p = v->p, *end = p + v->len;
	size_t n = 0, at, len = v->len;

	while (p < end) {
		at = (size_t)(p - v->p);
		p += decode(p, end, &v->p[n]);
		v->from[n++] = v->from[at];
	}
	v->from[n] = v->from[v->len];
	redact_fold(v->p, n, v->p);
	v->len = n;
	return n < len;
}

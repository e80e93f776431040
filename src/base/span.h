/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A run of bytes that somebody else owns: not terminated, may contain NULs.
 * The currency between the scanner, the policy and the wire.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct span {
	const char *p;
	size_t len;
};

/* Initialises a span with a literal. */
#define SPAN_LITERAL(text) { text, sizeof(text) - 1 }

/* For printf's "%.*s". */
#define SPAN_FMT(s) (int)(s).len, (s).p

static inline struct span
span_of(const char *text)
{
	return (struct span){ text, text == NULL ? 0 : strlen(text) };
}

static inline bool
span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool
span_is(struct span a, const char *text)
{
	return span_eq(a, span_of(text));
}

/* As span_is, but ASCII case does not matter (header names). */
static inline bool
span_is_nocase(struct span a, const char *text)
{
	return a.len == strlen(text) && strncasecmp(a.p, text, a.len) == 0;
}

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Growing byte strings for the programs of tests/ and bench/, separate from
 * src/base/buf.h so that no test depends on the code that it tests.
 */
#ifndef TESTS_TEXT_H
#define TESTS_TEXT_H

#include <err.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
	char *p;
	size_t len, size;
};

/* Makes room for n more bytes and a NUL. */
static inline void
text_room(struct text *t, size_t n)
{
	size_t size = t->size == 0 ? 256 : t->size, most = SIZE_MAX / 2;

	if (t->len > most || n >= most - t->len)
		errx(99, "a text is too long");
	if (t->len + n + 1 <= t->size)
		return;
	while (size < t->len + n + 1)
		size *= 2;
	if ((t->p = realloc(t->p, size)) == NULL)
		err(99, "realloc");
	t->size = size;
}

static inline void
text_add(struct text *t, const void *p, size_t n)
{
	text_room(t, n);
	if (n > 0)
		memcpy(t->p + t->len, p, n);
	t->len += n;
	t->p[t->len] = '\0';
}

static inline void
text_puts(struct text *t, const char *s)
{
	text_add(t, s, strlen(s));
}

static inline void
text_fill(struct text *t, int c, size_t n)
{
	text_room(t, n);
	memset(t->p + t->len, c, n);
	t->len += n;
	t->p[t->len] = '\0';
}

__attribute__((format(printf, 2, 3))) static inline void
text_printf(struct text *t, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	text_room(t, (size_t)n);
	vsnprintf(t->p + t->len, (size_t)n + 1, fmt, again);
	va_end(again);
	t->len += (size_t)n;
}

/* Drops the first n bytes. */
static inline void
text_drop(struct text *t, size_t n)
{
	memmove(t->p, t->p + n, t->len - n);
	t->len -= n;
}

static inline void
text_free(struct text *t)
{
	free(t->p);
	memset(t, 0, sizeof(*t));
}

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A growing buffer with a cap: the only way in which an unknown number of bytes
 * is gathered in memory.  Over the cap it keeps what it has, drops the rest and
 * remembers (buf_failed); the caller checks once, at the end.
 *
 * A charged buffer holds a request's own data and is charged to the memory
 * budget (memory.h).  When the budget or the memory is exhausted and the buffer
 * has more than 16 KiB, it fails in the same way (buf_starved).  For
 * other buffers, out of memory is fatal.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"

struct memory_hold;

struct buf {
	char *p; /* NUL-terminated whenever it is not NULL */
	size_t len;
	size_t size; /* at most max_bytes and the NUL */
	size_t max_bytes;
	bool failed, starved, modest;
	struct memory_hold *hold; /* charged to; NULL: not charged */
};

void buf_init(struct buf *, size_t max_bytes);
/* hold NULL: as buf_init(). */
void buf_init_charged(struct buf *, size_t max_bytes, struct memory_hold *);
/* Not charged, but more than 16 KiB it may fail to get, as if it were. */
void buf_init_modest(struct buf *, size_t max_bytes);
void buf_free(struct buf *);
/* Empty again; keeps the memory. */
void buf_reset(struct buf *);

/* Room for n more bytes and the NUL, or false and failed. */
bool buf_room(struct buf *, size_t n);

/* Inline, because most of what we write is short and of a length that the
 * compiler knows. */
static inline void
buf_add(struct buf *b, const void *bytes, size_t len)
{
	if ((b->failed || len >= b->size - b->len) && !buf_room(b, len))
		return;
	if (len > 0)
		memcpy(b->p + b->len, bytes, len);
	b->len += len;
	b->p[b->len] = '\0';
}

static inline void
buf_puts(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}
void buf_u64(struct buf *, uint64_t); /* in decimal */
/* The same into the caller's room; not ended by a NUL. */
#define BUF_DIGITS 20
struct span buf_digits(char room[BUF_DIGITS], uint64_t);
void buf_printf(struct buf *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A JSON string, quotes included (RFC 8259 §7); bad UTF-8 becomes U+FFFD. */
void buf_json(struct buf *, struct span);
/* The same without its quotes, for a string that is written in pieces. */
void buf_json_inside(struct buf *, struct span);
/* Drop the first n bytes. */
void buf_drop(struct buf *, size_t n);

static inline bool
buf_failed(const struct buf *b)
{
	return b->failed;
}

/* Has it failed because there was no memory for it? */
static inline bool
buf_starved(const struct buf *b)
{
	return b->starved;
}

static inline struct span
buf_span(const struct buf *b)
{
	return (struct span){ b->p, b->len };
}

#endif

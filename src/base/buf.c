/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The growing buffer: gathers what an upstream or a client sends in unknown
 * numbers, and what we write ourselves (JSON, metrics, ledger lines).
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/utf8.h"

#define BUF_FIRST_BYTES 1024
#define BUF_LITTLE_BYTES 16384

void
buf_init(struct buf *b, size_t max_bytes)
{
	memset(b, 0, sizeof(*b));
	b->max_bytes = max_bytes;
}

void
buf_init_charged(struct buf *b, size_t max_bytes, struct memory_hold *hold)
{
	buf_init(b, max_bytes);
	b->hold = hold;
}

void
buf_init_modest(struct buf *b, size_t max_bytes)
{
	buf_init(b, max_bytes);
	b->modest = true;
}

void
buf_free(struct buf *b)
{
	free(b->p);
	if (b->hold != NULL)
		memory_give(b->hold, b->size);
	b->p = NULL;
	b->len = b->size = 0;
	b->failed = b->starved = false;
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = b->starved = false;
	if (b->p != NULL)
		b->p[0] = '\0';
}

static char *
grow_charged(struct buf *b, size_t size)
{
	char *p;

	if (!memory_take(b->hold, size - b->size))
		return NULL;
	if ((p = realloc(b->p, size)) == NULL) {
		memory_give(b->hold, size - b->size);
		b->hold->lack = MEMORY_SPENT;
	}
	return p;
}

/* Charged or modest, it may not have it; a little it needs. */
static bool
resize(struct buf *b, size_t size)
{
	char *p;

	if ((b->hold == NULL && !b->modest) || size <= BUF_LITTLE_BYTES) {
		b->p = memory_grow(b->p, size);
		if (b->hold != NULL)
			memory_charge(b->hold, size - b->size);
		b->size = size;
		return true;
	}
	p = b->modest ? realloc(b->p, size) : grow_charged(b, size);
	if (p == NULL) {
		b->failed = b->starved = true;
		return false;
	}
	b->p = p;
	b->size = size;
	return true;
}

bool
buf_room(struct buf *b, size_t n)
{
	size_t size = b->size == 0 ? BUF_FIRST_BYTES : b->size;

	if (b->failed || n > b->max_bytes - b->len) {
		b->failed = true;
		return false;
	}
	if (n < b->size - b->len && b->size != 0)
		return true;
	while (size <= b->len + n)
		size = size > b->max_bytes / 2 ? b->max_bytes + 1 : size * 2;
	if (size > b->max_bytes)
		size = b->max_bytes + 1;
	return resize(b, size);
}

struct span
buf_digits(char room[BUF_DIGITS], uint64_t v)
{
	size_t i = BUF_DIGITS;

	do {
		room[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	return (struct span){ room + i, BUF_DIGITS - i };
}

void
buf_u64(struct buf *b, uint64_t v)
{
	char room[BUF_DIGITS];
	struct span digits = buf_digits(room, v);

	buf_add(b, digits.p, digits.len);
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	char small[512];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(small, sizeof(small), fmt, args);
	va_end(args);
	if (len < 0)
		fatal("buf: bad format %s", fmt);
	if ((size_t)len < sizeof(small)) {
		buf_add(b, small, (size_t)len);
		return;
	}
	if (!buf_room(b, (size_t)len))
		return;
	va_start(args, fmt);
	vsnprintf(b->p + b->len, (size_t)len + 1, fmt, args);
	va_end(args);
	b->len += (size_t)len;
}

static void
buf_json_escape(struct buf *b, unsigned char c)
{
	static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (const char *s = shorts; *s != '\0'; s += 2)
		if ((unsigned char)s[0] == c) {
			buf_add(b, (char[]){ '\\', s[1] }, 2);
			return;
		}
	buf_add(b,
	    (char[]){
		'\\', 'u', '0', '0', HEX_DIGITS[c >> 4], HEX_DIGITS[c & 15] },
	    6);
}

void
buf_json_inside(struct buf *b, struct span text)
{
	const unsigned char *p = (const unsigned char *)text.p;
	size_t i = 0, plain = 0, n;

	while (i < text.len) {
		if (p[i] >= 0x20 && p[i] < 0x80 && p[i] != '"' &&
		    p[i] != '\\') {
			i++;
			continue;
		}
		if (p[i] >= 0x80 &&
		    (n = utf8_length(p + i, text.len - i)) > 0) {
			i += n;
			continue;
		}
		buf_add(b, p + plain, i - plain);
		if (p[i] >= 0x80)
			buf_add(b, "\xef\xbf\xbd", 3);
		else
			buf_json_escape(b, p[i]);
		plain = ++i;
	}
	if (i > plain)
		buf_add(b, p + plain, i - plain);
}

void
buf_json(struct buf *b, struct span text)
{
	buf_add(b, "\"", 1);
	buf_json_inside(b, text);
	buf_add(b, "\"", 1);
}

void
buf_drop(struct buf *b, size_t n)
{
	if (n > b->len)
		n = b->len;
	if (n == 0)
		return;
	b->len -= n;
	memmove(b->p, b->p + n, b->len + 1);
}

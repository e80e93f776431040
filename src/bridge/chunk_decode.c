/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides that a character may come in two halves, each in a piece of its own.
 */
#include "config.h"

#include <string.h>

#include "base/hex.h"
#include "base/jscan.h"
#include "bridge/chunk.h"

#define ESCAPE 6 /* bytes of \uXXXX */

/* The value of \uXXXX at p, or 0. */
static unsigned
escape_at(const char *p)
{
	unsigned value = 0;

	if (p[0] != '\\' || p[1] != 'u')
		return 0;
	for (int i = 2; i < ESCAPE; i++)
		value = value << 4 | (unsigned)hex_value(p[i]);
	return value;
}

/* The half that a text ends with: an escape whose backslash is not itself
 * escaped. */
static unsigned
last_half(struct span raw)
{
	size_t at = raw.len - ESCAPE, slashes = 0;
	unsigned value;

	if (raw.len < ESCAPE || raw.p[at] != '\\' || raw.p[at + 1] != 'u')
		return 0;
	while (slashes < at && raw.p[at - 1 - slashes] == '\\')
		slashes++;
	if (slashes % 2 != 0)
		return 0;
	value = escape_at(raw.p + at);
	return value >= 0xd800 && value < 0xdc00 ? value : 0;
}

/* Two halves are one character of four bytes. */
static void
add_joined(struct buf *out, unsigned high, unsigned low)
{
	unsigned c = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	char bytes[4] = { (char)(0xf0 | c >> 18), (char)(0x80 | (c >> 12 & 63)),
		(char)(0x80 | (c >> 6 & 63)), (char)(0x80 | (c & 63)) };

	buf_add(out, bytes, sizeof(bytes));
}

void
chunk_decode(struct chunk_half *half, struct span raw, struct buf *out)
{
	unsigned high = half->high, low;

	if (raw.len == 0)
		return;
	if (high != 0) {
		low = raw.len < ESCAPE ? 0 : escape_at(raw.p);
		half->high = 0;
		if (low >= 0xdc00 && low < 0xe000) {
			add_joined(out, high, low);
			raw = (struct span){ raw.p + ESCAPE, raw.len - ESCAPE };
		} else
			buf_puts(out, CHUNK_REPLACEMENT);
	}
	if (raw.len > 0 && (half->high = last_half(raw)) != 0)
		raw.len -= ESCAPE;
	if (raw.len == 0)
		return;
	if (memchr(raw.p, '\\', raw.len) == NULL)
		buf_add(out, raw.p, raw.len);
	else if (buf_room(out, raw.len)) {
		out->len += jscan_decode(raw, out->p + out->len);
		out->p[out->len] = '\0';
	}
}

void
chunk_decode_end(struct chunk_half *half, struct buf *out)
{
	if (half->high != 0)
		buf_puts(out, CHUNK_REPLACEMENT);
	half->high = 0;
}

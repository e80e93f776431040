/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * UTF-8 (RFC 3629), one sequence at a time, for code that writes foreign bytes
 * into text.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The length of the valid sequence at p (1..4), or 0 if there is none:
 * overlong, surrogate, above U+10FFFF, or cut by the end of the n bytes. */
static inline size_t
utf8_length(const unsigned char *p, size_t n)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t len;

	if (n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (n < len || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return len;
}

/* The same for a character that is visible as itself; also 0 for what moves
 * the cursor, turns the direction of what follows, or has no width:
 * controls, U+061C, U+200B..200F, U+2028..202E, U+2060..206F, U+FEFF,
 * U+FFF9..FFFB, tags (U+E0000..E007F). */
static inline size_t
utf8_visible_length(const unsigned char *p, size_t n)
{
	size_t len = utf8_length(p, n);

	if (len == 1)
		return p[0] >= 0x20 && p[0] != 0x7f;
	if (len == 2)
		return (p[0] == 0xc2 && p[1] < 0xa0) ||
			(p[0] == 0xd8 && p[1] == 0x9c)
		    ? 0
		    : 2;
	if (len == 3 && p[0] == 0xe2 && p[1] == 0x80)
		return (p[2] >= 0x8b && p[2] <= 0x8f) ||
			(p[2] >= 0xa8 && p[2] <= 0xae)
		    ? 0
		    : 3;
	if (len == 3 && p[0] == 0xe2 && p[1] == 0x81)
		return p[2] >= 0xa0 && p[2] <= 0xaf ? 0 : 3;
	if (len == 3 && p[0] == 0xef)
		return (p[1] == 0xbb && p[2] == 0xbf) ||
			(p[1] == 0xbf && p[2] >= 0xb9 && p[2] <= 0xbb)
		    ? 0
		    : 3;
	if (len == 4 && p[0] == 0xf3 && p[1] == 0xa0)
		return p[2] <= 0x81 ? 0 : 4;
	return len;
}

/* Writes a character below U+110000; returns its length.  A surrogate is the
 * caller's mistake. */
static inline size_t
utf8_put(char *out, uint32_t code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

#endif

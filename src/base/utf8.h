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

#include <stdbool.h>
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

/* The character of a valid sequence. */
static inline uint32_t
utf8_code(const unsigned char *p, size_t len)
{
	if (len == 1)
		return p[0];
	if (len == 2)
		return (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
	if (len == 3)
		return (uint32_t)(p[0] & 0x0f) << 12 |
		    (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
	return (uint32_t)(p[0] & 7) << 18 | (uint32_t)(p[1] & 0x3f) << 12 |
	    (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f);
}

/* Does it move the cursor, turn the direction of what follows, or take no
 * place?  Controls, and what Unicode lets a program leave out
 * (Default_Ignorable_Code_Point). */
static inline bool
utf8_is_hidden(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = { { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x34f, 0x34f },
		{ 0x61c, 0x61c }, { 0x115f, 0x1160 }, { 0x17b4, 0x17b5 },
		{ 0x180b, 0x180f }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
		{ 0x2060, 0x206f }, { 0x3164, 0x3164 }, { 0xfe00, 0xfe0f },
		{ 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb },
		{ 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
		{ 0xe0000, 0xe0fff } };

	if (code < 0x7f)
		return code < 0x20;
	for (size_t i = 0;
	     i < sizeof(hidden) / sizeof(hidden[0]) && code >= hidden[i].first;
	     i++)
		if (code <= hidden[i].last)
			return true;
	return false;
}

/* The length of a sequence, and 0 also for a character that is not visible as
 * itself. */
static inline size_t
utf8_visible_length(const unsigned char *p, size_t n)
{
	size_t len = utf8_length(p, n);

	return len == 0 || utf8_is_hidden(utf8_code(p, len)) ? 0 : len;
}

/* Is it a text whose characters are all seen?  A selector of a form (U+FE0E,
 * U+FE0F) and a joiner (U+200D) may each follow one that is not ASCII, as in
 * emoji; they move no cursor. */
static inline bool
utf8_is_seen(const unsigned char *p, size_t n)
{
	bool selects = false, joins = false; /* What may follow. */
	size_t len;

	for (size_t i = 0; i < n; i += len) {
		uint32_t code;

		if ((len = utf8_length(p + i, n - i)) == 0)
			return false;
		code = utf8_code(p + i, len);
		if (selects && (code == 0xfe0e || code == 0xfe0f))
			selects = false;
		else if (joins && code == 0x200d)
			selects = joins = false;
		else if (utf8_is_hidden(code))
			return false;
		else
			selects = joins = code >= 0x80;
	}
	return true;
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

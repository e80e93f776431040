/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides utf8proc, and the quick check that spares most texts from it.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "base/memory.h"
#include "base/unicode.h"
#include "base/utf8.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

static size_t
ascii_length(const unsigned char *p, size_t n)
{
	uint64_t word;
	size_t i = 0;

	for (; i + sizeof(word) <= n; i += sizeof(word)) {
		memcpy(&word, p + i, sizeof(word));
		if (word & HIGH_BITS)
			break;
	}
	while (i < n && p[i] < 0x80)
		i++;
	return i;
}

/* Of the scripts that texts are mostly written in: neither a mark nor a
 * blank. */
static bool
is_letter(int32_t code)
{
	return (code >= 0xc0 && code < 0x2b0) ||
	    (code >= 0x3400 && code <= 0x9fff) ||
	    (code >= 0xac00 && code <= 0xd7a3);
}

/* Could NFC do something to it?  Marks, the second letters of Hangul, and
 * characters that stand for another one. */
static bool
is_loose(int32_t code)
{
	const utf8proc_property_t *property;

	if (code < 0x300 || is_letter(code))
		return false;
	if (code >= 0x1160 && code <= 0x11ff)
		return true;
	property = utf8proc_get_property(code);
	return property->combining_class != 0 || property->comp_exclusion ||
	    property->category == UTF8PROC_CATEGORY_MN ||
	    property->category == UTF8PROC_CATEGORY_MC;
}

enum unicode_kind
unicode_kind(struct span text)
{
	const unsigned char *p = (const unsigned char *)text.p;
	size_t at = ascii_length(p, text.len), len;
	enum unicode_kind kind = UNICODE_ASCII;

	while (at < text.len) {
		if ((len = utf8_length(p + at, text.len - at)) == 0)
			return UNICODE_NONE;
		if (len > 1 && kind != UNICODE_LOOSE)
			kind = is_loose((int32_t)utf8_code(p + at, len))
			    ? UNICODE_LOOSE
			    : UNICODE_COMPOSED;
		at += len;
		at += ascii_length(p + at, text.len - at);
	}
	return kind;
}

struct span
unicode_nfc(struct span text)
{
	utf8proc_uint8_t *out = NULL;
	utf8proc_ssize_t len;
	unsigned tries = 0;

	while (
	    (len = utf8proc_map((const utf8proc_uint8_t *)text.p,
		 (utf8proc_ssize_t)text.len, &out,
		 UTF8PROC_STABLE | UTF8PROC_COMPOSE)) == UTF8PROC_ERROR_NOMEM &&
	    text.len <= MEMORY_LITTLE_BYTES / sizeof(utf8proc_int32_t)) {
		free(out);
		out = NULL;
		memory_wait(&tries);
	}
	if (len < 0) {
		free(out);
		return (struct span){ NULL, 0 };
	}
	return (struct span){ (char *)out, (size_t)len };
}

/* The plain character for one; -1: it is not seen. */
static int32_t
plain(int32_t code)
{
	utf8proc_int32_t out;

	/* Letters, which most are. */
	if (is_letter(code))
		return code;
	if (utf8proc_decompose_char(
		code, &out, 1, UTF8PROC_IGNORE | UTF8PROC_LUMP, NULL) != 1)
		return -1;
	return out;
}

size_t
unicode_plain(struct span text, char *out)
{
	const unsigned char *p = (const unsigned char *)text.p;
	size_t at = 0, n = 0, len;
	bool same = true;
	int32_t code, is;

	for (; at < text.len; at += len) {
		len = utf8_length(p + at, text.len - at);
		if (len <= 1 && p[at] != '\0') {
			out[n++] = text.p[at];
			len = 1;
			continue;
		}
		code = len == 1 ? 0 : (int32_t)utf8_code(p + at, len);
		is = code == 0 ? -1 : plain(code);
		same = same && is == code;
		if (is >= 0)
			n += utf8_put(out + n, (uint32_t)is);
	}
	return same ? 0 : n;
}

size_t
unicode_of_bytes(struct span text, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c >= 0x80) {
			out[n++] = (char)(0xc0 | c >> 6);
			c = 0x80 | (c & 0x3f);
		}
		out[n++] = (char)c;
	}
	return n;
}

char
unicode_fold(const char *p, size_t n, size_t *len)
{
	unsigned char c = (unsigned char)*p;

	*len = 1;
	if (c >= 'A' && c <= 'Z')
		return (char)(c | 0x20);
	if (c < 0x80)
		return (char)c;
	*len = utf8_length((const unsigned char *)p, n);
	if (*len == 0)
		*len = 1;
	if (*len == 2 && memcmp(p, "\xc5\xbf", 2) == 0)
		return 's';
	if (*len == 3 && memcmp(p, "\xe2\x84\xaa", 3) == 0)
		return 'k';
	return 0;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the encodings within texts: escapes, percent, base64.  It works between
 * call.c, which finds the texts, and pattern.c, which searches them.
 */
#include "config.h"

#include <stdlib.h>

#include "base/escape.h"
#include "base/hex.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "policy/layers.h"
#include "policy/media.h"

/* Lines of a wrapped base64 text have 64 or 76 letters; shorter ones count
 * as words. */
#define WRAPPED_MIN 16
/* Starts within one run that are tried, if a text may begin there: after '/',
 * '-', '_', '+' and line breaks. */
#define STARTS_MAX 8
#define UTF16_PEEK 16 /* letters by which UTF-16 is told from noise */
#define UTF16_MIN 8 /* bytes */

static void look(struct pattern_run *, struct span text, unsigned depth);

/* \u with four digits, or \x with two, which is not JSON's; *used bytes.
 * -1: neither. */
static int32_t
escaped_code(const char *p, const char *end, size_t *used)
{
	if (p[1] != 'x')
		return escape_code(p, end, used);
	*used = 4;
	return hex_number(p + 2, end, 2);
}

/* Resolves escapes; the result is never longer. */
static size_t
unescape(struct span text, char *out)
{
	const char *p = text.p, *end = p + text.len;
	size_t n = 0, used;
	int32_t code;

	while (p < end) {
		if (*p != '\\' || end - p < 2) {
			out[n++] = *p++;
		} else if ((code = escaped_code(p, end, &used)) >= 0) {
			n += utf8_put(out + n, (uint32_t)code);
			p += used;
		} else if ((code = escape_letter(p[1])) >= 0) {
			out[n++] = (char)code;
			p += 2;
		} else {
			out[n++] = *p++;
			out[n++] = *p++;
		}
	}
	return n;
}

size_t
layers_percent(struct span text, char *out)
{
	const char *p = text.p, *end = p + text.len;
	size_t n = 0;
	int32_t byte;

	while (p < end) {
		if (*p == '%' && (byte = hex_number(p + 1, end, 2)) >= 0) {
			out[n++] = (char)byte;
			p += 3;
		} else
			out[n++] = *p++;
	}
	return n;
}

static char *
room(struct pattern_run *run, size_t bytes)
{
	char *p = memory_try(NULL, bytes);

	if (p == NULL)
		run->rule = PATTERN_LIMIT;
	return p;
}

/* Is it JSON, or JSON from its middle, as in a log or a page?  (A line break
 * alone, as programs write it, is none.) */
static bool
has_escape(struct span text)
{
	const char *p = memchr(text.p, '\\', text.len);
	const char *end = text.p + text.len;
	size_t i = 0;

	if (p == NULL)
		return false;
	while (i < text.len && strchr(" \t\r\n", text.p[i]) != NULL &&
	    text.p[i] != '\0')
		i++;
	if (strchr("{[\"", text.p[i]) != NULL && text.p[i] != '\0')
		return true;
	for (; p != NULL && end - p >= 2;
	     p = memchr(p + 2, '\\', (size_t)(end - p - 2)))
		if (p[1] != '\0' && strchr("ux/\"\\", p[1]) != NULL)
			return true;
	return false;
}

static void
look_unescaped(struct pattern_run *run, struct span text, unsigned depth)
{
	char *out;
	size_t n;

	if (!has_escape(text) || (out = room(run, text.len)) == NULL)
		return;
	n = unescape(text, out);
	if (n < text.len)
		look(run, (struct span){ out, n }, depth);
	free(out);
}

static void
look_percent(struct pattern_run *run, struct span text, unsigned depth)
{
	char *out;
	size_t n;

	if (memchr(text.p, '%', text.len) == NULL ||
	    (out = room(run, text.len)) == NULL)
		return;
	n = layers_percent(text, out);
	if (n < text.len)
		look(run, (struct span){ out, n }, depth);
	/* A file that is no text, spelled out byte by byte. */
	if (pattern_wants(run) && media_is_data_url(text) &&
	    media_of_type(text) == MEDIA_FILE &&
	    !media_is_text((struct span){ out, n }))
		run->rule = PATTERN_UNREADABLE;
	free(out);
}

/* How many values the first or second halves of the units have. */
static unsigned
kinds(const char *bytes, size_t n, size_t half)
{
	unsigned count = 0;

	for (size_t i = half; i < n; i += 2) {
		size_t j = half;

		while (j < i && bytes[j] != bytes[i])
			j += 2;
		count += j == i;
	}
	return count;
}

/* Could the first letters be half of UTF-16?  Most alphabets are in the rows
 * below 0x12, signs in 0x20, kana in 0x30. */
static bool
may_be_utf16(struct span base64, bool *says)
{
	char out[4];
	unsigned char row;

	if (media_decode((struct span){ base64.p, 4 }, out) < 2)
		return false;
	*says =
	    memcmp(out, "\xff\xfe", 2) == 0 || memcmp(out, "\xfe\xff", 2) == 0;
	for (int i = 0; i < 2; i++) {
		row = (unsigned char)out[i];
		if (row < 0x12 || row == 0x20 || row == 0x30)
			return true;
	}
	return *says;
}

/* UTF-16 as PowerShell and others put into base64: it says so, or of its first
 * characters one half has few values, since a script's letters are in one row
 * or two.  False: it is none. */
static bool
is_utf16(struct span base64, bool *big)
{
	char out[UTF16_PEEK / 4 * 3];
	unsigned even, odd;
	bool says;
	size_t n;

	if (base64.len < UTF16_PEEK / 4 * 3 || !may_be_utf16(base64, &says))
		return false;
	base64.len = base64.len < UTF16_PEEK ? base64.len : UTF16_PEEK;
	n = media_decode(base64, out);
	if (n < UTF16_MIN)
		return false;
	even = kinds(out, n / 2 * 2, 0);
	odd = kinds(out, n / 2 * 2, 1);
	*big = even == odd ? (unsigned char)out[0] < (unsigned char)out[1]
			   : even < odd;
	if (says)
		*big = out[0] == '\xfe';
	return says || (*big ? even : odd) <= n / 4;
}

static uint32_t
unit_at(const unsigned char *p, bool big)
{
	return (uint32_t)(p[big ? 0 : 1] << 8 | p[big ? 1 : 0]);
}

/* A unit is at most 3 bytes, a pair 4.  A half alone is no UTF-8. */
static size_t
narrow(const unsigned char *in, size_t n, bool big, char *out)
{
	size_t len = 0;

	for (size_t i = 0; i + 1 < n; i += 2) {
		uint32_t code = unit_at(in + i, big), low;

		if (code >> 10 == 0xd800 >> 10 && i + 3 < n &&
		    (low = unit_at(in + i + 2, big)) >> 10 == 0xdc00 >> 10) {
			code = 0x10000 + ((code & 0x3ff) << 10 | (low & 0x3ff));
			i += 2;
		}
		len += utf8_put(out + len, code);
	}
	return len;
}

static void
look_utf16(struct pattern_run *run, struct span base64, unsigned depth)
{
	bool big;
	char *out, *wide;
	size_t n;

	if (!is_utf16(base64, &big) ||
	    (out = room(run, base64.len * 2 + 4)) == NULL)
		return;
	/* Each 3 bytes of it become 9 / 2 at most, from 4 letters. */
	wide = out + base64.len / 4 * 5 + 4;
	n = media_decode(base64, wide);
	n = narrow((unsigned char *)wide, n, big, out);
	look(run, (struct span){ out, n }, depth);
	free(out);
}

/* One run from one of its starts.  Is all of it text? */
static bool
look_base64(struct pattern_run *run, struct span base64, unsigned depth)
{
	char *out;
	size_t n, all;

	if (!media_may_be_text(base64)) {
		look_utf16(run, base64, depth);
		return false;
	}
	if ((out = room(run, base64.len)) == NULL)
		return false;
	n = media_text_prefix(base64, out, &all);
	if (n >= (size_t)LAYERS_RUN_MIN / 4 * 3 - 2)
		look(run, (struct span){ out, n }, depth);
	free(out);
	return n == all;
}

/* A file inside of a longer text, as in a page's source: it cannot be read. */
static bool
is_unread_file(struct span text, struct span base64)
{
	static const char mark[] = ";base64,";
	size_t n = sizeof(mark) - 1;

	return (size_t)(base64.p - text.p) >= n &&
	    strncasecmp(base64.p - n, mark, n) == 0 &&
	    base64.len >= MEDIA_BARE_MIN && !media_may_be_text(base64) &&
	    media_of_base64(base64) == MEDIA_FILE;
}

/* Could base64 begin after this byte of a run? */
static inline bool
is_start(char c)
{
	static const bool starts[256] = { ['/'] = true,
		['-'] = true,
		['_'] = true,
		['+'] = true,
		['\n'] = true,
		['\r'] = true };

	return starts[(unsigned char)c];
}

static inline bool
is_blank(char c)
{
	return c == '\n' || c == '\r' || c == ' ' || c == '\t';
}

/* False: not all of it is one text. */
static bool
look_run(struct pattern_run *run, struct span text, struct span base64,
    unsigned depth)
{
	const char *p = base64.p, *end = p + base64.len;
	unsigned starts = 0;
	bool big;

	if (is_unread_file(text, base64)) {
		run->rule = PATTERN_UNREADABLE;
		return true;
	}
	if (look_base64(run, base64, depth))
		return true;
	while (starts < STARTS_MAX && pattern_wants(run)) {
		while (p < end && !is_start(*p))
			p++;
		if (end - p <= LAYERS_RUN_MIN)
			return false;
		p++;
		while (p < end && is_blank(*p))
			p++;
		base64 = (struct span){ p, (size_t)(end - p) };
		if (!media_may_be_text(base64) && !is_utf16(base64, &big))
			continue;
		starts++;
		if (look_base64(run, base64, depth))
			return false;
	}
	return false;
}

/* Each line may be a text of its own, as in a list of tokens. */
static void
look_lines(struct pattern_run *run, struct span text, struct span base64,
    unsigned depth)
{
	const char *p = base64.p, *end = p + base64.len, *line;

	while (p < end && pattern_wants(run)) {
		line = p;
		while (p < end && media_is_letter(*p))
			p++;
		if (p - line >= LAYERS_RUN_MIN && p - line < (long)base64.len)
			look_run(run, text,
			    (struct span){ line, (size_t)(p - line) }, depth);
		while (p < end && !media_is_letter(*p))
			p++;
	}
}

/* The end of the run of letters that begins at p: over line breaks, and blanks
 * after them, as long as whole lines of them follow each other. */
static const char *
run_end(const char *p, const char *end)
{
	const char *line, *next;

	for (;;) {
		line = p;
		while (p < end && media_is_letter(*p))
			p++;
		next = p;
		while (next < end && (*next == '\r' || *next == '\n'))
			next++;
		if (p - line < WRAPPED_MIN || next == p)
			return p;
		while (next < end && (*next == ' ' || *next == '\t'))
			next++;
		if (next == end || !media_is_letter(*next))
			return p;
		p = next;
	}
}

/* The letter of a line break or a tab, as programs write it, is none of a
 * run. */
static bool
is_of_escape(struct span text, const char *p)
{
	return p > text.p && p[-1] == '\\' &&
	    (*p == 'n' || *p == 'r' || *p == 't');
}

static void
look_runs(struct pattern_run *run, struct span text, unsigned depth)
{
	const char *p = text.p, *end = p + text.len, *start;
	struct span base64;

	/* Base64 alone, however it is wrapped. */
	if (text.len >= LAYERS_RUN_MIN && media_is_base64(text))
		look_base64(run, text, depth);
	while (p < end && pattern_wants(run)) {
		while (p < end && !media_is_letter(*p))
			p++;
		if (p < end && is_of_escape(text, p))
			p++;
		start = p;
		p = run_end(p, end);
		base64 = (struct span){ start, (size_t)(p - start) };
		if (base64.len >= LAYERS_RUN_MIN &&
		    !look_run(run, text, base64, depth))
			look_lines(run, text, base64, depth);
	}
}

static void
look(struct pattern_run *run, struct span text, unsigned depth)
{
	if (depth == 0)
		pattern_scan(run, text);
	else
		pattern_scan_decoded(run, text);
	if (depth == LAYERS_MAX || text.len == 0)
		return;
	if (pattern_wants(run))
		look_unescaped(run, text, depth + 1);
	if (pattern_wants(run))
		look_percent(run, text, depth + 1);
	if (pattern_wants(run))
		look_runs(run, text, depth + 1);
}

void
layers_scan(struct pattern_run *run, struct span text)
{
	if (pattern_wants(run))
		look(run, text, 0);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a word is found: sixteen places at a time, it looks for the word's
 * second and last byte at their distance, and compares the rest only there.
 * (The second byte, not the first, because most words begin with a quote, and
 * JSON is full of quotes.)
 */
#include "config.h"

#include <string.h>

#include "base/find.h"
#include "base/lanes.h"

/* Of a short text, or where bytes are compared one by one. */
static const char *
find_short(struct span text, struct span word)
{
	const char *p = text.p, *last = text.p + text.len - word.len;

	while (p <= last &&
	    (p = memchr(p, *word.p, (size_t)(last - p) + 1)) != NULL) {
		if (memcmp(p, word.p, word.len) == 0)
			return p;
		p++;
	}
	return NULL;
}

#ifdef HAS_LANES
/* Among the LANES places from p on. */
static const char *
find_here(const char *p, struct span word, lanes hits)
{
	static const lanes place = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
		13, 14, 15 };
	size_t n;

	while ((n = lanes_first(hits)) < LANES) {
		lanes here = { 0 };

		if (memcmp(p + n, word.p, word.len) == 0)
			return p + n;
		here += (signed char)n;
		hits &= place != here;
	}
	return NULL;
}

static const char *
find_long(struct span text, struct span word)
{
	size_t second = word.len > 1, places = text.len - word.len + 1;
	lanes a = { 0 }, b = { 0 }, x, y, hits;
	const char *found;

	a += (signed char)word.p[second];
	b += (signed char)word.p[word.len - 1];
	for (size_t at = 0; at < places; at += LANES) {
		/* The last places overlap those before them. */
		if (at + LANES > places)
			at = places - LANES;
		memcpy(&x, text.p + at + second, sizeof(x));
		memcpy(&y, text.p + at + word.len - 1, sizeof(y));
		hits = (x == a) & (y == b);
		if (lanes_first(hits) < LANES &&
		    (found = find_here(text.p + at, word, hits)) != NULL)
			return found;
	}
	return NULL;
}
#endif

const char *
find_word(struct span text, struct span word)
{
	if (word.len == 0)
		return text.p;
	if (word.len > text.len)
		return NULL;
#ifdef HAS_LANES
	if (text.len - word.len + 1 >= LANES)
		return find_long(text, word);
#endif
	return find_short(text, word);
}

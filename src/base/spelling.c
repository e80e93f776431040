/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how near two words are.
 */
#include "config.h"

#include <string.h>

#include "base/spelling.h"

#define WORD_MAX 64 /* longer words resemble no other */

static size_t
distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1], la = strlen(a), lb = strlen(b);

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = corner + (a[i - 1] != b[j - 1]);

			corner = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[lb];
}

const char *
spelling_nearest(const char *word,
    const char *(*next)(const void *ctx, size_t i), const void *ctx)
{
	const char *candidate, *nearest = NULL;
	size_t least = WORD_MAX;

	for (size_t i = 0; (candidate = next(ctx, i)) != NULL; i++) {
		size_t d = distance(word, candidate);

		if (d < least && d <= (strlen(candidate) < 5 ? 1 : 2)) {
			least = d;
			nearest = candidate;
		}
	}
	return nearest;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Finds the known word that an unknown one was probably meant to be.
 */
#ifndef BASE_SPELLING_H
#define BASE_SPELLING_H

#include <stddef.h>

/* The candidate that is nearest to the word by Levenshtein's distance, the
 * first of several; NULL when none is within 2 (1 for candidates of fewer than
 * 5 letters).  next(ctx, i) returns candidate i, NULL after the last; a
 * candidate may be "". */
const char *spelling_nearest(const char *word,
    const char *(*next)(const void *ctx, size_t i), const void *ctx);

#endif

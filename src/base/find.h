/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Where a word first lies in a text, as memmem(3), which glibc makes for long
 * texts: of the 170 bytes of an event it takes four times as long as this.
 */
#ifndef BASE_FIND_H
#define BASE_FIND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/* NULL: nowhere.  An empty word is at the text's beginning. */
const char *find_word(struct span text, struct span word);

/* Inline, as the compiler knows the length of a word that is written out. */
static inline bool
find_says(struct span text, const char *word)
{
	return text.len > 0 && find_word(text, span_of(word)) != NULL;
}

#endif

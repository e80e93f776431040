/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * An upstream's error in its own words, whatever the form: JSON of any dialect,
 * plain text or a proxy's HTML page.
 */
#ifndef BRIDGE_WORDS_H
#define BRIDGE_WORDS_H

#include "base/buf.h"
#include "base/span.h"

/* Longer words are cut, and end in an ellipsis. */
#define WORDS_MAX 1000

/* Adds the words to out: one line of UTF-8 text without control characters;
 * nothing if the body says nothing. */
void words_of(struct span body, struct buf *out);

#endif

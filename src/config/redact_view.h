/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A text as a reader sees it: in lower case, with JSON's escapes, percent signs
 * and HTML entities decoded as often as the caller asks.  Each byte knows where
 * in the original it came from.
 */
#ifndef CONFIG_REDACT_VIEW_H
#define CONFIG_REDACT_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* In a view: an escaped ellipsis, bullet or other character beyond ASCII. */
#define REDACT_MASK 1

/* p[i] came from from[i] up to from[i + 1]. */
struct redact_view {
	char *p;
	uint32_t *from;
	size_t len;
};

/* -1: out of memory for more than MEMORY_LITTLE_BYTES; there is nothing to free
 * then. */
int redact_view_init(struct redact_view *, struct span text);
void redact_view_free(struct redact_view *);
/* Decodes one layer.  False: there was none. */
bool redact_view_decode(struct redact_view *);

/* ASCII in lower case; out may be p. */
void redact_fold(const char *p, size_t len, char *out);

#endif

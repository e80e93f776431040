/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What redact.c and redact_mask.c share; no other file includes this.
 */
#ifndef CONFIG_REDACT_INTERNAL_H
#define CONFIG_REDACT_INTERNAL_H

#include "config/redact.h"
#include "config/redact_view.h"

/* Letters of a key that reveal something about it. */
#define REDACT_SHOWN_MIN 4

/* Which keys are looked for. */
enum which { ALL, ONLY_LONG, ONLY_SHORT };

struct redact_cover {
	struct span text; /* the original */
	char *out; /* the same; NULL: only search */
	const struct redact_view *view;
	enum which which;
	bool found;
};

/* Covers len bytes of the view. */
void redact_cover(struct redact_cover *, size_t at, size_t len);
bool redact_is_word(char);

/* ---- redact_mask.c ---- */

/* A key's first and last letters around a mask. */
void redact_find_masked(struct redact_cover *, struct span key);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Members that an upstream's message or call has besides those of its API:
 * signatures, encrypted reasoning, OpenRouter's `reasoning_details`.  A stream
 * brings them in pieces, which are put together here:
 *
 * - the members of an object are merged; null says nothing;
 * - texts (`text`, `thinking`, `summary` …) grow, any other value is replaced;
 * - a list of objects grows by them.  One continues an earlier one if both have
 *   the same type and index, no other id, and the earlier one has no signature
 *   or data yet: those come last.
 *
 * Values are kept as written, without the blanks between their parts.
 */
#ifndef BRIDGE_EXTRAS_H
#define BRIDGE_EXTRAS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/span.h"

/* Of one message or call. */
#define EXTRAS_BYTES_MAX ((size_t)256 * 1024)
#define EXTRAS_VALUES_MAX 512

/* The member whose list has parts of the content: of a thought, all of it;
 * of a text, what it has beside the text. */
#define EXTRAS_CONTENT "content"
/* The same of the text that follows. */
#define EXTRAS_BEFORE "tailgate_before"

struct extras_value;

struct extras {
	struct extras_value *values; /* [0] is the object of all */
	size_t n, size;
	size_t bytes;
	bool spilt; /* a member was too large, and is left out */
};

/* All zero is empty. */
void extras_free(struct extras *);
/* Empty again. */
void extras_reset(struct extras *);
/* Adds a member: its key (a string's inside) and value are as they are
 * written.  whole: it replaces what is there instead of continuing it. */
void
extras_add(struct extras *, struct span key, struct span value, bool whole);
bool extras_empty(const struct extras *);
/* Is there anything that an upstream could want back?  Types, numbers and
 * formats alone are not, nor are thoughts without a signature in the
 * content: the bridge carries them itself. */
bool extras_worth(const struct extras *);
/* A member by its name, as JSON.  False: there is none. */
bool extras_member(const struct extras *, const char *name, struct buf *out);
/* Writes `,"key":value` of each member that is wanted; NULL: of all. */
void extras_write(
    const struct extras *, bool (*wanted)(struct span key), struct buf *out);

#endif

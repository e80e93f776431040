/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A strict JSON scanner: one pass over the bytes, no I/O, no allocation.
 *
 * Accepts exactly RFC 8259 texts in valid UTF-8 (RFC 3629) with at most
 * max_depth levels; every value is handed to a callback with its path and the
 * span of its bytes.  It decodes nothing: the caller decodes what it needs (a
 * short member, a text) from the span.  A Jansson tree of the same body would
 * take four times its size and fifty times as long.
 */
#ifndef BASE_JSCAN_H
#define BASE_JSCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

#define JSCAN_DEPTH_MAX 64

enum jscan_type { JSCAN_OBJECT, JSCAN_ARRAY, JSCAN_STRING, JSCAN_NUMBER,
	JSCAN_TRUE, JSCAN_FALSE, JSCAN_NULL };

/* One step of the way to a value. */
struct jscan_step {
	struct span key;	/* raw, without quotes; p NULL in an array */
	bool key_escaped;	/* the key holds a backslash */
	size_t index;		/* of the element or member, from 0 */
};

struct jscan_value {
	enum jscan_type type;
	bool begin;		/* objects and arrays come twice: as they begin
				   (raw empty) and whole at their end */
	unsigned depth;		/* 0: the document; 1: a top-level member */
	const struct jscan_step *path;	/* depth steps */
	struct span raw;	/* as written, strings with their quotes */
	bool escaped;		/* a string with a backslash in it */
};

struct jscan_error {
	size_t offset;		/* of the byte that was wrong */
	const char *text;	/* "control character in a string" */
};

/* Scans the whole text.  The callback returns 0 to go on; anything else ends
 * the scan and is returned.  The callback must not wait (task.h).  -1: not
 * JSON, error says where and why. */
int jscan(struct span text, unsigned max_depth,
    int (*value)(void *ctx, const struct jscan_value *), void *ctx,
    struct jscan_error *error);

/* Decodes a string's inside (no quotes) into out, which has room for raw.len
 * bytes: escapes resolved, surrogate pairs joined, lone surrogates as U+FFFD.
 * Returns the length. */
size_t jscan_decode(struct span raw, char *out);

/* Of a key with a backslash in it. */
bool jscan_escaped_key_is(const struct jscan_step *, const char *name);

/* Is this (raw, perhaps escaped) key the name?  Inline: most members' names
 * differ in length from the name that is sought. */
static inline bool
jscan_key_is(const struct jscan_step *step, const char *name)
{
	if (step->key_escaped)
		return jscan_escaped_key_is(step, name);
	return step->key.p != NULL && span_is(step->key, name);
}

#endif

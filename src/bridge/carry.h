/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What an upstream says of a call beside what the API knows, and wants back
 * with it: Gemini's thought signature in `extra_content`, without which it
 * refuses the next request.
 *
 * Clients send back what they know, so it goes by the place that their API has
 * for what a provider alone understands: the `encrypted_content` of a reasoning
 * item, the `signature` of a thinking block, in front of the call.  There it is
 * a text,
 *
 *	tailgate:{"for":MODEL,"id":CALL,"extra_content":…}
 *
 * not encoded any further, as private patterns have to see it.
 */
#ifndef BRIDGE_CARRY_H
#define BRIDGE_CARRY_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/span.h"

#define CARRY_BYTES_MAX ((size_t)256 * 1024)

/* Adds such a text as a JSON string.  model and id are texts, member is
 * `"key":value` as the upstream wrote it. */
void carry_write(
    struct span model, struct span id, struct span member, struct buf *out);

/* Reads the inside of a string; the object is in the arena, made if there is
 * none.  p NULL: it is no such text, or for another model. */
struct span
carry_read(struct span inside, const char *model, struct arena **arena);

/* Is it of the call with this id (inside of a string)? */
bool carry_is_of(struct span object, struct span id);

/* Writes `,"key":value` of what it carries. */
void carry_restore(struct span object, struct buf *out);

#endif

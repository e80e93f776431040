/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What an upstream sends besides what the API knows, and wants back: Gemini's
 * thought signature in `extra_content` of a call, without which it refuses the
 * next request; OpenRouter's `reasoning_details` of a message; the signature of
 * a part of the content.
 *
 * Clients send back what they know, so it is carried where their API has opaque
 * data of a provider: the `encrypted_content` of a reasoning item, the
 * `signature` of a thinking block.  There it is a text,
 *
 * 	tailgate:{"for":MODEL,"id":CALL,"extra_content":…}
 *
 * for a call (with what was in its `function`), or, without an id, of the
 * message: its members, and under `content` what parts of that had (under
 * `tailgate_before`, of the text that follows).  It is not encoded any further,
 * because private patterns must see it.
 */
#ifndef BRIDGE_CARRY_H
#define BRIDGE_CARRY_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/span.h"
#include "bridge/extras.h"

/* What is carried, with its model and id. */
#define CARRY_BYTES_MAX (2 * EXTRAS_BYTES_MAX + 8192)

/* Adds such a text as a JSON string.  model and id are texts; id p NULL: of
 * the message; function: what was in that of a call, or NULL. */
void carry_write(struct span model, struct span id, const struct extras *,
    const struct extras *function, struct buf *out);

/* Reads the inside of a string; the object is in the arena, made if there is
 * none.  p NULL: it is not such a text, or for another model. */
struct span
carry_read(struct span inside, const char *model, struct arena **arena);

/* The id of the call that it is of (inside of a string); p NULL: the
 * message's. */
struct span carry_id(struct span object);

/* Adds what it carries, except for what the bridge writes itself. */
void carry_take(struct span object, struct extras *);
/* The same of what it carries inside of `function`. */
void carry_take_function(struct span object, struct extras *);

#endif

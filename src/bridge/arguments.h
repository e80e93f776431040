/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The arguments of a tool call as they come, and whether they are complete.
 */
#ifndef BRIDGE_ARGUMENTS_H
#define BRIDGE_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

struct arguments {
	struct buf text; /* initialised by the owner, who frees it */
	unsigned depth; /* of open brackets */
	bool in_string, escaped;
	size_t looked_at; /* length of text when is_object was found out */
	bool is_object;
};

/* Adds a piece, without half characters. */
void arguments_add(struct arguments *, struct span);
void arguments_reset(struct arguments *);

/* They are incomplete: a bracket or a string is open. */
bool arguments_unfinished(const struct arguments *);
/* Nothing, blanks, null, or an object without members, which some upstreams
 * send ahead of the arguments. */
bool arguments_empty(const struct arguments *);
/* A whole object, not an empty one.  Checked once for each length. */
bool arguments_complete(struct arguments *);

/* Is it a JSON object, and nothing else? */
bool arguments_is_object(struct span json);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The ids of the calls in a conversation.  Some upstreams start over in every
 * response ("call_0"), but clients match results by id over the whole
 * conversation: Claude Code mistakes a call with a known id for the old one.
 */
#ifndef BRIDGE_IDS_H
#define BRIDGE_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Longer ones of an upstream count as none. */
#define IDS_BYTES_MAX 256

/* All zero is none. */
struct ids {
	uint64_t *hashes;
	size_t n, size;
};

/* An id as it stands in a JSON string.  Out of memory is fatal. */
void ids_add(struct ids *, struct span inside);
/* The id is a text.  Rarely an unknown id counts as known; then it is only
 * renamed. */
bool ids_known(const struct ids *, const char *id);
void ids_free(struct ids *);

#endif

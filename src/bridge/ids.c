/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how ids are kept: by their hashes, because a conversation may have
 * many and a response asks for few.
 */
#include "config.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/jscan.h"
#include "base/memory.h"
#include "bridge/ids.h"

void
ids_add(struct ids *ids, struct span inside)
{
	char text[IDS_BYTES_MAX];

	if (inside.len == 0 || inside.len >= sizeof(text))
		return;
	if (ids->n == ids->size) {
		ids->size = ids->size == 0 ? 16 : ids->size + ids->size / 2;
		ids->hashes =
		    memory_list(ids->hashes, ids->size, sizeof(*ids->hashes));
	}
	ids->hashes[ids->n++] =
	    hash_more(HASH_SEED, text, jscan_decode(inside, text));
}

bool
ids_known(const struct ids *ids, const char *id)
{
	uint64_t hash = hash_more(HASH_SEED, id, strlen(id));

	for (size_t i = 0; i < ids->n; i++)
		if (ids->hashes[i] == hash)
			return true;
	return false;
}

void
ids_free(struct ids *ids)
{
	free(ids->hashes);
}

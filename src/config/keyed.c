/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Finding clients by the digest of their key.  Hides the index: the clients
 * with a key, sorted by digest, searched by halves.
 *
 * The time of a search depends on the digest that is sought and on its
 * neighbours.  That reveals something about SHA-256 sums, but nothing about
 * keys; the last comparison, with an existing digest, is in constant time.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "config/load.h"

static int
by_digest(const void *pa, const void *pb)
{
	const struct keyed *a = pa, *b = pb;
	int order = memcmp(a->digest, b->digest, DIGEST_BYTES);

	return order != 0 ? order
			  : (a->client->index > b->client->index) -
		(a->client->index < b->client->index);
}

void
config_keyed_make(struct config *c, struct arena *arena)
{
	struct keyed *keyed =
	    arena_alloc(arena, (2 * c->nclients + 1) * sizeof(*keyed));
	size_t n = 0;

	for (size_t i = 0; i < c->nclients; i++) {
		const struct client *client = &c->clients[i];

		if (client->has_key)
			keyed[n++] = (struct keyed){ client->key_digest, client,
				CLOCK_NEVER };
		if (client->has_old_key)
			keyed[n++] = (struct keyed){ client->old_key_digest,
				client, client->old_key_expires_ms };
	}
	if (n > 0)
		qsort(keyed, n, sizeof(*keyed), by_digest);
	c->keyed = keyed;
	c->nkeyed = n;
}

const struct keyed *
config_keyed_find(
    const struct config *c, const unsigned char digest[DIGEST_BYTES], size_t *n)
{
	size_t low = 0, high = c->nkeyed, first;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(c->keyed[middle].digest, digest, DIGEST_BYTES) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	first = low;
	while (low < c->nkeyed && digest_equal(c->keyed[low].digest, digest))
		low++;
	*n = low - first;
	return *n == 0 ? NULL : &c->keyed[first];
}

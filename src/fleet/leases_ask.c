/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The script's keys and arguments.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "fleet/leases_internal.h"

void
leases_channels(const struct store *store, char *out, size_t size)
{
	snprintf(out, size, "%.64s:wake:", store_prefix(store));
}

void
leases_words(struct leases_words *w, const struct store *store,
    const struct limit *limit, const char *what, const char *process,
    const char *channels)
{
	static const char *const parts[LEASES_KEYS] = { "state", "processes",
		"holders", "queue", "waiters", "numbers" };

	for (size_t i = 0; i < LEASES_KEYS; i++)
		w->key[i] = store_key(
		    store, w->keys[i], "limit", limit->name, parts[i]);
	w->arg[0] = span_of(what);
	w->arg[1] = store_number(w->lease, store_lease_ms(store));
	w->arg[2] = store_number(w->slots, limit->slots);
	w->arg[3] = store_number(w->queue, limit->queue);
	w->arg[4] = store_number(w->cap, limit->per_client);
	w->arg[5] = span_of(process);
	w->arg[6] = span_of(channels);
}

struct span
leases_id(const struct leases *l, uint64_t number, char out[LEASES_ID_SIZE])
{
	int n =
	    snprintf(out, LEASES_ID_SIZE, "%s/%" PRIu64, l->process, number);

	return (struct span){ out, (size_t)n };
}

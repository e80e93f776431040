/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The script's keys and arguments, and a look at all that it knows.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fleet/leases_internal.h"

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

/* ---- a look ------------------------------------------------------------ */

/* Cuts the next word off; the rest is the last one. */
static char *
cut(char **text)
{
	char *word = *text, *space = strchr(word, ' ');

	*text = space == NULL ? word + strlen(word) : space + 1;
	if (space != NULL)
		*space = '\0';
	return word;
}

/* "HOST:PID:…/N [FENCE SINCE] CLIENT" */
static void
each_row(const struct limit *limit, bool holder, struct span text,
    void (*row)(void *, const struct leases_row *), void *ctx)
{
	struct leases_row r = { .limit = limit, .holder = holder };
	char *copy = memory_alloc(text.len + 1), *rest = copy, *host;

	memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	host = cut(&rest);
	host[strcspn(host, ":")] = '\0';
	r.host = host;
	if (holder) {
		r.fence = strtoull(cut(&rest), NULL, 10);
		r.since_wall_ms = strtoll(cut(&rest), NULL, 10);
	}
	r.client = rest;
	row(ctx, &r);
	free(copy);
}

int
leases_each(struct store *store, const struct limit *limit,
    void (*row)(void *, const struct leases_row *), void *ctx)
{
	struct leases_words *w = memory_alloc(sizeof(*w));
	struct store_reply *reply;
	bool holders = true;
	enum store_result r;

	leases_words(w, store, limit, "look", "", "");
	r = store_eval(store, &leases_script, w->key, LEASES_KEYS, w->arg,
	    LEASES_ARGS, &reply);
	free(w);
	if (r != STORE_OK)
		return -1;
	for (size_t i = 5; i < store_reply_count(reply); i++) {
		struct span text = store_reply_text(store_reply_at(reply, i));

		if (span_is(text, "w"))
			holders = false;
		else
			each_row(limit, holders, text, row, ctx);
	}
	store_reply_free(reply);
	return 0;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides what slots_take() would do, for onlookers: nothing is changed, and what
 * dead processes have left is not counted.
 */
#include "config.h"

#include "state/process.h"
#include "state/slots_internal.h"

/* The entries of live processes in the file. */
struct count {
	unsigned used, mine; /* slots, and of them this client's */
	unsigned waiting, mine_waiting, rows; /* rows: taken ones */
};

static void
count_holders(const struct slots_limit *l, unsigned client, struct count *c)
{
	for (unsigned s = 0; s < SLOTS_MAX; s++) {
		uint64_t w = atomic_load(&l->shared->holder[s]);

		if (w == 0 || !process_alive(slots_holder_id(w)))
			continue;
		c->used += s < l->limit->slots;
		c->mine += slots_holder_client(w) == client;
	}
}

static void
count_waiters(const struct slots_limit *l, unsigned client, struct count *c)
{
	unsigned end = slots_rows(l->shared);

	for (unsigned r = 0; r < end; r++) {
		uint64_t owner = atomic_load(&l->shared->owner[r]);
		uint64_t key = atomic_load(&l->shared->key[r]);

		if (owner == 0 || !process_alive(owner))
			continue;
		c->rows += r < l->limit->queue;
		if (key == 0)
			continue;
		c->waiting++;
		c->mine_waiting += slots_key_client(key) == client;
	}
}

enum slots_result
slots_look(struct slots *s, const struct limit *limit, const char *client,
    struct slots_lease *lease)
{
	struct slots_limit *l = &s->limits[limit->index];
	struct count c = { 0 };
	char why[SLOTS_PATH_SIZE];
	unsigned mine;

	*lease = (struct slots_lease){ .slots = s, .limit = limit };
	if (process_look(s->runtime_dir, why, sizeof(why)) == -1)
		return SLOTS_BROKEN;
	mine = slots_queue_find_client(l->shared, client);
	count_holders(l, mine, &c);
	count_waiters(l, mine, &c);
	lease->position = c.waiting + 1;
	lease->retry_after_ms = slots_retry_after_ms(l, c.waiting + 1);
	if (c.waiting == 0 && c.used < limit->slots &&
	    (limit->per_client == 0 || c.mine < limit->per_client))
		return SLOTS_TAKEN;
	if (c.rows >= limit->queue ||
	    slots_queue_is_share(limit, c.waiting, c.mine_waiting))
		return SLOTS_FULL;
	return SLOTS_TIMEOUT;
}

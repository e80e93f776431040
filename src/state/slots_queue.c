/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Who waits for a limit, and who is first: rows in a mapped file, a clock for
 * each client, and the rounds that clear what dead processes have left.  There
 * is no lock; each row has one writer, and one word has its meaning.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "state/slots_internal.h"

/* One request of a client with priority 1. */
#define CLOCK_UNIT (UINT64_C(1) << 20)

static void
raise(_Atomic uint64_t *word, uint64_t to)
{
	uint64_t old = atomic_load(word);

	while (old < to && !atomic_compare_exchange_weak(word, &old, to))
		;
}

/* The operator chooses the names, so nobody can cause collisions. */
static uint64_t
hash_name(const char *name)
{
	return hash_not_0(hash_more(HASH_SEED, name, strlen(name)));
}

unsigned
slots_queue_client(struct slots_shared *sh, const char *name)
{
	uint64_t h = hash_name(name), old;
	unsigned i, n, home = (unsigned)(h % SLOTS_CLIENTS);

	for (n = 0; n < SLOTS_CLIENTS; n++) {
		i = (home + n) % SLOTS_CLIENTS;
		old = atomic_load(&sh->clocks[i].hash);
		if (old == 0 &&
		    atomic_compare_exchange_strong(
			&sh->clocks[i].hash, &old, h))
			return i;
		if (old == h)
			return i;
	}
	return home;
}

unsigned
slots_queue_find_client(struct slots_shared *sh, const char *name)
{
	uint64_t h = hash_name(name), old;
	unsigned i, n, home = (unsigned)(h % SLOTS_CLIENTS);

	for (n = 0; n < SLOTS_CLIENTS; n++) {
		i = (home + n) % SLOTS_CLIENTS;
		old = atomic_load(&sh->clocks[i].hash);
		if (old == h)
			return i;
		if (old == 0)
			return SLOTS_CLIENTS;
	}
	return home;
}

unsigned
slots_queue_held(struct slots_shared *sh, unsigned client)
{
	unsigned s, n = 0;
	uint64_t w;

	for (s = 0; s < SLOTS_MAX; s++) {
		w = atomic_load(&sh->holder[s]);
		n += w != 0 && slots_holder_client(w) == client;
	}
	return n;
}

unsigned
slots_queue_waiting(struct slots_shared *sh)
{
	unsigned r, n = 0, end = slots_rows(sh);

	for (r = 0; r < end; r++)
		n += atomic_load(&sh->key[r]) != 0;
	return n;
}

/* Once per period, over all processes. */
static bool
due(_Atomic int64_t *last, int64_t now_ms, int64_t every_ms)
{
	int64_t was = atomic_load(last);

	/* A time ahead of ours is from another boot. */
	if (was <= now_ms && now_ms - was < every_ms)
		return false;
	return atomic_compare_exchange_strong(last, &was, now_ms);
}

static int
claim_row(struct slots_limit *l, uint64_t id)
{
	struct slots_shared *sh = l->shared;
	uint64_t nobody;
	unsigned r;

	for (r = 0; r < l->limit->queue; r++) {
		nobody = 0;
		if (atomic_load(&sh->owner[r]) == 0 &&
		    atomic_compare_exchange_strong(
			&sh->owner[r], &nobody, id)) {
			raise(&sh->high, r + 1);
			return (int)r;
		}
	}
	return -1;
}

/* A client may have this many times as many waiting as it leaves room for. */
#define SHARE_FACTOR 7
/* A shorter queue is not divided. */
#define SHARE_QUEUE_MIN 8

bool
slots_queue_is_share(const struct limit *limit, unsigned waiting, unsigned mine)
{
	return limit->queue >= SHARE_QUEUE_MIN && mine > 0 &&
	    (waiting + 1 >= limit->queue ||
		mine + 1 > SHARE_FACTOR * (limit->queue - waiting - 1));
}

static bool
has_its_share(struct slots_limit *l, unsigned client)
{
	struct slots_shared *sh = l->shared;
	unsigned r, waiting = 0, mine = 0, end = slots_rows(sh);
	uint64_t key;

	if (l->limit->queue < SHARE_QUEUE_MIN)
		return false;
	for (r = 0; r < end; r++) {
		if ((key = atomic_load(&sh->key[r])) == 0)
			continue;
		waiting++;
		mine += slots_key_client(key) == client;
	}
	return slots_queue_is_share(l->limit, waiting, mine);
}

/* The key is read before the owner: if the key were a later owner's, that
 * owner would be read too, and not the dead one. */
static void
bury_row(struct slots_shared *sh, unsigned row, uint64_t dead)
{
	uint64_t key = atomic_load(&sh->key[row]), owner = dead;

	if (atomic_load(&sh->owner[row]) != dead)
		return;
	if (key != 0 && !atomic_compare_exchange_strong(&sh->key[row], &key, 0))
		return;
	atomic_compare_exchange_strong(&sh->owner[row], &owner, 0);
}

static void
bury_rows_of(struct slots_shared *sh, uint64_t dead)
{
	unsigned r, end = slots_rows(sh);

	for (r = 0; r < end; r++)
		if (atomic_load(&sh->owner[r]) == dead)
			bury_row(sh, r, dead);
}

/* Each new holder of a slot stores its own word: a dead holder's matters
 * only for the count of what its client holds. */
static bool
bury_holders(struct slots_shared *sh)
{
	struct slots_seen alive = { .count = 0 };
	bool any = false;
	uint64_t w;
	unsigned s;

	for (s = 0; s < SLOTS_MAX; s++) {
		w = atomic_load(&sh->holder[s]);
		if (w == 0 || !slots_see(&alive, slots_holder_id(w)))
			continue;
		if (process_alive(slots_holder_id(w)))
			continue;
		/* More rows of the same owner may follow: forget that it was
		 * seen. */
		memset(&alive, 0, sizeof(alive));
		atomic_compare_exchange_strong(&sh->holder[s], &w, 0);
		any = true;
	}
	return any;
}

/* Clears what dead processes have left. */
static void
reap(struct slots_limit *l)
{
	struct slots_shared *sh = l->shared;
	struct slots_seen seen = { .count = 0 };
	unsigned r, end = slots_rows(sh);
	uint64_t owner;

	atomic_store(&sh->reaped_ms, clock_now_ms());
	for (r = 0; r < end; r++) {
		owner = atomic_load(&sh->owner[r]);
		if (owner == 0 || !slots_see(&seen, owner))
			continue;
		if (!process_alive(owner))
			bury_rows_of(sh, owner);
	}
	bury_holders(sh);
}

int
slots_queue_claim(struct slots_limit *l, uint64_t id, unsigned client)
{
	int row;

	if (has_its_share(l, client))
		return -1;
	row = claim_row(l, id);
	if (row == -1 && l->limit->queue > 0 &&
	    due(&l->shared->reaped_ms, clock_now_ms(), 5 * SLOTS_CHECK_MS)) {
		reap(l);
		row = claim_row(l, id);
	}
	return row;
}

void
slots_queue_publish(struct slots_limit *l, int row, unsigned client,
    const struct slots_ask *ask)
{
	struct slots_shared *sh = l->shared;
	struct slots_clock *clock = &sh->clocks[client];
	unsigned cap = l->limit->per_client, priority = ask->priority;
	uint64_t key;

	atomic_store(&sh->swaps[row].model, ask->loads);
	atomic_store(
	    &sh->swaps[row].late_ms, clock_now_ms() + l->limit->swap_wait_ms);
	if (cap > 0xff)
		cap = 0; /* as many as there can be slots: no cap */
	/* Idle time earns no credit. */
	raise(&clock->start, atomic_load(&sh->now));
	atomic_store(&clock->stride, CLOCK_UNIT / (priority ? priority : 1));
	key = (atomic_fetch_add(&sh->seq, 1) + 1) << SLOTS_KEY_SEQ_SHIFT;
	key |= (uint64_t)client << SLOTS_KEY_CLIENT_SHIFT;
	key |= (uint64_t)(l->limit->slots - 1) << SLOTS_KEY_SLOTS_SHIFT;
	atomic_store(&sh->key[row], key | cap);
	slots_meet(sh);
}

void
slots_queue_retract(struct slots_limit *l, int row)
{
	atomic_store(&l->shared->key[row], 0);
	slots_meet(l->shared);
}

void
slots_queue_free(struct slots_limit *l, int row)
{
	atomic_store(&l->shared->owner[row], 0);
}

void
slots_queue_charge(struct slots_limit *l, unsigned client, unsigned priority)
{
	struct slots_shared *sh = l->shared;
	struct slots_clock *clock = &sh->clocks[client];

	raise(&clock->start, atomic_load(&sh->now));
	raise(&sh->now,
	    atomic_fetch_add(
		&clock->start, CLOCK_UNIT / (priority ? priority : 1)));
}

void
slots_queue_use(struct slots_shared *sh, uint64_t model, const char *name)
{
	struct slots_who_text who = { .since_ms = clock_now_ms() };
	uint64_t old = atomic_exchange(&sh->model, model);

	if (old == model)
		return;
	if (old != 0)
		atomic_fetch_add(&sh->switches, 1);
	snprintf(who.model, sizeof(who.model), "%s", name);
	slots_who_store(&sh->in_use, &who);
}

/* --- The dead ------------------------------------------------------------- */

static bool
seems_free(struct slots_shared *sh, unsigned reach)
{
	unsigned s;

	for (s = 0; s < reach; s++)
		if (atomic_load(&sh->holder[s]) == 0)
			return true;
	return false;
}

/* Passes over a first waiter that leaves a free slot alone for too long: its
 * process is stopped, or its tick hangs in a slow client.  It comes back
 * when it looks. */
static void
pass_over(struct slots_shared *sh, int first, int64_t now_ms)
{
	uint64_t key = atomic_load(&sh->key[first]);

	if (key == 0 || atomic_load(&sh->stuck_key) != key) {
		atomic_store(&sh->stuck_ms, now_ms);
		atomic_store(&sh->stuck_key, key);
		return;
	}
	if (now_ms - atomic_load(&sh->stuck_ms) < SLOTS_DORMANT_MS)
		return;
	atomic_compare_exchange_strong(
	    &sh->key[first], &key, key | SLOTS_KEY_DORMANT);
	atomic_store(&sh->stuck_key, 0);
}

bool
slots_queue_check(struct slots_limit *l, int64_t now_ms)
{
	struct slots_shared *sh = l->shared;
	unsigned reach, far;
	uint64_t owner;
	bool wake = false;
	int first;

	if (due(&sh->reaped_ms, now_ms, 50 * SLOTS_CHECK_MS))
		reap(l);
	if (!due(&sh->checked_ms, now_ms, SLOTS_CHECK_MS / 2))
		return false;
	if ((first = slots_order_first(l, 0, &reach, &far)) == -1)
		return bury_holders(sh);
	owner = atomic_load(&sh->owner[first]);
	if (owner != 0 && !process_alive(owner)) {
		bury_rows_of(sh, owner);
		wake = true;
	}
	if (bury_holders(sh))
		wake = true;
	if (seems_free(sh, reach)) {
		pass_over(sh, first, now_ms);
		wake = true;
	} else
		atomic_store(&sh->stuck_key, 0);
	return wake;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Which waiter for a limit is first: reads the rows and the clients' clocks of
 * the mapped queue while others change them, in such a way that no change
 * reverses the order within a client.
 */
#include "config.h"

#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "state/slots_internal.h"

/* How many slots each client holds, counted when first asked for. */
struct held {
	bool counted;
	uint16_t of[SLOTS_CLIENTS];
};

static void
count_held(struct slots_shared *sh, struct held *held)
{
	uint64_t w;
	unsigned s;

	held->counted = true;
	memset(held->of, 0, sizeof(held->of));
	for (s = 0; s < SLOTS_MAX; s++)
		if ((w = atomic_load(&sh->holder[s])) != 0)
			held->of[slots_holder_client(w)]++;
}

/* May it take a slot, when its turn comes and one is free? */
static bool
eligible(struct slots_shared *sh, uint64_t key, struct held *held)
{
	if (key == 0 || (key & SLOTS_KEY_DORMANT))
		return false;
	if (slots_key_cap(key) == 0)
		return true;
	if (!held->counted)
		count_held(sh, held);
	return held->of[slots_key_client(key)] < slots_key_cap(key);
}

/* One look over the queue: what it begins with stays as it is to its end. */
struct look {
	struct slots_shared *sh;
	uint64_t model; /* in use */
	int64_t now_ms;
	struct held held;
};

static void
look_begin(struct look *k, struct slots_shared *sh)
{
	k->sh = sh;
	k->model = atomic_load(&sh->model);
	k->now_ms = clock_now_ms();
	k->held.counted = false;
}

/* Those of a lower one go first; most limits know one only. */
enum class { CLASS_LATE, CLASS_IN_USE, CLASS_OTHER };

static enum class class_of(const struct look *k, unsigned row) {
	uint64_t model = atomic_load(&k->sh->swaps[row].model);

	if (model == 0 ||
	    atomic_load(&k->sh->swaps[row].late_ms) <=
		k->now_ms) return CLASS_LATE;
	return model == k->model ? CLASS_IN_USE : CLASS_OTHER;
}

/* One waiter as it was compared: a clock only ever goes up, so a tag read
 * later is never the smaller one. */
struct rank {
	uint64_t key;
	enum class class;
	uint64_t tag;
};

/* Within a client only the arrival counts: a clock that moves while we look
 * must not reverse its waiters' order. */
static bool
before(const struct rank *a, const struct rank *b)
{
	if (a->class != b->class)
		return a->class < b->class;
	if (slots_key_client(a->key) == slots_key_client(b->key) ||
	    a->tag == b->tag)
		return slots_key_seq(a->key) < slots_key_seq(b->key);
	return a->tag < b->tag;
}

/* False: nobody waits there.  No arrival has a key twice, so what was read
 * between two looks at the same key is of its waiter. */
static bool
rank_of(const struct look *k, unsigned row, struct rank *p)
{
	uint64_t key;

	do {
		if ((key = atomic_load(&k->sh->key[row])) == 0)
			return false;
		p->key = key;
		p->class = class_of(k, row);
	} while (
	    ((atomic_load(&k->sh->key[row]) ^ key) & ~SLOTS_KEY_DORMANT) != 0);
	p->tag = atomic_load(&k->sh->clocks[slots_key_client(key)].start);
	return true;
}

int
slots_order_first(
    struct slots_limit *l, unsigned floor, unsigned *reach, unsigned *far)
{
	struct rank best = { .key = 0 }, p;
	struct look k;
	unsigned r, end = slots_rows(l->shared);
	int first = -1;

	look_begin(&k, l->shared);
	*far = 0;
	for (r = 0; r < end; r++) {
		if (!rank_of(&k, r, &p) || !eligible(k.sh, p.key, &k.held) ||
		    slots_key_slots(p.key) <= floor)
			continue;
		if (slots_key_slots(p.key) > *far)
			*far = slots_key_slots(p.key);
		if (first == -1 || before(&p, &best)) {
			best = p;
			first = (int)r;
		}
	}
	*reach = first == -1 ? 0 : slots_key_slots(best.key);
	return first;
}

/* Its own key, made visible again if it had been passed over. */
static uint64_t
own_key(struct slots_shared *sh, int row)
{
	uint64_t key = atomic_load(&sh->key[row]);

	if (key & SLOTS_KEY_DORMANT)
		key = atomic_fetch_and(&sh->key[row], ~SLOTS_KEY_DORMANT);
	return key & ~SLOTS_KEY_DORMANT;
}

void
slots_order_look(struct slots_limit *l, int row, struct slots_view *v)
{
	struct slots_shared *sh = l->shared;
	struct slots_seen seen = { .count = 0 };
	struct rank mine, p;
	struct look k;
	uint64_t id = atomic_load(&sh->owner[row]), owner;
	unsigned r, end = slots_rows(sh);
	bool lowest = true;

	look_begin(&k, sh);
	mine.key = own_key(sh, row);
	mine.class = class_of(&k, (unsigned)row);
	mine.tag = atomic_load(&sh->clocks[slots_key_client(mine.key)].start);
	v->from = eligible(sh, mine.key, &k.held) ? 0 : UINT_MAX;
	for (r = 0; r < end; r++) {
		if ((int)r == row || !rank_of(&k, r, &p))
			continue;
		if ((int)r < row) {
			owner = atomic_load(&sh->owner[r]);
			lowest = lowest && owner != id;
			slots_see(&seen, owner);
		}
		if (eligible(sh, p.key, &k.held) && before(&p, &mine) &&
		    slots_key_slots(p.key) > v->from)
			v->from = slots_key_slots(p.key);
	}
	v->checker = lowest ? seen.count + 1 : 0;
}

int
slots_order_checker(struct slots_limit *l, uint64_t id)
{
	struct slots_shared *sh = l->shared;
	unsigned r, end = slots_rows(sh);

	for (r = 0; r < end; r++)
		if (atomic_load(&sh->owner[r]) == id &&
		    atomic_load(&sh->key[r]) != 0)
			return (int)r;
	return -1;
}

/* As the order is now: which model comes after the one in use is not known. */
static unsigned
position_in_class(struct slots_shared *sh, int row)
{
	unsigned r, end = slots_rows(sh), position = 1;
	struct rank mine, p;
	struct look k;

	look_begin(&k, sh);
	if (!rank_of(&k, (unsigned)row, &mine))
		return position;
	for (r = 0; r < end; r++)
		position +=
		    (int)r != row && rank_of(&k, r, &p) && before(&p, &mine);
	return position;
}

/* Each client's waiters will start a stride apart. */
unsigned
slots_order_position(struct slots_limit *l, int row)
{
	struct slots_shared *sh = l->shared;
	uint16_t count[SLOTS_CLIENTS] = { 0 };
	unsigned r, c, me, end = slots_rows(sh), position = 1;
	uint64_t mine = atomic_load(&sh->key[row]), key, tag, start, stride, n;

	if (atomic_load(&sh->swaps[row].model) != 0)
		return position_in_class(sh, row);
	me = slots_key_client(mine);
	for (r = 0; r < end; r++) {
		key = atomic_load(&sh->key[r]);
		if (key != 0 &&
		    (slots_key_client(key) != me ||
			slots_key_seq(key) < slots_key_seq(mine)))
			count[slots_key_client(key)]++;
	}
	tag = atomic_load(&sh->clocks[me].start) +
	    count[me] * atomic_load(&sh->clocks[me].stride);
	for (c = 0; c < SLOTS_CLIENTS; c++) {
		if (count[c] == 0)
			continue;
		start = atomic_load(&sh->clocks[c].start);
		stride = atomic_load(&sh->clocks[c].stride);
		if (c == me || stride == 0)
			n = count[c];
		else if (start > tag)
			n = 0;
		else
			n = (tag - start) / stride + 1;
		position += n < count[c] ? (unsigned)n : count[c];
	}
	return position;
}

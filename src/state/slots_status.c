/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Holders and waiters, for the plan and for people: reads the mapped file and
 * changes nothing.
 */
#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "state/slots_internal.h"

_Static_assert(
    sizeof(struct slots_who_text) <= SLOTS_WHO_WORDS * sizeof(uint64_t),
    "a description fits");

void
slots_who_store(struct slots_who *who, const struct slots_who_text *text)
{
	uint64_t words[SLOTS_WHO_WORDS] = { 0 };
	unsigned i;

	memcpy(words, text, sizeof(*text));
	for (i = 0; i < SLOTS_WHO_WORDS; i++)
		atomic_store_explicit(
		    &who->words[i], words[i], memory_order_relaxed);
}

void
slots_who_load(const struct slots_who *who, struct slots_who_text *text)
{
	uint64_t words[SLOTS_WHO_WORDS];
	unsigned i;

	for (i = 0; i < SLOTS_WHO_WORDS; i++)
		words[i] =
		    atomic_load_explicit(&who->words[i], memory_order_relaxed);
	memcpy(text, words, sizeof(*text));
	text->client[sizeof(text->client) - 1] = '\0';
	text->request_id[sizeof(text->request_id) - 1] = '\0';
	text->model[sizeof(text->model) - 1] = '\0';
}

void
slots_fleet_set(
    struct slots *s, const struct limit *limit, unsigned used, unsigned queued)
{
	struct slots_shared *sh = s->limits[limit->index].shared;

	atomic_store(&sh->fleet_used, used);
	atomic_store(&sh->fleet_queued, queued);
	atomic_store(&sh->fleet_ms, clock_now_ms());
}

static void
count_down(_Atomic uint32_t *n)
{
	uint32_t was = atomic_load(n);

	while (was > 0 && !atomic_compare_exchange_weak(n, &was, was - 1))
		continue;
}

void
slots_fleet_back(struct slots *s, const struct limit *limit)
{
	struct slots_shared *sh = s->limits[limit->index].shared;

	count_down(atomic_load(&sh->fleet_queued) > 0 ? &sh->fleet_queued
						      : &sh->fleet_used);
}

int64_t
slots_fleet_age_ms(const struct slots *s, const struct limit *limit)
{
	int64_t at_ms = atomic_load(&s->limits[limit->index].shared->fleet_ms);
	int64_t now_ms = clock_now_ms();

	/* The future is from before a reboot. */
	return at_ms == 0 || at_ms > now_ms ? CLOCK_NEVER : now_ms - at_ms;
}

static void
take_fleet(const struct slots *s, const struct limit *limit,
    const struct slots_shared *sh, struct facts_limit *facts)
{
	if (!limit->shared || slots_fleet_age_ms(s, limit) > SLOTS_FLEET_MS)
		return;
	facts->used = atomic_load(&sh->fleet_used);
	facts->queued = atomic_load(&sh->fleet_queued);
}

void
slots_facts(struct slots *s, struct facts_limit *facts)
{
	struct slots_who_text in_use;
	struct slots_shared *sh;
	unsigned i, slot;

	for (i = 0; i < s->nlimits; i++) {
		sh = s->limits[i].shared;
		facts[i].used = 0;
		for (slot = 0; slot < SLOTS_MAX; slot++)
			facts[i].used += atomic_load(&sh->holder[slot]) != 0;
		facts[i].queued = slots_queue_waiting(sh);
		take_fleet(s, s->limits[i].limit, sh, &facts[i]);
		facts[i].model = atomic_load(&sh->model);
		facts[i].switches = atomic_load(&sh->switches);
		slots_who_load(&sh->in_use, &in_use);
		memcpy(facts[i].model_name, in_use.model,
		    sizeof(facts[i].model_name));
	}
}

struct telling {
	void (*row)(void *, const struct slots_row *);
	void *ctx;
};

static void
tell(const struct telling *t, const struct limit *limit, bool holder,
    const struct slots_who *who, uint64_t id)
{
	struct slots_row row = { .limit = limit, .holder = holder };
	struct slots_who_text text;

	slots_who_load(who, &text);
	memcpy(row.client, text.client, sizeof(row.client));
	memcpy(row.request_id, text.request_id, sizeof(row.request_id));
	memcpy(row.model, text.model, sizeof(row.model));
	row.since_ms = text.since_ms;
	row.pid = process_id_pid(id);
	t->row(t->ctx, &row);
}

static void
tell_limit(const struct slots_limit *l, const struct telling *t)
{
	struct slots_shared *sh = l->shared;
	uint64_t id;
	unsigned i;

	for (i = 0; i < SLOTS_MAX; i++) {
		id = slots_holder_id(atomic_load(&sh->holder[i]));
		if (id != 0 && process_alive(id))
			tell(t, l->limit, true, &sh->holders[i], id);
	}
	for (i = 0; i < SLOTS_QUEUE_MAX; i++) {
		if (atomic_load(&sh->key[i]) == 0)
			continue;
		id = atomic_load(&sh->owner[i]);
		if (id != 0 && process_alive(id))
			tell(t, l->limit, false, &sh->waiters[i], id);
	}
}

void
slots_each(
    struct slots *s, void (*row)(void *, const struct slots_row *), void *ctx)
{
	const struct telling t = { .row = row, .ctx = ctx };
	unsigned i;
	char why[SLOTS_PATH_SIZE];

	if (process_look(s->runtime_dir, why, sizeof(why)) == -1)
		return;
	for (i = 0; i < s->nlimits; i++)
		tell_limit(&s->limits[i], &t);
}

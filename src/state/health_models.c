/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The rows of runtime_dir/models.  If two processes take the same free row at
 * the same time, it contains the later one's name with either one's time: both
 * have just been refused.
 */
#include "config.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "state/health_models.h"
#include "state/mapfile.h"

#define MODELS_MAGIC UINT64_C(0x74676d646c730003) /* "tgmdls", version 3 */
#define NAME_WORDS (HEALTH_HELD_NAME / sizeof(uint64_t))

struct row {
	_Atomic uint64_t key; /* of what is held; 0: free */
	_Atomic uint64_t group;
	_Atomic int64_t until_ms;
	_Atomic uint32_t why; /* enum health_outcome */
	_Atomic uint32_t times; /* held in a row */
	_Atomic uint64_t name[NAME_WORDS]; /* its beginning, for people */
};

struct map {
	_Atomic int64_t until_ms; /* no row is held for longer */
	struct row rows[HEALTH_MODELS_ROWS];
};

struct health_models {
	struct map *map;
};

struct health_models *
health_models_open(const struct config *config)
{
	struct health_models *m = calloc(1, sizeof(*m));

	if (m == NULL)
		fatal("out of memory for the models' health");
	m->map = mapfile_open(config->runtime_dir, "models",
	    MAPFILE_MAGIC(MODELS_MAGIC), sizeof(*m->map));
	/* An onlooker may run before the first server of this version. */
	if (m->map == NULL && !mapfile_only_looks()) {
		free(m);
		return NULL;
	}
	return m;
}

void
health_models_close(struct health_models *m)
{
	if (m == NULL)
		return;
	if (m->map != NULL)
		mapfile_close(m->map, sizeof(*m->map));
	free(m);
}

static bool
is_quiet(const struct health_models *m, int64_t now_ms)
{
	return m->map == NULL || atomic_load(&m->map->until_ms) <= now_ms;
}

struct health_what
health_what_model(const struct provider *p, const char *model)
{
	return (struct health_what){ p, facts_held_key(p, model),
		facts_held_key(p, ""), model };
}

struct health_what
health_what_key(const struct provider *p, size_t key, const char *model)
{
	return (struct health_what){ p, facts_key_key(p, key, model),
		facts_key_key(p, key, ""), model };
}

int64_t
health_models_open_ms(struct health_models *m, const struct health_what *what)
{
	int64_t now_ms = clock_now_ms(), most_ms = 0, left_ms;

	if (is_quiet(m, now_ms))
		return 0;
	for (size_t i = 0; i < HEALTH_MODELS_ROWS; i++) {
		struct row *row = &m->map->rows[i];

		if (atomic_load(&row->key) != what->key)
			continue;
		left_ms = atomic_load(&row->until_ms) - now_ms;
		if (left_ms > most_ms &&
		    facts_held_is_sane(what->provider, left_ms))
			most_ms = left_ms;
	}
	return most_ms;
}

static unsigned
row_times(const struct row *row, const struct provider *p, int64_t now_ms)
{
	int64_t ago_ms = now_ms - atomic_load(&row->until_ms);

	return ago_ms < p->circuit.cooldown_max_ms &&
		facts_held_is_sane(p, -ago_ms)
	    ? atomic_load(&row->times)
	    : 0;
}

unsigned
health_models_times(struct health_models *m, const struct health_what *what)
{
	for (size_t i = 0; m->map != NULL && i < HEALTH_MODELS_ROWS; i++) {
		const struct row *row = &m->map->rows[i];

		if (atomic_load(&row->key) == what->key)
			return row_times(row, what->provider, clock_now_ms());
	}
	return 0;
}

/* Its own row, otherwise one whose time is over, otherwise the one whose
 * time ends first. */
static struct row *
row_take(struct map *map, uint64_t key)
{
	struct row *row = &map->rows[0];

	for (size_t i = 0; i < HEALTH_MODELS_ROWS; i++) {
		if (atomic_load(&map->rows[i].key) == key)
			return &map->rows[i];
		if (atomic_load(&map->rows[i].until_ms) <
		    atomic_load(&row->until_ms))
			row = &map->rows[i];
	}
	atomic_store(&row->until_ms, 0);
	atomic_store(&row->times, 0);
	atomic_store(&row->key, key);
	return row;
}

static void
extend(_Atomic int64_t *until_ms, int64_t to_ms)
{
	int64_t old = atomic_load(until_ms);

	while (
	    old < to_ms && !atomic_compare_exchange_weak(until_ms, &old, to_ms))
		continue;
}

static void
name_store(struct row *row, const char *model)
{
	uint64_t words[NAME_WORDS] = { 0 };

	memcpy(words, model, strnlen(model, HEALTH_HELD_NAME - 1));
	for (size_t i = 0; i < NAME_WORDS; i++)
		atomic_store_explicit(
		    &row->name[i], words[i], memory_order_relaxed);
}

/* A character may be cut, by length or by two concurrent writers; the code
 * that prints the name must cope. */
static void
name_load(const struct row *row, char name[HEALTH_HELD_NAME])
{
	uint64_t words[NAME_WORDS];

	for (size_t i = 0; i < NAME_WORDS; i++)
		words[i] =
		    atomic_load_explicit(&row->name[i], memory_order_relaxed);
	memcpy(name, words, sizeof(words));
	name[HEALTH_HELD_NAME - 1] = '\0';
}

void
health_models_hold(struct health_models *m, const struct health_what *what,
    enum health_outcome why, int64_t ms)
{
	struct row *row = row_take(m->map, what->key);

	/* After a quiet time they are counted anew. */
	if (row_times(row, what->provider, clock_now_ms()) == 0)
		atomic_store(&row->times, 0);
	atomic_fetch_add(&row->times, 1);
	health_models_extend(m, what, why, ms);
}

void
health_models_extend(struct health_models *m, const struct health_what *what,
    enum health_outcome why, int64_t ms)
{
	int64_t now_ms = clock_now_ms();
	struct row *row = row_take(m->map, what->key);

	name_store(row, what->model);
	atomic_store(&row->group, what->group);
	atomic_store(&row->why, why);
	/* The time of a row from before a reboot is further away than any
	 * hold. */
	if (!facts_held_is_sane(
		what->provider, atomic_load(&row->until_ms) - now_ms))
		atomic_store(&row->until_ms, 0);
	extend(&row->until_ms, now_ms + ms);
	extend(&m->map->until_ms, now_ms + ms);
}

void
health_models_each(struct health_models *m, const struct health_what *what,
    void (*each)(void *, const struct health_held *), void *ctx)
{
	int64_t now_ms = clock_now_ms();
	struct health_held held;

	if (is_quiet(m, now_ms))
		return;
	for (size_t i = 0; i < HEALTH_MODELS_ROWS; i++) {
		const struct row *row = &m->map->rows[i];
		uint32_t why = atomic_load(&row->why);

		held.open_ms = atomic_load(&row->until_ms) - now_ms;
		if (held.open_ms <= 0 || why >= HEALTH_OUTCOMES ||
		    atomic_load(&row->group) != what->group ||
		    !facts_held_is_sane(what->provider, held.open_ms))
			continue;
		held.why = why;
		name_load(row, held.model);
		each(ctx, &held);
	}
}

const struct facts_held *
health_models_facts(struct health_models *m, struct arena *arena, size_t *n)
{
	int64_t now_ms = clock_now_ms();
	struct facts_held *out;

	*n = 0;
	if (is_quiet(m, now_ms))
		return NULL;
	out = arena_alloc(arena, HEALTH_MODELS_ROWS * sizeof(*out));
	for (size_t i = 0; i < HEALTH_MODELS_ROWS; i++) {
		struct row *row = &m->map->rows[i];
		int64_t left_ms = atomic_load(&row->until_ms) - now_ms;

		if (left_ms > 0)
			out[(*n)++] = (struct facts_held){
				.key = atomic_load(&row->key),
				.open_ms = left_ms,
			};
	}
	return out;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The rows of runtime_dir/waking: hides how processes agree which of them asks
 * for a host to be woken.
 */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "state/health_internal.h"
#include "state/health_waking.h"

#define WAKING_MAGIC UINT64_C(0x746777616b650001) /* "tgwake", version 1 */
/* Twice as many as there can be providers. */
#define WAKING_ROWS (2 * CONFIG_PROVIDERS_MAX)
/* After a provider was reached, its host counts as awake for this long. */
#define FRESH_MS 5000

struct row {
	_Atomic uint64_t key; /* hash of the provider's name; 0: free */
	_Atomic int64_t reached_ms; /* 0: never; these two: clock_now_ms() */
	_Atomic int64_t asked_ms; /* when a wake was last asked for */
	_Atomic int64_t asleep_wall_ms; /* since when; 0: it is awake */
	_Atomic uint32_t sleeps; /* how often it was found asleep */
	_Atomic uint32_t wakes; /* how often a wake was asked for */
};

/* The requests that wait in one process. */
struct cells {
	_Alignas(64) _Atomic uint64_t process_id;
	_Atomic uint16_t waiting[WAKING_ROWS];
};

struct map {
	struct row rows[WAKING_ROWS];
	struct cells cells[PROCESS_MAX];
};

struct health_waking {
	struct map *map;
	struct cells *self; /* NULL: only looks */
	struct row *rows[CONFIG_PROVIDERS_MAX]; /* NULL: has none */
};

static bool
any_sleeps(const struct config *config)
{
	for (size_t i = 0; i < config->nproviders; i++)
		if (config->providers[i].sleeps)
			return true;
	return false;
}

/* Its row, or a free one, unless the process only looks. */
static struct row *
find(struct map *map, const char *name)
{
	uint64_t key = hash_not_0(hash_more(HASH_SEED, name, strlen(name)));

	for (size_t i = 0; i < WAKING_ROWS; i++) {
		struct row *row = &map->rows[(key + i) % WAKING_ROWS];
		uint64_t seen = atomic_load(&row->key);

		if (seen == 0 && !mapfile_only_looks() &&
		    atomic_compare_exchange_strong(&row->key, &seen, key))
			return row;
		if (seen == key)
			return row;
	}
	return NULL;
}

/* Takes over the cells of a dead process with the same index. */
static void
take_over(struct health_waking *w)
{
	w->self = &w->map->cells[process_index()];
	if (atomic_load(&w->self->process_id) == process_id())
		return;
	for (size_t i = 0; i < WAKING_ROWS; i++)
		atomic_store(&w->self->waiting[i], 0);
	atomic_store(&w->self->process_id, process_id());
}

struct health_waking *
health_waking_open(const struct config *config)
{
	struct health_waking *w;

	errno = 0;
	if (!any_sleeps(config))
		return NULL;
	if ((w = calloc(1, sizeof(*w))) == NULL)
		fatal("out of memory for the hosts that sleep");
	w->map = mapfile_open(config->runtime_dir, "waking",
	    MAPFILE_MAGIC(WAKING_MAGIC), sizeof(*w->map));
	if (w->map == NULL) {
		free(w);
		return NULL;
	}
	if (!mapfile_only_looks())
		take_over(w);
	for (size_t i = 0; i < config->nproviders; i++)
		if (config->providers[i].sleeps)
			w->rows[i] = find(w->map, config->providers[i].name);
	return w;
}

void
health_waking_close(struct health_waking *w)
{
	if (w == NULL)
		return;
	mapfile_close(w->map, sizeof(*w->map));
	free(w);
}

/* NULL: the provider is not woken, or the names of many configurations fill the
 * file. */
static struct row *
row_of(const struct health *h, const struct provider *p)
{
	return h->waking == NULL ? NULL : h->waking->rows[p->index];
}

bool
health_is_awake(struct health *h, const struct provider *p)
{
	struct row *row = row_of(h, p);
	int64_t ms;

	if (row == NULL)
		return true;
	ms = clock_now_ms() - atomic_load(&row->reached_ms);
	return atomic_load(&row->reached_ms) != 0 && ms >= 0 && ms < FRESH_MS &&
	    atomic_load(&row->asleep_wall_ms) == 0;
}

void
health_reached(struct health *h, const struct provider *p)
{
	struct row *row = row_of(h, p);

	if (row == NULL)
		return;
	atomic_store(&row->reached_ms, clock_now_ms());
	if (atomic_exchange(&row->asleep_wall_ms, 0) != 0)
		log_info("provider %s: its host is awake", p->name);
}

void
health_sleeps(struct health *h, const struct provider *p)
{
	struct row *row = row_of(h, p);
	int64_t awake = 0;

	if (row == NULL ||
	    !atomic_compare_exchange_strong(
		&row->asleep_wall_ms, &awake, clock_wall_ms()))
		return;
	atomic_fetch_add(&row->sleeps, 1);
	log_info("provider %s: its host is asleep", p->name);
}

uint32_t
health_sleep_count(struct health *h, const struct provider *p)
{
	struct row *row = row_of(h, p);

	return row == NULL ? 0 : atomic_load(&row->sleeps);
}

/* A time in the future is from before a reboot. */
bool
health_may_wake(struct health *h, const struct provider *p, int64_t every_ms)
{
	struct row *row = row_of(h, p);
	int64_t now_ms = clock_now_ms(), asked_ms;

	if (row == NULL)
		return true;
	asked_ms = atomic_load(&row->asked_ms);
	if (asked_ms != 0 && asked_ms <= now_ms && now_ms - asked_ms < every_ms)
		return false;
	if (!atomic_compare_exchange_strong(&row->asked_ms, &asked_ms, now_ms))
		return false;
	atomic_fetch_add(&row->wakes, 1);
	return true;
}

bool
health_wake_join(struct health *h, const struct provider *p)
{
	struct row *row = row_of(h, p);
	_Atomic uint16_t *cell;

	if (row == NULL)
		return true;
	cell = &h->waking->self->waiting[row - h->waking->map->rows];
	if (atomic_load(cell) >= p->wake.queue)
		return false;
	atomic_fetch_add(cell, 1);
	return true;
}

void
health_wake_leave(struct health *h, const struct provider *p)
{
	struct row *row = row_of(h, p);

	if (row != NULL)
		atomic_fetch_sub(
		    &h->waking->self->waiting[row - h->waking->map->rows], 1);
}

static unsigned
waiting(const struct health *h, const struct row *row)
{
	size_t at = (size_t)(row - h->waking->map->rows);
	unsigned sum = 0, top = atomic_load(&h->map->top);

	for (size_t i = 0; i < top && i < PROCESS_MAX; i++) {
		struct cells *cells = &h->waking->map->cells[i];
		unsigned n = atomic_load(&cells->waiting[at]);

		if (n != 0 && process_alive(atomic_load(&cells->process_id)))
			sum += n;
	}
	return sum;
}

void
health_wake_row(
    struct health *h, const struct provider *p, struct facts_sleep *out)
{
	struct row *row = row_of(h, p);

	*out = (struct facts_sleep){ .since_wall_ms = 0 };
	if (row == NULL)
		return;
	out->since_wall_ms = atomic_load(&row->asleep_wall_ms);
	out->wakes = atomic_load(&row->wakes);
	out->waiting = waiting(h, row);
}

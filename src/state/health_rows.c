/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The mapped file runtime_dir/health: hides how a provider finds its row and
 * what a process takes over from the one that had its index before.
 */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "state/health_internal.h"
#include "state/health_models.h"
#include "state/health_waking.h"
#include "state/process.h"

#define HEALTH_MAGIC UINT64_C(0x7467686c74680002) /* "tghlth", version 2 */

/* FNV-1a; never 0. */
static uint64_t
key_of(const char *name)
{
	return hash_not_0(hash_more(HASH_SEED, name, strlen(name)));
}

static void
row_clear(struct health_map *map, struct health_entry *row)
{
	atomic_store(&row->circuit, 0);
	atomic_store(&row->fleet, 0);
	atomic_store(&row->since_wall_ms, 0);
	atomic_store(&row->last_error, 0);
	atomic_store(&row->requests, 0);
	atomic_store(&row->errors, 0);
	atomic_store(&row->p50, 0);
	atomic_store(&row->opened_boot_ms, 0);
	for (size_t i = 0; i < HEALTH_SAMPLES; i++)
		atomic_store(&row->samples[i], 0);
	for (size_t i = 0; i < PROCESS_MAX; i++)
		atomic_store(&map->cells[i].row[row - map->rows], 0);
}

/* All rows are taken: reuses the one whose provider has been unused for
 * longest. */
static struct health_entry *
row_reuse(struct health_map *map, uint64_t key)
{
	struct health_entry *oldest = &map->rows[0];
	uint64_t old;

	for (size_t i = 1; i < HEALTH_ROWS; i++)
		if (atomic_load(&map->rows[i].used_wall_ms) <
		    atomic_load(&oldest->used_wall_ms))
			oldest = &map->rows[i];
	old = atomic_load(&oldest->key);
	if (!atomic_compare_exchange_strong(&oldest->key, &old, key))
		return NULL;
	row_clear(map, oldest);
	return oldest;
}

static struct health_entry *
row_find(struct health_map *map, uint64_t key)
{
	struct health_entry *row;

	do {
		for (size_t i = 0; i < HEALTH_ROWS; i++) {
			uint64_t seen = 0;

			row = &map->rows[(key + i) % HEALTH_ROWS];
			if (atomic_compare_exchange_strong(
				&row->key, &seen, key) ||
			    seen == key)
				return row;
		}
	} while ((row = row_reuse(map, key)) == NULL);
	return row;
}

static void
trial_give_back(struct health_entry *row, unsigned owner)
{
	uint64_t word = atomic_load(&row->circuit);
	struct circuit_view v = circuit_view(word);

	if (v.state == CIRCUIT_TRIAL && v.owner == owner)
		atomic_compare_exchange_strong(&row->circuit, &word,
		    circuit_abandoned(word, true, clock_now_ms()));
}

/* Ends what the last process with our index had under way. */
static void
take_over(struct health *h)
{
	uint32_t top = atomic_load(&h->map->top);

	h->self_index = (unsigned)process_index();
	h->self = &h->map->cells[h->self_index];
	if (atomic_load(&h->self->process_id) != process_id()) {
		atomic_store(&h->self->all, 0);
		for (size_t i = 0; i < HEALTH_ROWS; i++) {
			atomic_store(&h->self->row[i], 0);
			trial_give_back(&h->map->rows[i], h->self_index);
		}
		atomic_store(&h->self->process_id, process_id());
	}
	while (top <= h->self_index &&
	    !atomic_compare_exchange_weak(
		&h->map->top, &top, h->self_index + 1))
		continue;
}

/* Providers that nobody has used yet share an empty row. */
static void
look_at_rows(struct health *h)
{
	static struct health_entry never_asked;

	h->self_index = PROCESS_MAX;
	for (size_t i = 0; i < h->config->nproviders; i++) {
		uint64_t key = key_of(h->config->providers[i].name);

		h->rows[i] = &never_asked;
		for (size_t at = 0; at < HEALTH_ROWS; at++) {
			struct health_entry *row =
			    &h->map->rows[(key + at) % HEALTH_ROWS];

			if (atomic_load(&row->key) == key)
				h->rows[i] = row;
		}
	}
}

struct health *
health_open(const struct config *config, char *why, size_t size)
{
	struct health *h;

	if (mapfile_check_dir(config->runtime_dir, why, size) == -1 ||
	    (mapfile_only_looks()
		    ? process_look(config->runtime_dir, why, size)
		    : process_open(config->runtime_dir, why, size)) == -1)
		return NULL;
	if ((h = calloc(1, sizeof(*h))) == NULL)
		fatal("out of memory for the providers' health");
	h->config = config;
	h->map = mapfile_open(config->runtime_dir, "health",
	    MAPFILE_MAGIC(HEALTH_MAGIC), sizeof(*h->map));
	if (h->map == NULL) {
		snprintf(why, size, "%s/health: %s", config->runtime_dir,
		    mapfile_error(errno));
		free(h);
		return NULL;
	}
	h->models = health_models_open(config);
	if (h->models == NULL) {
		snprintf(why, size, "%s/models: %s", config->runtime_dir,
		    mapfile_error(errno));
		mapfile_close(h->map, sizeof(*h->map));
		free(h);
		return NULL;
	}
	/* An onlooker may run before the first server that makes it. */
	h->waking = health_waking_open(config);
	if (h->waking == NULL && errno != 0 && !mapfile_only_looks()) {
		snprintf(why, size, "%s/waking: %s", config->runtime_dir,
		    mapfile_error(errno));
		health_close(h);
		return NULL;
	}
	if (mapfile_only_looks()) {
		look_at_rows(h);
		return h;
	}
	take_over(h);
	for (size_t i = 0; i < config->nproviders; i++) {
		h->rows[i] =
		    row_find(h->map, key_of(config->providers[i].name));
		atomic_store(&h->rows[i]->used_wall_ms, clock_wall_ms());
	}
	return h;
}

void
health_close(struct health *h)
{
	if (h == NULL)
		return;
	health_waking_close(h->waking);
	health_models_close(h->models);
	mapfile_close(h->map, sizeof(*h->map));
	free(h);
}

/* A model that finds no row of its own shares one. */
uint32_t
health_rotate(struct health *h, const struct model *model)
{
	uint64_t key = key_of(model->id), seen;
	struct health_rotation *rotation = NULL;

	for (size_t i = 0; i < HEALTH_ROTATIONS; i++) {
		rotation = &h->map->rotations[(key + i) % HEALTH_ROTATIONS];
		seen = atomic_load(&rotation->key);
		if (seen == key ||
		    (seen == 0 &&
			(atomic_compare_exchange_strong(
			     &rotation->key, &seen, key) ||
			    seen == key)))
			break;
	}
	return atomic_fetch_add(&rotation->next, 1);
}

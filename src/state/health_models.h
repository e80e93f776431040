/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What a provider does not serve for now, while it serves the rest: a model
 * that is rate limited or loading, one of its keys that was refused or limited,
 * altogether or for a model.
 *
 * Rows in a mapped file, found by a hash of their subject.  A row only says
 * until when that is left alone, so a crash at any point costs at most one
 * cooldown_max, and a row whose time is over is free.  While nothing is held,
 * asking costs one load.
 */
#ifndef STATE_HEALTH_MODELS_H
#define STATE_HEALTH_MODELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "config/settings.h"
#include "policy/plan.h"
#include "state/health.h"

#define HEALTH_MODELS_ROWS 256

struct health_models;

/* Maps runtime_dir/models.  NULL with errno as of mapfile_open(). */
struct health_models *health_models_open(const struct config *);
void health_models_close(struct health_models *);

/* The subject of a row. */
struct health_what {
	const struct provider *provider;
	uint64_t key; /* facts_held_key(), facts_key_key() */
	uint64_t group; /* those that are shown together: the same with "" */
	const char *model; /* for people */
};
struct health_what health_what_model(const struct provider *, const char *);
struct health_what
health_what_key(const struct provider *, size_t key, const char *model);

/* How long that is left alone; 0: it may be used. */
int64_t
health_models_open_ms(struct health_models *, const struct health_what *);
/* Leaves it alone for ms; why is for people. */
void health_models_hold(struct health_models *, const struct health_what *,
    enum health_outcome why, int64_t ms);
/* The same for what another host has found: it does not count as one more
 * time. */
void health_models_extend(struct health_models *, const struct health_what *,
    enum health_outcome why, int64_t ms);
/* How often it was held before, each time within its provider's cooldown_max
 * after the last hold had ended. */
unsigned
health_models_times(struct health_models *, const struct health_what *);
/* Those of one group, for people. */
void health_models_each(struct health_models *, const struct health_what *,
    void (*each)(void *, const struct health_held *), void *ctx);
/* All that are held, for the plan's facts; NULL and 0 if none is. */
const struct facts_held *
health_models_facts(struct health_models *, struct arena *, size_t *n);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Models that a provider does not serve for now, while it serves others: a
 * 429 for one of them, or one that is loading.
 *
 * Rows in a mapped file, found by provider and upstream model.  A row only
 * says until when its model is left alone, so a crash at any point costs at
 * most one cooldown_max, and a row whose time is over is free.  While no
 * model is held, asking costs one load.
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

/* How long the model is left alone at this provider; 0: it may be asked. */
int64_t health_models_open_ms(
    struct health_models *, const struct provider *, const char *model);
/* Leaves it alone for ms; limited: because of a 429. */
void health_models_hold(struct health_models *, const struct provider *,
    const char *model, bool limited, int64_t ms);
/* Those of one provider, for people. */
void health_models_each(struct health_models *, const struct provider *,
    void (*each)(void *, const struct health_held *), void *ctx);
/* All that are held, for the plan's facts; NULL and 0 if none is. */
const struct facts_held *
health_models_facts(struct health_models *, struct arena *, size_t *n);

#endif

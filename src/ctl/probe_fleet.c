/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides that a probe is a process of the fleet for as long as it runs.  It
 * listens to nothing: it asks before each trial.
 */
#include "config.h"

#include <stdlib.h>

#include "base/memory.h"
#include "ctl/probe_fleet.h"
#include "fleet/circuits.h"

struct probe_fleet {
	struct health *health;
	struct store *store;
	struct circuits *circuits;
};

struct probe_fleet *
probe_fleet_join(const struct config *config, struct health *health)
{
	struct store *store = health == NULL ? NULL : store_new(config);
	struct probe_fleet *f;

	if (store == NULL)
		return NULL;
	f = memory_zero(sizeof(*f));
	f->health = health;
	f->store = store;
	f->circuits = circuits_new(config, store, health);
	return f;
}

void
probe_fleet_leave(struct probe_fleet *f)
{
	if (f == NULL)
		return;
	circuits_end(f->circuits);
	store_end(f->store);
}

void
probe_fleet_free(struct probe_fleet *f)
{
	const struct health_fleet nobody = { .ctx = NULL };

	if (f == NULL)
		return;
	health_join(f->health, &nobody);
	circuits_free(f->circuits);
	store_free(f->store);
	free(f);
}

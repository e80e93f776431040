/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * `tailgate probe` and circuits that hosts share: a probe asks the fleet if it
 * is the trial that is due, and reports how the trial went.
 */
#ifndef CTL_PROBE_FLEET_H
#define CTL_PROBE_FLEET_H

#include "config/settings.h"
#include "state/health.h"

struct probe_fleet;

/* NULL: there is no store.  Before the loop; both must outlive it. */
struct probe_fleet *probe_fleet_join(const struct config *, struct health *);
/* Called by a task, when the last provider was asked.  NULL: does nothing. */
void probe_fleet_leave(struct probe_fleet *);
/* After the loop. */
void probe_fleet_free(struct probe_fleet *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Which providers' hosts are asleep, as far as is known, and which process asks
 * for a host to be woken: only one at a time, however many processes and
 * requests wait.
 *
 * A mapped file, runtime_dir/waking, has a row for each provider, found by its
 * name.  It also has the number of waiting requests of each process; those of a
 * dead process do not count.  Without the file (no provider is woken), every
 * host counts as awake.
 */
#ifndef STATE_HEALTH_WAKING_H
#define STATE_HEALTH_WAKING_H

#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"
#include "state/health.h"

struct health_waking;

/* Maps it, if a provider of the configuration is woken; else NULL with errno
 * 0.  NULL with errno as of mapfile_open(). */
struct health_waking *health_waking_open(const struct config *);
void health_waking_close(struct health_waking *);

#endif

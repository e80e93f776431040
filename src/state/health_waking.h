/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Which providers' hosts are asleep, as far as is known, and who asks for them
 * to be woken: of many processes with many requests, one at a time does.
 *
 * Rows in a mapped file, runtime_dir/waking, found by the provider's name, and
 * for each process how many of its requests wait; a dead process's do not
 * count.  Without the file (no provider is woken) every host counts as awake.
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

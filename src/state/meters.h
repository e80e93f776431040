/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Counters and histograms for GET /metrics, in a mapped file: they survive
 * crashes and reloads and never go down.
 */
#ifndef STATE_METERS_H
#define STATE_METERS_H

#include <stdbool.h>

#include "base/buf.h"
#include "config/settings.h"
#include "state/entry.h"
#include "state/health.h"
#include "state/slots.h"

struct meters;

struct meters *meters_open(const struct config *, char *why, size_t size);
void meters_close(struct meters *);
void meters_add(struct meters *, const struct entry *);

/* Requests that this process holds. */
void meters_busy(struct meters *, int delta);
/* As many as it may hold. */
void meters_capacity(struct meters *, unsigned requests);
/* Records how long one of its tasks has kept the others waiting. */
void meters_turn(struct meters *, int64_t ns);
/* The longest of those, in all processes that serve. */
unsigned meters_longest_turn_us(struct meters *);
/* Its lines that wait (ledger_write_behind()). */
void meters_unwritten(void *meters, int delta);
/* Its lines of the log that wait (log_write_behind()). */
void meters_unlogged(void *meters, int delta);

/* The parts of the sandbox that confine this process (enum sandbox_force). */
void meters_sandbox(struct meters *, unsigned force);
/* The parts that confine all serving processes; false if none serves. */
bool meters_sandbox_least(struct meters *, unsigned *force);

/* What a process knows of the store (fleet/store.h); calls and failed of its
 * life so far. */
struct meters_store {
	bool up;
	int64_t since_wall_ms; /* of up or away; 0: never up */
	uint64_t calls, failed;
	int64_t mean_us; /* of a call; 0: not known */
};
void meters_store(struct meters *, const struct meters_store *);
struct meters_store_sum {
	unsigned up, away; /* processes */
	int64_t since_wall_ms; /* of the last change of one of them */
	uint64_t calls, failed; /* of all processes that ever were */
	int64_t mean_us; /* of those that are up */
};
/* False: no process has a store. */
bool meters_store_sum(struct meters *, struct meters_store_sum *);

/* The Prometheus text format (version 0.0.4).  health and slots may be NULL:
 * what they know is left out then. */
void
meters_text(struct meters *, struct health *, struct slots *, struct buf *);

#endif

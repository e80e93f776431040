/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The layout of runtime_dir/health, which health_rows.c maps, health.c changes
 * and health_facts.c reads.
 */
#ifndef STATE_HEALTH_INTERNAL_H
#define STATE_HEALTH_INTERNAL_H

#include <stdatomic.h>

#include "state/circuit.h"
#include "state/health.h"
#include "state/mapfile.h"
#include "state/process.h"

/* Twice CONFIG_PROVIDERS_MAX: a reload that renames all of them finds room. */
#define HEALTH_ROWS 512
#define HEALTH_ROTATIONS 1024
#define HEALTH_SAMPLES 32

struct health_entry {
	_Alignas(64) _Atomic uint64_t key; /* 0: free */
	_Atomic uint64_t circuit;
	_Atomic uint64_t
	    fleet; /* the circuit that hosts share: the same form */
	_Atomic int64_t since_wall_ms;
	_Atomic int64_t used_wall_ms;
	_Atomic uint64_t last_error; /* outcome and wall ms */
	_Atomic uint64_t requests, errors;
	_Atomic uint32_t next; /* of samples */
	_Atomic uint32_t p50; /* ms + 1; 0: not known */
	/* clock_boot_ms() when this host last opened it for the fleet */
	_Atomic int64_t opened_boot_ms; /* 0: never */
	_Alignas(64) _Atomic uint32_t samples[HEALTH_SAMPLES]; /* ms + 1 */
};

struct health_rotation {
	_Atomic uint64_t key;
	_Atomic uint32_t next;
};

/* What one process has in flight; ignored once it is dead, zeroed by the
 * next process with its index. */
struct health_cells {
	_Alignas(64) _Atomic uint64_t process_id;
	_Atomic uint16_t all;
	_Atomic uint16_t row[HEALTH_ROWS];
};

struct health_map {
	struct health_entry rows[HEALTH_ROWS];
	struct health_rotation rotations[HEALTH_ROTATIONS];
	_Atomic uint32_t top; /* indexes from here on were never used */
	struct health_cells cells[PROCESS_MAX];
};

_Static_assert(PROCESS_MAX <= CIRCUIT_OWNERS, "a trial's owner must fit");

struct health {
	struct health_map *map;
	struct health_models *models;
	struct health_waking *waking; /* NULL: no provider is woken */
	const struct config *config;
	struct health_cells *self;
	unsigned self_index;
	struct health_fleet fleet; /* all NULL: no process of a fleet */
	/* By the provider's index. */
	struct health_entry *rows[CONFIG_PROVIDERS_MAX];
	/* When others were last seen alive: asking the kernel costs more than
	 * all the rest of a request's facts. */
	_Atomic int64_t seen_ms[PROCESS_MAX];
};

/* The request that a task has under way: one at a time, with one provider at
 * a time. */
struct health_under_way {
	const struct health_entry *trial_row;
	uint64_t trial_word;
	const struct health_entry *begun;
	const struct health_entry
	    *fleet_row; /* it is the fleet's trial of it */
	uint64_t fleet_trial;
};
struct health_under_way *health_under_way(void);

/* How long a trial may take without a result. */
int64_t health_lease_ms(const struct provider *);
/* How long the circuit with this word stays open; 0: closed, -1: a trial is
 * due. */
int64_t health_open_ms(
    struct health *, const struct provider *, uint64_t word, int64_t now_ms);

/* ---- health_fleet.c ---- */

/* The same of the circuit that hosts share; 0 too if there is no store. */
int64_t
health_fleet_open_ms(struct health *, const struct provider *, int64_t now_ms);
/* Both together. */
int64_t health_either_ms(int64_t own_ms, int64_t fleet_ms);
/* May the request go, as far as the fleet is concerned?  May wait for the
 * store.  If it is the fleet's trial, health_under_way() says so. */
bool
health_fleet_admit(struct health *, const struct provider *, int64_t *wait_ms);
/* The request has ended (or answered), and has changed the host's own circuit
 * from one word to the other. */
void health_fleet_report(struct health *, const struct provider *,
    uint64_t from, uint64_t to, enum health_outcome, int64_t retry_after_ms);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Requests that are not in the ledger, counted until a line can report them;
 * and whether lines can be written now.  Shared by all processes of a
 * runtime_dir, so that a process that can write reports what another could not.
 */
#ifndef LEDGER_GAP_H
#define LEDGER_GAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "state/status.h"

/* The requests of one process that were sent to a provider and have not ended,
 * and the lines that the ledger's process has not confirmed: if the process is
 * killed, they are lost.  Lines whose confirmation was on its way are then
 * counted although they exist: better than a lost line that nobody reports. */
struct ledger_gap_way {
	_Atomic int32_t pid; /* 0: nobody's; negative: that of a process which
				counts what a dead one has left */
	_Atomic int32_t lines, external;
	_Atomic int64_t since_ms; /* of the first since there were none */
};
#define LEDGER_GAP_WAYS 256

struct ledger_gap {
	_Atomic uint64_t lost; /* requests */
	_Atomic uint64_t external; /* of them sent to an external provider */
	_Atomic uint64_t total; /* lost since the file was made, told or not */
	_Atomic int64_t since_ms, until_ms; /* wall clock: of the first, the
					       last; 0: none */
	_Atomic int64_t failed_ms; /* clock_now_ms() of the last failure to
				      write, or wait that was too long; 0: none
				      since a success */
	struct ledger_gap_way ways[LEDGER_GAP_WAYS];
};

/* The one under runtime_dir; if that can't be used, one of this process's
 * own, and a warning.  Never NULL. */
struct ledger_gap *ledger_gap_open(const char *runtime_dir);
void ledger_gap_close(struct ledger_gap *);

/* Counts one more request, which began then. */
void ledger_gap_add(struct ledger_gap *, bool external, int64_t wall_ms);
/* Takes off what a line has reported. */
void ledger_gap_told(struct ledger_gap *, uint64_t lost, uint64_t external);

/* An entry for this process, one of its own if none is free; counts what dead
 * ones have left.  Looks with kill(2) whether they are dead, so a worker calls
 * it before it is confined. */
struct ledger_gap_way *ledger_gap_enter(struct ledger_gap *);
/* So many more requests or lines are on their way, or fewer.  Way NULL:
 * nothing. */
void ledger_gap_on_way(
    struct ledger_gap_way *, int lines, int external, int64_t wall_ms);
/* The process ends: counts what is still on its way as lost, and returns how
 * many.  The entry is free; in_use: only once the process is dead, because a
 * thread of it may still count there.  Way NULL: nothing. */
unsigned ledger_gap_leave(
    struct ledger_gap *, struct ledger_gap_way *, bool in_use);
/* A process has died: counts what was on its way as lost.  For its parent. */
void ledger_gap_died(const char *runtime_dir, int pid);

void ledger_gap_failed(struct ledger_gap *);
void ledger_gap_works(struct ledger_gap *);
/* True if a process has just failed to write, and none has succeeded since. */
bool ledger_gap_fails(const struct ledger_gap *);
void ledger_gap_status(const struct ledger_gap *, struct status_ledger *out);

#endif

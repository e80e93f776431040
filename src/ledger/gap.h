/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Requests that are not in the ledger, counted until a line can tell of them;
 * and whether lines can be written now.  Shared by all processes of a
 * runtime_dir, so that a process that can write tells of what another could
 * not.
 */
#ifndef LEDGER_GAP_H
#define LEDGER_GAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What one process has that the ledger's process has not said to be written:
 * lost with it, if it is killed.  Lines whose reply was on its way then are
 * counted although they are there: better than one that nobody tells of. */
struct ledger_gap_way {
	_Atomic int32_t pid; /* 0: nobody's */
	_Atomic int32_t lines, external;
	_Atomic int64_t since_ms;
};
#define LEDGER_GAP_WAYS 256

struct ledger_gap {
	_Atomic uint64_t lost; /* requests */
	_Atomic uint64_t external; /* of them sent to an external provider */
	_Atomic uint64_t total; /* lost since the file was made, told or not */
	_Atomic int64_t since_ms, until_ms; /* wall clock: of the first, the
					       last; 0: none */
	_Atomic int64_t failed_ms; /* clock_now_ms() of the last failure to
				      write; 0: none since a success */
	struct ledger_gap_way ways[LEDGER_GAP_WAYS];
};

/* The one under runtime_dir; where that can't be used, one of this process's
 * own, and a warning.  Never NULL. */
struct ledger_gap *ledger_gap_open(const char *runtime_dir);
void ledger_gap_close(struct ledger_gap *);

/* One more, of a request that began then. */
void ledger_gap_add(struct ledger_gap *, bool external, int64_t wall_ms);
/* What was told in a line is no longer to be told. */
void ledger_gap_told(struct ledger_gap *, uint64_t lost, uint64_t external);

/* One of its own for this process, and what dead ones have left is counted;
 * NULL: there are none left. */
struct ledger_gap_way *ledger_gap_enter(struct ledger_gap *);
/* So many more lines are on their way, or fewer.  Way NULL: nothing. */
void ledger_gap_on_way(
    struct ledger_gap_way *, int lines, int external, int64_t wall_ms);
/* Nothing is on its way any more; the place is free. */
void ledger_gap_leave(struct ledger_gap_way *);
/* This process has died: what it had under way is lost.  For its parent. */
void ledger_gap_died(const char *runtime_dir, int pid);

void ledger_gap_failed(struct ledger_gap *);
void ledger_gap_works(struct ledger_gap *);
/* Somebody has just failed to write, and nobody has succeeded since. */
bool ledger_gap_fails(const struct ledger_gap *);

#endif

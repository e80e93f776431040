/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The ledger: one JSON line per request, appended whole, each chained to the
 * one before by its hash.  tailgate.ledger(5) describes it for readers.  It
 * never has content or keys.
 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "config/settings.h"
#include "state/entry.h"
#include "state/status.h"

struct ledger;

/* Lines are written by a process that does nothing else (keeper.h).
 *
 * ledger_join uses an existing one; desk is the serving processes' end of
 * its desk, and stays the caller's.  ledger_open forks one of its own; call
 * it before there are threads.  NULL with one line in why.  One per process
 * (after fork, not before), shared by its threads.  If config->ledger is
 * false it writes nothing. */
struct ledger *ledger_join(
    const struct config *, int desk, char *why, size_t size);
struct ledger *ledger_open(const struct config *, char *why, size_t size);
/* Nobody else uses it any more.  Waiting lines are written, if that is
 * possible within LEDGER_CLOSE_MS; otherwise they are counted as lost. */
#define LEDGER_CLOSE_MS 2000
void ledger_close(struct ledger *);

/* From now on a separate thread writes lines some milliseconds after they
 * were queued, together with those that came meanwhile; if the process is
 * killed, they are lost.  waiting() gets by how many more, or fewer, wait.
 * Call it once, before any ledger_write(). */
void ledger_write_behind(
    struct ledger *, void (*waiting)(void *ctx, int delta), void *ctx);

/* Never fails a request, and never waits for the disk if there is a writing
 * thread.  What can't be written waits in memory, up to the bounds below,
 * and is tried again; lines beyond the bounds are logged (once a minute) and
 * counted, and a separate line reports them as soon as one can be written.
 * Without such a thread it waits LEDGER_PATIENCE_MS at the most, and
 * LEDGER_HURRY_MS if another has just waited in vain. */
#define LEDGER_WAITING_LINES 4096
#define LEDGER_WAITING_BYTES (8 * 1024 * 1024)
/* Lines of what was sent to an external provider may come to so many times as
 * much: their number is bounded by the requests that were under way. */
#define LEDGER_WAITING_EXTERNAL 2
#define LEDGER_PATIENCE_MS 2000
#define LEDGER_HURRY_MS 250
void ledger_write(struct ledger *, const struct entry *);

/* The request is about to be sent to a provider of that place: if the process
 * is killed before it has written the request's line, it counts as lost. */
void ledger_sending(struct ledger *, struct entry *, enum place);

/* Are requests being recorded?  False when a line has waited for
 * LEDGER_PATIENCE_MS, or when this process or a neighbour has just failed to
 * write and has not succeeded since.  Costs no system call but for the time. */
bool ledger_keeps(struct ledger *);

/* Returns when nothing waits any more, or until_ms (clock_now_ms()) has
 * come. */
void ledger_flush(struct ledger *, int64_t until_ms);
/* Before the process ends at once: counts what still waits, and requests that
 * were sent and have not ended, as lost. */
void ledger_give_up(struct ledger *);
/* False: there is none. */
bool ledger_status(struct ledger *, struct status_ledger *out);
/* Lines that this process could not write. */
uint64_t ledger_lost(struct ledger *);

#endif

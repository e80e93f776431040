/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The account: one JSON line per request, appended whole, each chained to the
 * one before by its hash.  Described for readers in
 * tailgate.ledger(5).  No content, no key, ever.
 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "state/entry.h"

struct ledger;

/* NULL with one line in why.  One per process (after fork, not before: its
 * lock is its own), shared by its threads.  Where config->ledger is false it
 * writes nothing. */
struct ledger *ledger_open(const struct config *, char *why, size_t size);
/* Nobody else uses it any more; what waits is written. */
void ledger_close(struct ledger *);

/* From now on a thread of its own writes, some milliseconds after a line was
 * brought, all that were brought meanwhile; a process that is killed takes
 * those with it.  waiting() is told by how many more, or fewer, wait.  To be
 * called once, before any ledger_write(). */
void ledger_write_behind(
    struct ledger *, void (*waiting)(void *ctx, int delta), void *ctx);

/* Never fails a request: what cannot be written is logged (once a minute)
 * and counted.  When it returns the line is in the file, or waits for another
 * thread to write it. */
void ledger_write(struct ledger *, const struct entry *);
/* Returns when nothing waits any more, or until_ms (clock_now_ms()) has
 * come. */
void ledger_flush(struct ledger *, int64_t until_ms);
/* Lines that this process could not write. */
uint64_t ledger_lost(struct ledger *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How lines get from a serving process to the ledger's process, which alone can
 * write them.  Between ledger.c and post.c only.
 *
 * It may hang for as long as a disk does, and it may be killed: nobody waits
 * for it without a bound, and lines whose fate is unknown are sent again,
 * marked, to its successor.
 */
#ifndef LEDGER_POST_H
#define LEDGER_POST_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/draft.h"
#include "ledger/gap.h"

struct ledger_post;

/* desk: frame.h; it stays the caller's.  NULL with one line in why: the
 * ledger's process does not answer within the ledger's patience, or says that
 * it cannot write. */
struct ledger_post *ledger_post_open(int desk, char *why, size_t size);
void ledger_post_close(struct ledger_post *);
/* What is handed over is no longer on its way; NULL: nobody counts. */
void ledger_post_count(struct ledger_post *, struct ledger_gap_way *);

/* Removes from the list, and frees, lines that are written or counted in the
 * gap. Takes until until_ms (clock_now_ms()) at most; -1: some are left,
 * still in their order, and errno says why (EWOULDBLOCK: another process
 * held the lock, ETIMEDOUT: no reply yet).  The list must come again, with
 * more after it or without.  One thread at a time. */
int ledger_post_append(
    struct ledger_post *, struct ledger_drafts *, int64_t until_ms);

#endif

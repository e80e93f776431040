/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The ledger's file.  Between keeper.c and file*.c only.
 */
#ifndef LEDGER_FILE_H
#define LEDGER_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/draft.h"
#include "ledger/gap.h"

struct ledger_file;

/* Opens nothing yet.  The gap stays the caller's.  One thread at a time. */
/* gateway: the host's name in each line; both texts stay the caller's. */
struct ledger_file *
ledger_file_new(const char *path, const char *gateway, struct ledger_gap *);
/* Writes the record of the end, as ledger_file_keep() does. */
void ledger_file_free(struct ledger_file *, int64_t until_ms);

/* Can it be written?  -1 with errno: *which can't be opened.  After it could
 * once, only ledger_file_append() tells. */
int ledger_file_check(struct ledger_file *, const char **which);

/* Appends them in this order, each of them whole, after a line about the gap
 * if there is one; written lines are removed from the list and freed.  -1:
 * some are left, errno says why (EWOULDBLOCK: another process held the lock
 * until until_ms, clock_now_ms()).  A line that is too long is counted in
 * the gap. */
int ledger_file_append(
    struct ledger_file *, struct ledger_drafts *, int64_t until_ms);
/* Removes from the list, and frees, lines that are near the end of the file
 * already. */
void
ledger_file_drop_written(const struct ledger_file *, struct ledger_drafts *);

/* In how many ms the record of the end is to be kept; -1: it is. */
int ledger_file_due_ms(const struct ledger_file *);
void ledger_file_keep(struct ledger_file *, int64_t until_ms);

#endif

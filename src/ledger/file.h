/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The file that the account is in.  Between ledger.c and file.c only.
 */
#ifndef LEDGER_FILE_H
#define LEDGER_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/draft.h"
#include "ledger/gap.h"

struct ledger_file;

/* NULL with one line in why.  The tail's record and the gap are shared under
 * runtime_dir where that isn't NULL.  One per process, one thread at a
 * time. */
struct ledger_file *ledger_file_open(
    const char *path, const char *runtime_dir, char *why, size_t size);
/* Waits no longer than until_ms (clock_now_ms()) for the lock. */
void ledger_file_close(struct ledger_file *, int64_t until_ms);
const char *ledger_file_path(const struct ledger_file *);
/* Any thread may use it at any time. */
struct ledger_gap *ledger_file_gap(struct ledger_file *);

/* Appends them in this order, each of them whole, behind a line that tells of
 * the gap where there is one; what is written is taken out of the list and
 * freed.  -1: some are left, errno says why (EWOULDBLOCK: another process held
 * the lock until until_ms).  A line that is too long is counted in the gap. */
int ledger_file_append(
    struct ledger_file *, struct ledger_drafts *, int64_t until_ms);

#endif

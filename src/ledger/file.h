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

struct ledger_file;

/* NULL with one line in why.  The tail's record is shared under runtime_dir
 * where that isn't NULL.  One per process, one thread at a time. */
struct ledger_file *ledger_file_open(
    const char *path, const char *runtime_dir, char *why, size_t size);
void ledger_file_close(struct ledger_file *);
const char *ledger_file_path(const struct ledger_file *);

/* Appends them in this order, each of them whole, the first that can be with
 * `lost`.  How many are in the file; where that isn't all, errno says why. */
size_t ledger_file_append(
    struct ledger_file *, const struct ledger_drafts *, uint64_t lost);

#endif

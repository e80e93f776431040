/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Between file.c and file_tail.c only.
 */
#ifndef LEDGER_FILE_INTERNAL_H
#define LEDGER_FILE_INTERNAL_H

#include <sys/stat.h>

#include <stdbool.h>
#include <stdint.h>

#include "ledger/current.h"
#include "ledger/file.h"

struct ledger_file {
	struct ledger_current at;
	const char *gateway; /* the host's name; not ours */
	bool open; /* it was opened once, and reopens by itself what it needs */
	struct ledger_gap *gap; /* not ours to close */
	struct ledger_tail tail; /* the record, */
	bool known; /* if there is one, */
	bool unkept; /* and not yet beside the ledger, where it was */
	int64_t kept_ms; /* written then, */
	uint64_t kept_ino; /* for that file */
};

/* ---- file_tail.c ---- */

/* Under the lock: advances the tail to the end of the open file, whatever
 * happened since it was recorded.  *behind: the file had, or may have had,
 * more than the record knew.  old_fd: of the file before, if it was rotated
 * just now; else -1.  -1 with errno. */
int ledger_file_find_tail(struct ledger_file *, int old_fd, const struct stat *,
    struct ledger_tail *, bool *behind);
/* Under the lock, after a write: remembers the tail, and from time to time
 * writes it beside the ledger. */
void ledger_file_keep_tail(struct ledger_file *, const struct ledger_tail *);

#endif

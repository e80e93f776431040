/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how what processes with an earlier file of this host have spent becomes
 * known, once the last of them has ended.
 *
 * Only the ledger has it, together with what was spent from this file, of which
 * the last lines may not be written yet.  So the rows are looked at first, and
 * the ledger is read a while later, up to the moment of that look; what has
 * been spent from this file since is added (tests/model/files.pml checks it).
 */
#include "config.h"

#include "base/log.h"
#include "state/budget_internal.h"

/* The lines of what was spent are written by then. */
#define WRITTEN_MS 2000

/* Under the lock.  In the file, as the process may end before it can read. */
static void
look(struct budget_file *f, struct budget_now now)
{
	for (int i = 0; i < budget_nrows(f); i++) {
		f->rows[i].seen_day = f->rows[i].day;
		f->rows[i].seen_month = f->rows[i].month;
	}
	f->seen_wall_ms = now.wall_ms;
	f->seen_ms = now.boot_ms;
	log_info("budget: the last process with an earlier file has ended");
}

void
budget_purse_watch(struct budget_book *b)
{
	struct budget_now now = budget_clock();
	struct budget_file *f = b->file;
	bool written;

	if (b->host == NULL || f->alone || !budget_host_alone(b->host))
		return;
	budget_lock(b);
	if (f->seen_ms == 0)
		look(f, now);
	written = now.boot_ms - f->seen_ms >= WRITTEN_MS;
	budget_unlock(b);
	if (written)
		budget_add_earlier(b);
}

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

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "state/budget_internal.h"

/* The lines of what was spent are written by then. */
#define WRITTEN_MS 2000

static struct budget_seen *
look(struct budget_book *b, struct budget_now now)
{
	struct budget_file *f = b->file;
	struct budget_seen *s;
	size_t n;

	budget_lock(b);
	n = (size_t)budget_nrows(f);
	s = memory_zero(sizeof(*s) + n * sizeof(s->rows[0]));
	s->now = now;
	s->n = n;
	for (size_t i = 0; i < n; i++) {
		s->rows[i].key = f->keys[i];
		s->rows[i].day = f->rows[i].day;
		s->rows[i].month = f->rows[i].month;
	}
	budget_unlock(b);
	return s;
}

void
budget_purse_watch(struct budget_book *b)
{
	struct budget_now now = budget_clock();

	if (b->host == NULL || b->file->alone || !budget_host_alone(b->host))
		return;
	if (b->seen == NULL) {
		log_info("budget: the last process with an earlier file has "
			 "ended");
		b->seen = look(b, now);
	}
	if (now.boot_ms - b->seen->now.boot_ms < WRITTEN_MS)
		return;
	budget_add_earlier(b, b->seen);
	free(b->seen);
	b->seen = NULL;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how what processes with an earlier file of this host have spent becomes
 * known, once the last of them has ended.
 *
 * Only the ledger has it, together with what was spent from this file, of which
 * some lines may not be written: a try is settled when it ends, and its line is
 * written when its whole request has ended, or never while the disk is full.
 * So the rows are looked at first, and the ledger is read a while later, up to
 * the moment of that look; what has been spent from this file since is added
 * (tests/model/files.pml checks it).  Until the look each settlement is noted
 * with its amounts and its time, and a note of which the ledger has no line
 * then is added, too: what is not recognized counts twice rather than never.
 */
#include "config.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/sum.h"
#include "state/budget_internal.h"
#include "state/process.h"

/* The lines of what was spent are written by then, but for those above. */
#define WRITTEN_MS 2000
/* Between a try's end in its line and its settlement. */
#define NEAR_MS 1000

/* ---- Notes ---- */

void
budget_note_spent(struct budget_file *f, const struct budget_row *row,
    uint64_t tokens, int64_t nanousd, struct budget_now now)
{
	struct budget_row *r = &f->rows[row - f->rows];

	/* Only while processes may use an earlier file. */
	if (f->incarnation == 0 || f->alone || f->seen_ms != 0 ||
	    (tokens == 0 && nanousd == 0))
		return;
	if (f->nnotes < BUDGET_NOTES) {
		f->notes[f->nnotes++] =
		    (struct budget_note){ .key = f->keys[row - f->rows],
			    .tokens = tokens,
			    .nanousd = nanousd,
			    .wall_ms = now.wall_ms };
		return;
	}
	r->unnoted_tokens = (uint64_t)sum_i64(
	    budget_amount(r->unnoted_tokens), budget_amount(tokens));
	r->unnoted_nanousd = sum_i64(r->unnoted_nanousd, nanousd);
}

void
budget_note_found(struct budget_note *notes, size_t n, uint64_t key,
    const struct budget_use *u)
{
	struct budget_note *nearest = NULL;
	int64_t least_ms = NEAR_MS;

	/* Nearly all lines of the ledger are older than any note. */
	if (n == 0 || u->end_ms < notes[0].wall_ms - 2 * (int64_t)NEAR_MS)
		return;
	for (size_t i = 0; i < n; i++) {
		int64_t off_ms = llabs(notes[i].wall_ms - u->end_ms);

		if (notes[i].key != key || notes[i].tokens != u->tokens ||
		    notes[i].nanousd != u->nanousd || off_ms > least_ms)
			continue;
		if (nearest != NULL && off_ms == least_ms)
			continue;
		nearest = &notes[i];
		least_ms = off_ms;
	}
	if (nearest != NULL)
		nearest->key = 0;
}

void
budget_forget_notes(struct budget_file *f)
{
	f->nnotes = 0;
	for (int i = 0; i < budget_nrows(f); i++) {
		f->rows[i].unnoted_tokens = 0;
		f->rows[i].unnoted_nanousd = 0;
	}
}

/* ---- The look, and reading ---- */

/* Under the lock.  In the file, as the process may end before it can read. */
static void
look(struct budget_file *f, struct budget_now now)
{
	for (int i = 0; i < budget_nrows(f); i++) {
		struct budget_row *r = &f->rows[i];

		if (f->keys[i] == 0)
			continue;
		budget_roll(
		    r, r->share.shared ? budget_purse_now(f, now) : now);
		r->seen_day = r->day;
		r->seen_month = r->month;
	}
	f->seen_wall_ms = now.wall_ms;
	f->seen_ms = now.boot_ms;
	log_info("budget: the last process with an earlier file has ended");
}

/* Under the lock.  One process reads; another one does if that has died. */
static bool
claim(struct budget_file *f, struct budget_now now)
{
	if (f->alone || now.boot_ms - f->seen_ms < WRITTEN_MS ||
	    (f->reader != 0 && process_alive(f->reader)))
		return false;
	f->reader = process_id();
	return true;
}

void
budget_purse_watch(struct budget_book *b)
{
	struct budget_now now = budget_clock();
	struct budget_file *f = b->file;
	bool ours;

	if (b->host == NULL || f->alone || !budget_host_alone(b->host))
		return;
	budget_lock(b);
	/* Another process may have read it meanwhile. */
	if (!f->alone && f->seen_ms == 0)
		look(f, now);
	ours = claim(f, now);
	budget_unlock(b);
	if (ours)
		budget_add_earlier(b);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how the budgets are rebuilt from the ledger: all of them when their
 * file is new, days and months when the clock was set, or processes with an
 * earlier file have ended.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sum.h"
#include "base/task.h"
#include "policy/hop.h"
#include "state/budget_internal.h"

struct rebuild {
	struct budget_now now;
	int64_t shift_ms; /* of the engine's clock from ours */
	int64_t month_begin_ms;
	const struct config *config;
	const struct budget_history *history; /* NULL: none */
	struct budget_index *index;
	struct budget_note *notes; /* of settlements; NULL: not asked for */
	size_t nnotes;
	uint64_t uses;
	size_t nrows;
	struct budget_row rows[];
};

static struct rebuild *
new_rebuild(const struct budget_book *b, struct budget_now now)
{
	const struct budget_file *f = b->file;
	size_t n = (size_t)budget_nrows(f);
	struct rebuild *r = memory_zero(sizeof(*r) + n * sizeof(r->rows[0]));

	r->now = now;
	r->config = b->config;
	r->history = b->history;
	r->shift_ms = budget_purse_now(f, now).wall_ms - now.wall_ms;
	r->month_begin_ms = budget_month_begin(budget_month(now.wall_ms));
	r->index = budget_index_new(f);
	r->nrows = n;
	for (size_t i = 0; i < n; i++)
		if (f->keys[i] != 0) {
			r->rows[i].share.shared = f->rows[i].share.shared;
			budget_roll(&r->rows[i],
			    f->rows[i].share.shared ? budget_purse_now(f, now)
						    : now);
		}
	return r;
}

static void
free_rebuild(struct rebuild *r)
{
	budget_index_free(r->index);
	free(r->notes);
	free(r);
}

static void
add_minute(struct budget_row *row, const struct budget_use *u, int64_t second)
{
	if (second <= row->second - BUDGET_BUCKETS || second > row->second ||
	    second < 0)
		return;
	row->requests[second % BUDGET_BUCKETS] += !u->again;
	budget_spend_minute(row, second, u->tokens);
}

static void
add_windows(struct budget_row *row, int64_t end_ms, const struct budget_use *u)
{
	if (budget_month(end_ms) == row->month.period)
		budget_spend_window(
		    &row->month, !u->again, u->tokens, u->nanousd);
	if (budget_day(end_ms) == row->day.period)
		budget_spend_window(
		    &row->day, !u->again, u->tokens, u->nanousd);
}

static void
add_use(
    struct rebuild *r, char kind, struct span name, const struct budget_use *u)
{
	int64_t end_ms = u->end_ms;
	struct budget_row *row;
	uint64_t key;
	int at;

	if (name.p == NULL)
		return;
	key = budget_key(kind, name);
	if ((at = budget_index_find(r->index, key)) == -1)
		return;
	budget_note_found(r->notes, r->nnotes, key, u);
	row = &r->rows[at];
	if (row->share.shared)
		end_ms += r->shift_ms;
	add_windows(row, end_ms, u);
	add_minute(
	    row, u, (r->now.boot_ms - (r->now.wall_ms - u->end_ms)) / 1000);
}

static void
on_use(void *ctx, const struct budget_use *u)
{
	struct rebuild *r = ctx;

	if (u->end_ms > r->now.wall_ms)
		return;
	r->uses++;
	/* A relay's budget is that of everybody who asks through it. */
	add_use(r, 'c', hop_entry(u->client), u);
	add_use(r, 'm', u->model, u);
}

/* Knows no book: that may be closed while another thread reads. */
static void
ask_history(void *ctx)
{
	struct rebuild *r = ctx;

	if (r->history != NULL)
		r->history->each(r->config,
		    r->month_begin_ms -
			(r->shift_ms < 0 ? -r->shift_ms : r->shift_ms),
		    on_use, r);
	if (r->uses > 0)
		log_info("budget: made from %" PRIu64 " uses in the ledger",
		    r->uses);
}

void
budget_build(struct budget_book *b, struct budget_now now)
{
	struct budget_file *f = b->file;
	struct rebuild *r = new_rebuild(b, now);

	ask_history(r);
	for (size_t i = 0; i < r->nrows; i++)
		if (f->keys[i] != 0)
			f->rows[i] = r->rows[i];
	free_rebuild(r);
	/* Earlier cells do not belong to this file. */
	budget_clear_cells(f);
	f->built = 1;
	f->stale = 0;
}

/* ---- What the ledger has more ---- */

static int64_t
more(int64_t now, int64_t then, int64_t found)
{
	int64_t sum = sum_i64(found, now > then ? now - then : 0);

	return sum > now ? sum : now;
}

/* Of what *found has, the window has counted *then. */
static void
at_least(struct budget_window *w, const struct budget_window *found,
    const struct budget_window *then)
{
	if (w->period != found->period || w->period != then->period)
		return;
	w->nanousd = more(w->nanousd, then->nanousd, found->nanousd);
	w->tokens = (uint64_t)more(budget_amount(w->tokens),
	    budget_amount(then->tokens), budget_amount(found->tokens));
	w->requests = (uint64_t)more(budget_amount(w->requests),
	    budget_amount(then->requests), budget_amount(found->requests));
}

/* What the ledger has more was spent by processes with an earlier file, so it
 * is not of this file's purses. */
static void
raise(struct budget_row *row, const struct budget_row *found,
    const struct budget_window *day, const struct budget_window *month)
{
	int64_t before[PURSE_KINDS];

	for (int i = 0; i < PURSE_KINDS; i++)
		before[i] = budget_row_used(row, i);
	at_least(&row->day, &found->day, day);
	at_least(&row->month, &found->month, month);
	for (int i = 0; row->share.shared && i < PURSE_KINDS; i++)
		if (row->share.purses[i].begun)
			row->share.purses[i].base +=
			    budget_row_used(row, i) - before[i];
}

/* Under the lock.  seen: the ledger was read until the rows were looked at;
 * else as it is now. */
static void
raise_all(struct budget_file *f, const struct rebuild *r, bool seen)
{
	struct budget_now now = budget_clock();

	for (int i = 0; i < budget_nrows(f); i++) {
		struct budget_row *row = &f->rows[i];
		struct budget_window day, month;
		int at;

		/* It may belong to another name now. */
		if (f->keys[i] == 0 ||
		    (at = budget_index_find(r->index, f->keys[i])) == -1)
			continue;
		budget_roll(
		    row, row->share.shared ? budget_purse_now(f, now) : now);
		day = seen ? row->seen_day : row->day;
		month = seen ? row->seen_month : row->month;
		raise(row, &r->rows[at], &day, &month);
	}
}

bool
budget_catch_up(struct budget_book *b)
{
	struct budget_file *f = b->file;
	struct rebuild *r;
	bool ours;

	budget_lock(b);
	/* One process reads; the others go on with what they have. */
	ours = f->stale != 0;
	f->stale = 0;
	r = ours ? new_rebuild(b, budget_clock()) : NULL;
	budget_unlock(b);
	if (!ours)
		return false;
	ask_history(r);
	budget_lock(b);
	raise_all(f, r, false);
	budget_unlock(b);
	free_rebuild(r);
	return true;
}

/* Under the lock.  What there was no note for counts as not written. */
static void
copy_notes(struct rebuild *r, const struct budget_file *f)
{
	size_t n = f->nnotes < BUDGET_NOTES ? (size_t)f->nnotes : BUDGET_NOTES;

	r->notes = memory_zero((n + 1) * sizeof(r->notes[0]));
	memcpy(r->notes, f->notes, n * sizeof(r->notes[0]));
	r->nnotes = n;
	for (size_t i = 0; i < r->nrows; i++) {
		const struct budget_row *row = &f->rows[i];

		budget_spend_window(&r->rows[i].day, false, row->unnoted_tokens,
		    row->unnoted_nanousd);
		budget_spend_window(&r->rows[i].month, false,
		    row->unnoted_tokens, row->unnoted_nanousd);
	}
}

/* The ledger will have them later, or never. */
static void
add_unwritten(struct rebuild *r)
{
	for (size_t i = 0; i < r->nnotes; i++) {
		const struct budget_note *n = &r->notes[i];
		const struct budget_use use = { .again = true,
			.tokens = n->tokens,
			.nanousd = n->nanousd };
		int at = n->key == 0 ? -1 : budget_index_find(r->index, n->key);

		if (at != -1)
			add_windows(&r->rows[at],
			    n->wall_ms +
				(r->rows[at].share.shared ? r->shift_ms : 0),
			    &use);
	}
}

void
budget_add_earlier(struct budget_book *b)
{
	struct budget_file *f = b->file;
	struct rebuild *r;

	budget_lock(b);
	r = new_rebuild(b, (struct budget_now){ f->seen_wall_ms, f->seen_ms });
	copy_notes(r, f);
	budget_unlock(b);
	task_offload(ask_history, r);
	add_unwritten(r);
	budget_lock(b);
	if (f->alone == 0)
		raise_all(f, r, true);
	f->alone = 1;
	f->seen_ms = 0;
	f->reader = 0;
	budget_forget_notes(f);
	budget_unlock(b);
	free_rebuild(r);
}

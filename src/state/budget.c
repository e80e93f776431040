/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Budgets: between the plan and the upstream a request reserves the most that
 * it can use, and when it has ended it settles what it used.  Hides how that is
 * kept in the file that all processes share (budget_internal.h).
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "state/budget_internal.h"
#include "state/process.h"

/* Checking who is alive costs some system calls: do it no more often. */
#define REAP_EVERY_MS 100
/* Retry-After when only other running requests are in the way. */
#define RETRY_HELD_MS 1000

int
budget_find_cell(struct budget_file *f)
{
	for (uint32_t i = 0; i < BUDGET_CELLS; i++) {
		uint32_t at = (f->hint + i) % BUDGET_CELLS;

		if (f->cells[at].owner == 0) {
			f->hint = at;
			if (at >= f->ncells)
				f->ncells = at + 1;
			return (int)at;
		}
	}
	return -1;
}

void
budget_clear_cells(struct budget_file *f)
{
	memset(f->cells, 0, (size_t)budget_ncells(f) * sizeof(f->cells[0]));
	f->ncells = 0;
	f->hint = 0;
}

static const struct budget_place *
client_place(const struct budget_book *b, const struct client *c)
{
	return c == NULL || c->index >= b->config->nclients
	    ? NULL
	    : &b->clients[c->index];
}

static const struct budget_place *
model_place(const struct budget_book *b, const struct model *m)
{
	return m == NULL || m->index >= b->config->nmodels
	    ? NULL
	    : &b->models[m->index];
}

/* False: one of the rows now belongs to another name. */
static bool
find_sides(struct budget_book *b, const struct client *client,
    const struct model *model, struct budget_now now,
    struct budget_side sides[2])
{
	bool lost = false;

	sides[0] = (struct budget_side){ .kind = "client",
		.name = client == NULL ? "" : client->name,
		.budget = client == NULL ? NULL : &client->budget,
		.row = budget_row_of(b, client_place(b, client), &lost) };
	sides[1] = (struct budget_side){ .kind = "model",
		.name = model == NULL ? "" : model->id,
		.budget = model == NULL ? NULL : &model->budget,
		.row = budget_row_of(b, model_place(b, model), &lost) };
	for (int i = 0; i < 2; i++) {
		struct budget_side *s = &sides[i];

		s->now = now;
		if (s->row == NULL)
			continue;
		budget_purse_place(s->row, s->budget);
		if (s->budget->shared)
			s->now = budget_purse_now(b->file, now);
		budget_roll(s->row, s->now);
	}
	return !lost;
}

/* May be called again after the reservations of dead processes were given
 * back. */
static bool
reap_now(struct budget_file *f, struct budget_now now)
{
	int64_t since = now.boot_ms - f->reaped_ms;

	if (since >= 0 && since < REAP_EVERY_MS)
		return false;
	f->reaped_ms = now.boot_ms;
	return budget_reap(f);
}

static int
row_number(const struct budget_book *b, const struct budget_side *side)
{
	return side->row == NULL ? -1 : (int)(side->row - b->file->rows);
}

static int
take_cell(struct budget_file *f, struct budget_reservation *h, int client,
    int model, struct budget_now now)
{
	struct budget_cell *c;

	h->cell = budget_find_cell(f);
	if (h->cell == -1 && reap_now(f, now))
		h->cell = budget_find_cell(f);
	if (h->cell == -1)
		return -1;
	c = &f->cells[h->cell];
	c->client = client;
	c->model = model;
	c->tokens = h->tokens;
	c->nanousd = h->nanousd;
	c->owner = process_id();
	c->ticket = budget_ticket(c->owner, h->cell);
	budget_count_cell(f, c, 1);
	return 0;
}

/* Is there room, now or after the reservations of dead processes are given
 * back? */
static int
check(struct budget_book *b, struct budget_side *sides, struct budget_now now,
    const struct budget_reservation *h, struct refused *out)
{
	return budget_check(sides, h, out) == -1 &&
		(!reap_now(b->file, now) || budget_check(sides, h, out) == -1)
	    ? -1
	    : 0;
}

static int
reserve(struct budget_book *b, struct budget_side *sides, struct budget_now now,
    struct budget_reservation *h, struct refused *out)
{
	struct budget_file *f = b->file;

	if (check(b, sides, now, h, out) == -1)
		return -1;
	/* Nobody needs to know what names without a budget hold. */
	if (sides[0].row == NULL && sides[1].row == NULL)
		return 0;
	if (take_cell(f, h, row_number(b, &sides[0]), row_number(b, &sides[1]),
		now) == -1) {
		snprintf(budget_message, BUDGET_MESSAGE_SIZE, "%s",
		    refusal_spec(REFUSE_OVERLOADED)->text);
		return budget_refuse(out, REFUSE_OVERLOADED, RETRY_HELD_MS);
	}
	for (int i = 0; i < 2; i++) {
		struct budget_row *r = sides[i].row;

		if (r == NULL)
			continue;
		r->share.busy_ms = now.boot_ms;
		if (!h->again)
			r->requests[r->second % BUDGET_BUCKETS]++;
	}
	return 0;
}

/* Another configuration took the rows of idle names.  The lock is held
 * before and after. */
static void
find_again(struct budget_book *b, const struct client *client,
    const struct model *model, struct budget_now now,
    struct budget_side sides[2])
{
	budget_unlock(b);
	if (budget_lock_placed(b, now) == -1) {
		log_warn("budget: no room for a row: %s", strerror(errno));
		budget_lock(b);
	}
	find_sides(b, client, model, now, sides);
}

void
budget_lock_sides(struct budget_book *b, const struct client *client,
    const struct model *model, struct budget_now now,
    struct budget_side sides[2])
{
	budget_lock(b);
	budget_adjust_clock(b->file, now);
	if (!find_sides(b, client, model, now, sides))
		find_again(b, client, model, now, sides);
	if (b->file->stale) {
		budget_unlock(b);
		budget_catch_up(b);
		budget_lock(b);
		find_sides(b, client, model, now, sides);
	}
}

static struct budget_reservation
make_reservation(const struct client *client, const struct model *model,
    uint64_t tokens, int64_t nanousd, bool again)
{
	/* No price known: admitted until the money is spent. */
	return (struct budget_reservation){ .again = again,
		.client = client,
		.model = model,
		.tokens = tokens > 0 ? tokens : 1,
		.nanousd = nanousd < 0 ? 1 : nanousd,
		.cell = -1 };
}

int
budget_ask(struct budget_book *b, const struct client *client,
    const struct model *model, uint64_t tokens, int64_t nanousd, bool again,
    struct refused *refused)
{
	struct budget_reservation reservation =
	    make_reservation(client, model, tokens, nanousd, again);
	struct budget_now now = budget_clock();
	struct budget_side sides[2];
	int rc;

	budget_lock_sides(b, client, model, now, sides);
	sides[0].asks = sides[1].asks = true;
	rc = check(b, sides, now, &reservation, refused);
	if (rc == 0)
		rc = budget_rate_check(sides, &reservation, refused);
	budget_unlock(b);
	return rc;
}

/* It was refused: did a purse have too little? */
static void
note_lack(struct budget_side sides[2], struct budget_reservation *reservation)
{
	bool lacked = reservation->lacked;

	for (int i = 0; i < 2 && !lacked; i++)
		if (sides[i].lacks)
			budget_purse_lack(&sides[i], reservation);
	*reservation = (struct budget_reservation){ .again = reservation->again,
		.cell = -1,
		.client_lacks = sides[0].lacks,
		.model_lacks = sides[1].lacks,
		.lacked = lacked || sides[0].lacks || sides[1].lacks };
}

int
budget_reserve(struct budget_book *b, const struct client *client,
    const struct model *model, uint64_t tokens, int64_t nanousd,
    struct budget_reservation *reservation, struct budget_room *room,
    struct refused *refused)
{
	struct budget_now now = budget_clock();
	struct budget_side sides[2];
	bool lacked = reservation->lacked;
	int rc, journal;

	*reservation = make_reservation(
	    client, model, tokens, nanousd, reservation->again);
	reservation->lacked = lacked;
	budget_lock_sides(b, client, model, now, sides);
	journal = budget_journal_enter(b, now);
	rc = reserve(b, sides, now, reservation, refused);
	if (rc == 0 && journal != -1 && reservation->cell != -1)
		budget_journal_reserved(journal, b,
		    &b->file->cells[reservation->cell], !reservation->again,
		    now);
	budget_journal_leave(journal);
	budget_find_room(sides, room);
	if (rc == -1)
		note_lack(sides, reservation);
	budget_unlock(b);
	return rc;
}

static void
spend(struct budget_row *r, bool request, uint64_t tokens, int64_t nanousd)
{
	budget_spend_minute(r, r->second, tokens);
	budget_spend_window(&r->day, request, tokens, nanousd);
	budget_spend_window(&r->month, request, tokens, nanousd);
}

/* It was refused after all, a moment after it was counted. */
static void
take_back_request(struct budget_row *r)
{
	for (int64_t s = r->second; s > r->second - 2 && s >= 0; s--)
		if (r->requests[s % BUDGET_BUCKETS] > 0) {
			r->requests[s % BUDGET_BUCKETS]--;
			return;
		}
}

/* Tells processes that use a file of another form. */
static void
tell_settled(struct budget_book *b, const struct budget_side sides[2],
    const struct budget_reservation *reservation, uint64_t tokens,
    int64_t nanousd, struct budget_now now)
{
	const int rows[2] = { row_number(b, &sides[0]),
		row_number(b, &sides[1]) };
	int journal = budget_journal_enter(b, now);

	if (journal == -1)
		return;
	budget_journal_settled(journal, b, rows,
	    reservation->cell < 0
		? 0
		: budget_ticket(process_id(), reservation->cell),
	    !reservation->again && !reservation->unsent, tokens, nanousd, now);
	budget_journal_leave(journal);
}

void
budget_settle(struct budget_book *b, struct budget_reservation *reservation,
    uint64_t tokens, int64_t nanousd)
{
	struct budget_now now = budget_clock();
	struct budget_side sides[2];

	if (reservation->client == NULL && reservation->model == NULL)
		return;
	budget_lock(b);
	budget_adjust_clock(b->file, now);
	find_sides(b, reservation->client, reservation->model, now, sides);
	for (int i = 0; i < 2; i++) {
		if (sides[i].row == NULL)
			continue;
		spend(sides[i].row, !reservation->again && !reservation->unsent,
		    tokens, budget_at_least_0(nanousd));
		budget_note_spent(b->file, sides[i].row, tokens,
		    budget_at_least_0(nanousd), now);
		if (reservation->refused && !reservation->again)
			take_back_request(sides[i].row);
	}
	tell_settled(
	    b, sides, reservation, tokens, budget_at_least_0(nanousd), now);
	if (reservation->cell >= 0 && reservation->cell < BUDGET_CELLS &&
	    b->file->cells[reservation->cell].owner == process_id()) {
		budget_count_cell(
		    b->file, &b->file->cells[reservation->cell], -1);
		b->file->cells[reservation->cell].owner = 0;
		b->file->hint = (uint32_t)reservation->cell;
	}
	budget_unlock(b);
	*reservation = (struct budget_reservation){ .cell = -1 };
}

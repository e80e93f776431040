/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides what is said to the store of a row, when, and what its answer changes.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/sum.h"
#include "state/budget_internal.h"
#include "state/process.h"

/* A part in advance is so much of the bound, or of what is left of it (the
 * store's script holds that), whichever is less. */
#define EXTRA_OF_BOUND 128
/* A purse that nobody has used for so long is given back. */
#define IDLE_MS 1000
/* So long another host's want keeps ours from taking in advance. */
#define HUNGRY_MS 1000
/* A call that has had no end for so long has lost its caller. */
#define TURN_MS 5000
/* What has been used is said again so often: a store that lost it without a
 * restart learns it. */
#define REFRESH_MS 30000
/* The host's clock is so far from the engine's that days are not the same. */
#define CLOCK_OFF_MS 60000

struct side {
	struct budget_row *row;
	const struct budget *budget;
	const char *name;
	char kind;
};

static bool
find_side(struct budget_book *b, const struct client *client,
    const struct model *model, struct budget_now now, struct side *out)
{
	const struct budget_place *place = NULL;
	bool lost = false;

	if (client != NULL && client->index < b->config->nclients) {
		place = &b->clients[client->index];
		/* Not client->name: a relay's budget is that of everybody who
		 * asks through it. */
		*out = (struct side){ .budget = &client->budget,
			.name = b->config->clients[client->index].name,
			.kind = 'c' };
	} else if (client == NULL && model != NULL &&
	    model->index < b->config->nmodels) {
		place = &b->models[model->index];
		*out = (struct side){
			.budget = &model->budget, .name = model->id, .kind = 'm'
		};
	}
	if (place == NULL || !budget_has_purse(out->budget) ||
	    (out->row = budget_row_of(b, place, &lost)) == NULL)
		return false;
	budget_purse_place(out->row, out->budget);
	budget_roll(out->row, budget_purse_now(b->file, now));
	return true;
}

static bool
has_turn(const struct budget_row *r, struct budget_now now)
{
	const struct budget_share *s = &r->share;

	return s->turn != 0 && now.boot_ms - s->turn_ms < TURN_MS &&
	    (s->turn_owner == process_id() || process_alive(s->turn_owner));
}

static bool
is_hungry(const struct budget_row *r, struct budget_now now)
{
	return r->share.hungry_ms != 0 &&
	    now.boot_ms - r->share.hungry_ms < HUNGRY_MS;
}

static int64_t
extra_of(int64_t bound)
{
	return bound / EXTRA_OF_BOUND;
}

static void
make_part(struct budget_row *r, enum budget_purse_kind kind, int64_t bound,
    bool take, int64_t least, struct budget_purse_part *out)
{
	struct budget_purse *p = &r->share.purses[kind];
	int64_t used, held = budget_row_held(r, kind);
	int64_t wanted = r->share.wanted[kind];

	r->share.wanted[kind] = 0;
	if (bound == 0)
		return;
	if (!p->begun) {
		p->base = budget_row_used(r, kind);
		p->allowed = 0;
	}
	used = budget_purse_spent(r, kind);
	*out = (struct budget_purse_part){ .bound = bound,
		.period = kind == PURSE_MONTH ? r->month.period : r->day.period,
		.base = p->base > p->retired ? p->base : p->retired,
		.used = used,
		.need = sum_i64(used, held),
		.first = !p->begun };
	if (!take && p->allowed > out->need)
		p->allowed = out->need;
	out->allowed = p->allowed;
	out->least = take ? least : 0;
	out->want = out->need;
	if (take) {
		out->want = sum_i64(out->need, wanted > least ? wanted : least);
		out->extra = extra_of(bound);
	}
}

/* What nobody had yet, as last heard. */
static int64_t
room_of(const struct budget_row *r, enum budget_purse_kind kind, int64_t bound)
{
	const struct budget_purse *p = &r->share.purses[kind];

	return bound - p->others_used - p->others_held - p->base - p->allowed;
}

/* Is a purse so empty that the next request may not fit, and can more be had
 * in advance? */
static bool
runs_low(const struct budget_row *r, const struct budget *b)
{
	bool low = false;

	for (int i = 0; i < PURSE_KINDS; i++) {
		int64_t bound = budget_purse_bound(b, i);

		if (bound == 0 || !r->share.purses[i].begun)
			continue;
		if (room_of(r, i, bound) < extra_of(bound))
			return false;
		low |= !budget_purse_fits(r, i, extra_of(bound) / 2);
	}
	return low;
}

/* Is there anything in it that nothing holds? */
static bool
has_rest(const struct budget_row *r, const struct budget *b)
{
	for (int i = 0; i < PURSE_KINDS; i++)
		if (budget_purse_bound(b, i) != 0 && r->share.purses[i].begun &&
		    budget_purse_fits(r, i, 1))
			return true;
	return false;
}

/* The store has asked all hosts and waits for this one, also if it has spent
 * nothing; or its answer did not come. */
static bool
is_awaited(const struct budget_row *r)
{
	return r->share.state == PURSE_LEARNING || r->share.state == PURSE_AWAY;
}

/* Of what is in the store: what is worth to be said again. */
static bool
has_evidence(const struct budget_row *r, const struct budget *b)
{
	for (int i = 0; i < PURSE_KINDS; i++)
		if (budget_purse_bound(b, i) != 0 &&
		    (r->share.purses[i].allowed != 0 ||
			budget_row_used(r, i) != 0))
			return true;
	return false;
}

static bool
is_worth(const struct budget_row *r, const struct budget *b,
    enum budget_purse_reason reason, struct budget_now now)
{
	switch (reason) {
	case PURSE_FILL:
		return r->share.state == PURSE_OK && !is_hungry(r, now) &&
		    runs_low(r, b);
	case PURSE_RETURN:
		return has_rest(r, b);
	default:
		return true;
	}
}

static void
make_call(struct budget_book *b, const struct side *s,
    enum budget_purse_reason reason, const int64_t least[PURSE_KINDS],
    struct budget_now now, struct budget_purse_call *out)
{
	struct budget_file *f = b->file;
	struct budget_share *share = &s->row->share;
	bool take = reason == PURSE_NEED || reason == PURSE_FILL;

	memset(out, 0, sizeof(*out));
	out->kind = s->kind;
	out->name = s->name;
	out->reason = reason;
	out->host = f->host;
	out->incarnation = f->incarnation;
	out->alone = f->alone != 0;
	out->seq = ++f->seq;
	out->version = share->version;
	out->hosts = share->hosts;
	out->row = (int)(s->row - f->rows);
	out->key = f->keys[out->row];
	out->turn = out->seq;
	share->turn = out->turn;
	share->turn_owner = process_id();
	share->turn_ms = now.boot_ms;
	for (int i = 0; i < PURSE_KINDS; i++) {
		make_part(s->row, i, budget_purse_bound(s->budget, i),
		    take || reason == PURSE_TELL, least[i], &out->parts[i]);
		/* Where another lacks, nothing is taken in advance; and who
		 * only tells takes nothing. */
		if (is_hungry(s->row, now))
			out->parts[i].extra = 0;
		if (!take) {
			out->parts[i].want = out->parts[i].need;
			out->parts[i].extra = 0;
		}
	}
}

bool
budget_purse_ask(struct budget_book *b, const struct client *client,
    const struct model *model, enum budget_purse_reason reason, int64_t nanousd,
    uint64_t tokens, struct budget_purse_call *call)
{
	const int64_t least[PURSE_KINDS] = { nanousd < 0 ? 1 : nanousd,
		nanousd < 0 ? 1 : nanousd, budget_amount(tokens) };
	struct budget_now now = budget_clock();
	struct side s;
	bool mine;

	budget_lock(b);
	mine = find_side(b, client, model, now, &s) && !has_turn(s.row, now) &&
	    is_worth(s.row, s.budget, reason, now);
	if (mine)
		make_call(b, &s, reason, least, now, call);
	budget_unlock(b);
	return mine;
}

/* ---- The answer -------------------------------------------------------- */

/* What the engine's clock says: a host whose own is wrong must go by it. */
static void
learn_clock(struct budget_file *f, int64_t wall_ms, struct budget_now now)
{
	int64_t off_ms = wall_ms - now.wall_ms;

	if (!f->store_known &&
	    (off_ms > CLOCK_OFF_MS || off_ms < -CLOCK_OFF_MS)) {
		log_warn("budget: this host's clock is %" PRId64
			 " seconds from the store's, by which shared budgets "
			 "go; set it",
		    -off_ms / 1000);
		f->stale = 1;
	}
	f->store_ms = wall_ms - now.boot_ms;
	f->store_known = 1;
}

static void
take_part(struct budget_row *r, enum budget_purse_kind kind,
    const struct budget_purse_said *said)
{
	struct budget_purse *p = &r->share.purses[kind];
	int64_t period = kind == PURSE_MONTH ? r->month.period : r->day.period;

	/* Said of another window than ours is: the next call will do. */
	if (said->period != period)
		return;
	p->begun = 1;
	p->allowed = said->allowed;
	p->retired = said->retired;
	p->others_used = budget_at_least_0(
	    said->spent - p->base - budget_purse_spent(r, kind));
	p->others_held = budget_at_least_0(said->total - said->spent -
	    (p->allowed - budget_purse_spent(r, kind)));
}

static void
take_answer(struct budget_file *f, struct budget_row *r,
    const struct budget_purse_call *call, const struct budget_purse_answer *a,
    struct budget_now now)
{
	struct budget_share *s = &r->share;

	learn_clock(f, a->wall_ms, now);
	budget_roll(r, budget_purse_now(f, now));
	s->state = a->state;
	s->told_ms = now.boot_ms;
	if (a->state == PURSE_REPLACED)
		return;
	s->run = a->run;
	s->version = a->version;
	s->hosts = a->hosts;
	if (a->hungry)
		s->hungry_ms = now.boot_ms;
	for (int i = 0; i < PURSE_KINDS; i++)
		if (call->parts[i].bound != 0)
			take_part(r, i, &a->parts[i]);
}

void
budget_purse_told(struct budget_book *b, const struct budget_purse_call *call,
    const struct budget_purse_answer *answer)
{
	struct budget_file *f = b->file;
	struct budget_now now = budget_clock();
	struct budget_row *r;

	budget_lock(b);
	r = &f->rows[call->row];
	if (f->keys[call->row] == call->key && r->share.turn == call->turn) {
		r->share.turn = 0;
		if (answer == NULL)
			r->share.state = PURSE_AWAY;
		else
			take_answer(f, r, call, answer, now);
	}
	budget_unlock(b);
}

/* ---- Without a request ------------------------------------------------- */

bool
budget_purse_due(struct budget_book *b, const struct client *client,
    const struct model *model, uint64_t run, enum budget_purse_reason *reason)
{
	struct budget_now now = budget_clock();
	struct budget_share *share;
	struct side s;
	bool due = false;

	if (run == 0)
		return false;
	budget_lock(b);
	if (find_side(b, client, model, now, &s) && !has_turn(s.row, now)) {
		share = &s.row->share;
		if (has_rest(s.row, s.budget) &&
		    (now.boot_ms - share->busy_ms > IDLE_MS ||
			is_hungry(s.row, now))) {
			*reason = PURSE_RETURN;
			due = true;
		} else if (is_awaited(s.row) ||
		    (has_evidence(s.row, s.budget) &&
			(share->run != run || share->state != PURSE_OK ||
			    now.boot_ms - share->told_ms > REFRESH_MS))) {
			*reason = PURSE_TELL;
			due = true;
		}
	}
	budget_unlock(b);
	return due;
}

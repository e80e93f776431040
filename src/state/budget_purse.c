/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a purse is kept in its row: what fits into it, and what becomes of
 * it when a window ends.
 */
#include "config.h"

#include <string.h>

#include "base/sum.h"
#include "state/budget_internal.h"

int64_t
budget_purse_bound(const struct budget *b, enum budget_purse_kind kind)
{
	switch (kind) {
	case PURSE_DAY:
		return b->nanousd_per_day;
	case PURSE_MONTH:
		return b->nanousd_per_month;
	default:
		return budget_amount(b->tokens_per_day);
	}
}

bool
budget_has_purse(const struct budget *b)
{
	return b->shared &&
	    (b->nanousd_per_day != 0 || b->nanousd_per_month != 0 ||
		b->tokens_per_day != 0);
}

struct budget_now
budget_purse_now(const struct budget_file *f, struct budget_now now)
{
	if (f->store_known)
		now.wall_ms = now.boot_ms + f->store_ms;
	return now;
}

void
budget_purse_place(struct budget_row *r, const struct budget *b)
{
	/* What it had while it was shared before is not its own any more. */
	if (b->shared && !r->share.shared) {
		memset(&r->share, 0, sizeof(r->share));
		r->share.shared = 1;
	} else if (!b->shared)
		r->share.shared = 0;
}

int64_t
budget_row_used(const struct budget_row *r, enum budget_purse_kind kind)
{
	switch (kind) {
	case PURSE_DAY:
		return r->day.nanousd;
	case PURSE_MONTH:
		return r->month.nanousd;
	default:
		return budget_amount(r->day.tokens);
	}
}

int64_t
budget_row_held(const struct budget_row *r, enum budget_purse_kind kind)
{
	return kind == PURSE_TOKENS ? budget_amount(r->held_tokens)
				    : r->held_nanousd;
}

/* Of what is allowed. */
int64_t
budget_purse_spent(const struct budget_row *r, enum budget_purse_kind kind)
{
	return budget_at_least_0(
	    budget_row_used(r, kind) - r->share.purses[kind].base);
}

void
budget_purse_carry(struct budget_row *r, enum budget_purse_kind kind)
{
	struct budget_purse *p = &r->share.purses[kind];

	if (!r->share.shared || !p->begun)
		return;
	p->allowed =
	    budget_at_least_0(p->allowed - budget_purse_spent(r, kind));
	p->base = p->retired = 0;
	p->others_used = p->others_held = 0;
}

bool
budget_purse_fits(
    const struct budget_row *r, enum budget_purse_kind kind, int64_t want)
{
	return sum_i64(sum_i64(budget_purse_spent(r, kind),
			   budget_row_held(r, kind)),
		   want) <= r->share.purses[kind].allowed;
}

void
budget_purse_lack(
    const struct budget_side *s, const struct budget_reservation *h)
{
	int64_t *wanted = s->row->share.wanted;

	wanted[PURSE_DAY] = sum_i64(wanted[PURSE_DAY], h->nanousd);
	wanted[PURSE_MONTH] = sum_i64(wanted[PURSE_MONTH], h->nanousd);
	wanted[PURSE_TOKENS] =
	    sum_i64(wanted[PURSE_TOKENS], budget_amount(h->tokens));
}

int64_t
budget_purse_used(const struct budget_row *r, enum budget_purse_kind kind)
{
	return sum_i64(
	    r->share.purses[kind].others_used, budget_row_used(r, kind));
}

int64_t
budget_purse_held(const struct budget_row *r, enum budget_purse_kind kind)
{
	return sum_i64(
	    r->share.purses[kind].others_held, budget_row_held(r, kind));
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides when a request fits into what is left, the message if it does not, and
 * how the remaining room is reported.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/sum.h"
#include "state/budget_internal.h"

/* When what is in the way is other requests still running. */
#define RETRY_HELD_MS 1000
/* When it is that the store is away. */
#define RETRY_STORE_MS 2000

_Thread_local char budget_message[BUDGET_MESSAGE_SIZE];

static int64_t
day_wait(struct budget_now now)
{
	return (budget_day(now.wall_ms) + 1) * BUDGET_DAY_MS - now.wall_ms;
}

static int64_t
month_wait(struct budget_now now)
{
	return budget_month_begin(budget_month(now.wall_ms) + 1) - now.wall_ms;
}

int
budget_refuse(struct refused *out, enum refusal refusal, int64_t retry_after_ms)
{
	memset(out, 0, sizeof(*out));
	out->refusal = refusal;
	out->message = budget_message;
	out->retry_after_ms = retry_after_ms > 0 ? retry_after_ms : 1;
	return -1;
}

/* Is there room?  A request that needs more than what is left is admitted if
 * something is left and nobody else holds a part of it: so a bound can be
 * used up, and is exceeded by one estimate at most. */
static bool
fits(int64_t used, int64_t held, int64_t want, int64_t bound)
{
	if (sum_i64(sum_i64(used, held), want) <= bound)
		return true;
	return held == 0 && used < bound;
}

static int
refuse_held(const struct budget_side *s, const char *what, struct refused *out)
{
	snprintf(budget_message, BUDGET_MESSAGE_SIZE,
	    "Requests still running hold the rest of the %s of %s %s; try "
	    "again in a moment.",
	    what, s->kind, s->name);
	return budget_refuse(out, REFUSE_RATE, RETRY_HELD_MS);
}

static int
refuse_spent(const struct budget_side *s, const char *what, int64_t wait_ms,
    struct refused *out)
{
	snprintf(budget_message, BUDGET_MESSAGE_SIZE,
	    "The %s of %s %s is spent; ask the operator to raise it, or wait "
	    "for the next period.",
	    what, s->kind, s->name);
	return budget_refuse(out, REFUSE_BUDGET, wait_ms);
}

static int
refuse_store(const struct budget_side *s, const char *what, struct refused *out)
{
	snprintf(budget_message, BUDGET_MESSAGE_SIZE,
	    "The %s of %s %s is shared over hosts, this host's part of it is "
	    "used up, and %s; try again in a moment.",
	    what, s->kind, s->name,
	    s->row->share.state == PURSE_LEARNING
		? "the store, which lost its data, waits for other hosts"
		: s->row->share.state == PURSE_REPLACED
		? "another gateway has this host's name in the store"
		: "the store cannot be reached");
	return budget_refuse(out, REFUSE_BUDGET_STORE, RETRY_STORE_MS);
}

/* A bound that is shared is never passed: what does not fit into the purse
 * waits for what others give back, or for the next period. */
static int
check_purse(struct budget_side *s, enum budget_purse_kind kind, int64_t want,
    const char *what, int64_t wait_ms, struct refused *out)
{
	int64_t bound = budget_purse_bound(s->budget, kind), used;

	if (bound == 0 || budget_purse_fits(s->row, kind, want))
		return 0;
	s->lacks = true;
	if (s->row->share.state != PURSE_OK)
		return refuse_store(s, what, out);
	used = budget_purse_used(s->row, kind);
	if (s->asks &&
	    sum_i64(sum_i64(used, budget_purse_held(s->row, kind)), want) <=
		bound)
		return 0;
	if (used >= bound)
		return refuse_spent(s, what, wait_ms, out);
	if (sum_i64(used, want) <= bound)
		return refuse_held(s, what, out);
	snprintf(budget_message, BUDGET_MESSAGE_SIZE,
	    "What is left of the %s of %s %s is less than this request may "
	    "use; ask for fewer output tokens, or wait for the next period.",
	    what, s->kind, s->name);
	return budget_refuse(out, REFUSE_BUDGET, wait_ms);
}

static int
check_shared(struct budget_side *s, const struct budget_reservation *h,
    struct refused *out)
{
	struct budget_now now = s->now;

	if (h->nanousd != 0 &&
	    (check_purse(s, PURSE_DAY, h->nanousd, "daily budget",
		 day_wait(now), out) == -1 ||
		check_purse(s, PURSE_MONTH, h->nanousd, "monthly budget",
		    month_wait(now), out) == -1))
		return -1;
	return check_purse(s, PURSE_TOKENS, budget_amount(h->tokens),
	    "daily budget of tokens", day_wait(now), out);
}

static int
check_money(const struct budget_side *s, int64_t nanousd, struct budget_now now,
    struct refused *out)
{
	const struct budget *b = s->budget;
	const struct budget_row *r = s->row;

	if (nanousd == 0)
		return 0;
	if (b->nanousd_per_day > 0 &&
	    !fits(
		r->day.nanousd, r->held_nanousd, nanousd, b->nanousd_per_day)) {
		if (r->day.nanousd < b->nanousd_per_day)
			return refuse_held(s, "daily budget", out);
		return refuse_spent(s, "daily budget", day_wait(now), out);
	}
	if (b->nanousd_per_month > 0 &&
	    !fits(r->month.nanousd, r->held_nanousd, nanousd,
		b->nanousd_per_month)) {
		if (r->month.nanousd < b->nanousd_per_month)
			return refuse_held(s, "monthly budget", out);
		return refuse_spent(s, "monthly budget", month_wait(now), out);
	}
	return 0;
}

static int
check_tokens(const struct budget_side *s, int64_t tokens, struct budget_now now,
    struct refused *out)
{
	int64_t held = budget_amount(s->row->held_tokens), used, bound;

	bound =
	    s->budget->shared ? 0 : budget_amount(s->budget->tokens_per_day);
	used = budget_amount(s->row->day.tokens);
	if (bound > 0 && !fits(used, held, tokens, bound)) {
		if (used < bound)
			return refuse_held(s, "daily budget of tokens", out);
		return refuse_spent(
		    s, "daily budget of tokens", day_wait(now), out);
	}
	bound = budget_amount(s->budget->tokens_per_minute);
	if (bound == 0 ||
	    fits(used = budget_minute_tokens(s->row), held, tokens, bound))
		return 0;
	if (used == 0)
		return refuse_held(s, "tokens per minute", out);
	snprintf(budget_message, BUDGET_MESSAGE_SIZE,
	    "%s %s may use %" PRId64 " tokens per minute; wait for the time in "
	    "Retry-After.",
	    s->kind, s->name, bound);
	budget_message[0] = (char)(budget_message[0] - 'a' + 'A');
	return budget_refuse(out, REFUSE_RATE,
	    budget_minute_wait(s->row, true,
		sum_i64(sum_i64(used, held), tokens) - bound, now));
}

static int
check_concurrent(const struct budget_side *s, struct refused *out)
{
	const struct budget *b = s->budget;

	if (b->concurrent == 0 || s->row->in_flight < b->concurrent)
		return 0;
	snprintf(budget_message, BUDGET_MESSAGE_SIZE,
	    "%s %s may have %u requests running at once; try again when one "
	    "has ended.",
	    s->kind, s->name, b->concurrent);
	budget_message[0] = (char)(budget_message[0] - 'a' + 'A');
	return budget_refuse(out, REFUSE_RATE, RETRY_HELD_MS);
}

static int
check_requests(
    const struct budget_side *s, struct budget_now now, struct refused *out)
{
	int64_t bound = budget_amount(s->budget->requests_per_minute), used;

	if (bound == 0 || (used = budget_minute_requests(s->row)) < bound)
		return 0;
	snprintf(budget_message, BUDGET_MESSAGE_SIZE,
	    "%s %s may make %" PRId64
	    " requests per minute; wait for the time in Retry-After.",
	    s->kind, s->name, bound);
	budget_message[0] = (char)(budget_message[0] - 'a' + 'A');
	return budget_refuse(out, REFUSE_RATE,
	    budget_minute_wait(s->row, false, used - bound + 1, now));
}

int
budget_check(struct budget_side sides[2], const struct budget_reservation *h,
    struct refused *out)
{
	for (int i = 0; i < 2; i++) {
		struct budget_side *s = &sides[i];

		s->lacks = false;
		if (s->row == NULL)
			continue;
		if ((s->budget->shared
			    ? check_shared(s, h, out)
			    : check_money(s, h->nanousd, s->now, out)) == -1 ||
		    check_concurrent(s, out) == -1 ||
		    (!h->again && check_requests(s, s->now, out) == -1) ||
		    check_tokens(s, budget_amount(h->tokens), s->now, out) ==
			-1)
			return -1;
	}
	return 0;
}

/* ---- The room that is left ---- */

/* Of several bounds the one with the least left counts. */
static void
room_note(
    struct budget_left *room, int64_t limit, int64_t used, int64_t reset_ms)
{
	int64_t left = budget_at_least_0(limit - used);

	if (room->limit < 0 || left < room->left)
		*room = (struct budget_left){ limit, left, reset_ms };
}

static int64_t
day_tokens(const struct budget_side *s)
{
	return s->budget->shared ? budget_purse_used(s->row, PURSE_TOKENS)
				 : budget_amount(s->row->day.tokens);
}

static int64_t
tokens_held(const struct budget_side *s)
{
	return s->budget->shared ? budget_purse_held(s->row, PURSE_TOKENS)
				 : budget_amount(s->row->held_tokens);
}

void
budget_find_room(const struct budget_side sides[2], struct budget_room *room)
{
	room->requests = room->tokens = (struct budget_left){ -1, -1, -1 };
	for (int i = 0; i < 2; i++) {
		const struct budget *b = sides[i].budget;
		const struct budget_row *r = sides[i].row;
		struct budget_now now = sides[i].now;

		if (r == NULL)
			continue;
		if (b->requests_per_minute > 0)
			room_note(&room->requests,
			    budget_amount(b->requests_per_minute),
			    budget_minute_requests(r),
			    budget_minute_wait(r, false, INT64_MAX, now));
		if (b->tokens_per_minute > 0)
			room_note(&room->tokens,
			    budget_amount(b->tokens_per_minute),
			    sum_i64(budget_minute_tokens(r),
				budget_amount(r->held_tokens)),
			    budget_minute_wait(r, true, INT64_MAX, now));
		if (b->tokens_per_day > 0)
			room_note(&room->tokens,
			    budget_amount(b->tokens_per_day),
			    sum_i64(
				day_tokens(&sides[i]), tokens_held(&sides[i])),
			    day_wait(now));
	}
}

/* ---- All bounds, with what is used of each ---- */

struct telling {
	const struct budget_side *side;
	bool shared;
	int64_t heard_ms;
	struct bound *out;
	size_t n;
};

/* limit 0: there is no such bound. */
static void
tell(struct telling *t, const char *setting, bool money, int64_t limit,
    int64_t used, int64_t held, int64_t reset_ms)
{
	if (limit == 0)
		return;
	t->out[t->n++] = (struct bound){ .kind = t->side->kind,
		.name = t->side->name,
		.setting = setting,
		.money = money,
		.limit = limit,
		.used = used,
		.held = held,
		.reset_ms = reset_ms,
		.shared = t->shared,
		.heard_ms = t->heard_ms };
}

/* How long ago the store last said what all hosts have used in this window; -1:
 * it did so in an earlier one, or never. */
static int64_t
heard_ms(const struct budget_side *s, enum budget_purse_kind kind)
{
	const struct budget_row *r = s->row;
	int64_t age_ms = s->now.boot_ms - r->share.told_ms;
	int64_t then_ms = s->now.wall_ms - age_ms;

	if (!r->share.purses[kind].begun || r->share.told_ms == 0 || age_ms < 0)
		return -1;
	if (kind == PURSE_MONTH ? budget_month(then_ms) < r->month.period
				: budget_day(then_ms) < r->day.period)
		return -1;
	return age_ms;
}

/* Of what is shared: over all hosts, as last heard. */
static void
tell_purse(struct telling *t, const char *setting, enum budget_purse_kind kind,
    int64_t reset_ms)
{
	const struct budget_side *s = t->side;
	const struct budget_row *r = s->row;

	t->heard_ms = heard_ms(s, kind);
	if (s->budget->shared)
		tell(t, setting, kind != PURSE_TOKENS,
		    budget_purse_bound(s->budget, kind),
		    budget_purse_used(r, kind), budget_purse_held(r, kind),
		    reset_ms);
	else
		tell(t, setting, kind != PURSE_TOKENS,
		    budget_purse_bound(s->budget, kind),
		    budget_row_used(r, kind), budget_row_held(r, kind),
		    reset_ms);
}

/* The bounds of one side; returns how many. */
static size_t
tell_all(const struct budget_side *s, struct bound out[])
{
	const struct budget_row *r = s->row;
	const struct budget *b = s->budget;
	struct budget_now now = s->now;
	struct telling t = { .side = s, .out = out };

	if (r == NULL)
		return 0;
	t.shared = b->shared;
	tell_purse(&t, "usd_per_day", PURSE_DAY, day_wait(now));
	tell_purse(&t, "usd_per_month", PURSE_MONTH, month_wait(now));
	tell_purse(&t, "tokens_per_day", PURSE_TOKENS, day_wait(now));
	t.heard_ms = budget_rate_age_ms(s);
	tell(&t, "tokens_per_minute", false,
	    budget_amount(b->tokens_per_minute), budget_rate_used(s, true),
	    b->shared ? 0 : budget_amount(r->held_tokens),
	    budget_minute_wait(r, true, INT64_MAX, now));
	tell(&t, "requests_per_minute", false,
	    budget_amount(b->requests_per_minute), budget_rate_used(s, false),
	    0, budget_minute_wait(r, false, INT64_MAX, now));
	t.shared = false;
	tell(&t, "concurrent", false, b->concurrent, 0, r->in_flight, -1);
	return t.n;
}

size_t
budget_bounds(struct budget_book *b, const struct client *client,
    const struct model *model, struct bound out[BOUNDS_MAX])
{
	struct budget_now now = budget_clock();
	struct budget_side sides[2];
	size_t n;

	budget_lock_sides(b, client, client == NULL ? model : NULL, now, sides);
	n = tell_all(&sides[client == NULL], out);
	budget_unlock(b);
	return n;
}

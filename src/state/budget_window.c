/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a row counts over time: a ring of seconds for the minute, the names
 * of the UTC day and month, and what happens to them when the clock is set.
 *
 * The clock was set if its distance to the time since boot (which includes a
 * machine's sleep) has changed.  Setting it by days, forward or back, must not
 * give anybody a fresh budget: the rows keep what they have.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sum.h"
#include "state/budget_internal.h"

/* A smaller step is a correction: it can begin or end a day only once. */
#define CLOCK_SET_MS INT64_C(600000)

int64_t
budget_day(int64_t wall_ms)
{
	return wall_ms / BUDGET_DAY_MS;
}

int64_t
budget_month(int64_t wall_ms)
{
	time_t t = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL)
		return 0;
	return (int64_t)tm.tm_year * 12 + tm.tm_mon;
}

/* Wall time of the month's first moment. */
int64_t
budget_month_begin(int64_t month)
{
	struct tm tm = { .tm_year = (int)(month / 12),
		.tm_mon = (int)(month % 12),
		.tm_mday = 1 };

	return (int64_t)timegm(&tm) * 1000;
}

struct budget_now
budget_clock(void)
{
	return (struct budget_now){ clock_wall_ms(), clock_boot_ms() };
}

/* A clock that was set back a little changes nothing. */
static bool
is_now(const struct budget_window *w, int64_t period)
{
	return w->period == period || w->period == period + 1;
}

static void
begin_window(struct budget_window *w, int64_t period)
{
	memset(w, 0, sizeof(*w));
	w->period = period;
}

static void
roll_minute(struct budget_row *r, int64_t second)
{
	if (second - r->second >= BUDGET_BUCKETS ||
	    r->second - second >= BUDGET_BUCKETS) {
		memset(r->requests, 0, sizeof(r->requests));
		memset(r->tokens, 0, sizeof(r->tokens));
		r->second = second;
	}
	while (r->second < second) {
		r->second++;
		r->requests[r->second % BUDGET_BUCKETS] = 0;
		r->tokens[r->second % BUDGET_BUCKETS] = 0;
	}
}

void
budget_roll(struct budget_row *r, struct budget_now now)
{
	int64_t day = budget_day(now.wall_ms), month;

	roll_minute(r, now.boot_ms / 1000);
	if (is_now(&r->day, day))
		return;
	budget_purse_carry(r, PURSE_DAY);
	budget_purse_carry(r, PURSE_TOKENS);
	begin_window(&r->day, day);
	/* The month is looked up once a day only. */
	month = budget_month(now.wall_ms);
	if (is_now(&r->month, month))
		return;
	budget_purse_carry(r, PURSE_MONTH);
	begin_window(&r->month, month);
}

void
budget_adjust_clock(struct budget_file *f, struct budget_now now)
{
	int64_t set_by_ms = now.wall_ms - now.boot_ms - f->offset_ms;
	struct budget_now as_it_was = { now.wall_ms - set_by_ms, now.boot_ms };

	if (set_by_ms <= CLOCK_SET_MS && set_by_ms >= -CLOCK_SET_MS)
		return;
	for (int i = 0; i < budget_nrows(f); i++) {
		struct budget_row *r = &f->rows[i];

		/* What is shared goes by the engine's clock. */
		if (f->keys[i] == 0 || (r->share.shared && f->store_known))
			continue;
		budget_roll(r, as_it_was);
		r->day.period = budget_day(now.wall_ms);
		r->month.period = budget_month(now.wall_ms);
	}
	f->offset_ms += set_by_ms;
	f->stale = 1;
	log_warn("budget: the clock was set by %" PRId64
		 " seconds; what was used still counts",
	    set_by_ms / 1000);
}

void
budget_spend_window(
    struct budget_window *w, bool request, uint64_t tokens, int64_t nanousd)
{
	w->requests += request;
	w->tokens =
	    (uint64_t)sum_i64(budget_amount(w->tokens), budget_amount(tokens));
	w->nanousd = sum_i64(w->nanousd, nanousd);
}

void
budget_spend_minute(struct budget_row *r, int64_t second, uint64_t tokens)
{
	uint32_t *minute = &r->tokens[second % BUDGET_BUCKETS];

	*minute = tokens < UINT32_MAX - *minute ? *minute + (uint32_t)tokens
						: UINT32_MAX;
}

int64_t
budget_minute_requests(const struct budget_row *r)
{
	int64_t sum = 0;

	for (int i = 0; i < BUDGET_BUCKETS; i++)
		sum += r->requests[i];
	return sum;
}

int64_t
budget_minute_tokens(const struct budget_row *r)
{
	int64_t sum = 0;

	for (int i = 0; i < BUDGET_BUCKETS; i++)
		sum += r->tokens[i];
	return sum;
}

static int64_t
bucket(const struct budget_row *r, bool tokens, int64_t second)
{
	return tokens ? r->tokens[second % BUDGET_BUCKETS]
		      : r->requests[second % BUDGET_BUCKETS];
}

int64_t
budget_minute_wait(const struct budget_row *r, bool tokens, int64_t excess,
    struct budget_now now)
{
	int64_t last = r->second - BUDGET_BUCKETS;

	for (int64_t s = r->second - BUDGET_BUCKETS + 1; s <= r->second; s++) {
		int64_t v = bucket(r, tokens, s);

		if (v == 0)
			continue;
		last = s;
		if (v >= excess)
			break;
		excess -= v;
	}
	return budget_at_least_0((last + BUDGET_BUCKETS) * 1000 - now.boot_ms);
}

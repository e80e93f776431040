/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Rates of a minute that hosts share, as this host last heard of them from the
 * store (fleet/purse_rate.c).  Only what predicts or shows uses them: whether a
 * request may go is the store's decision, each time.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "state/budget_internal.h"

#define MINUTE_MS 61000

/* Anything heard earlier says nothing about the present minute. */
static bool
is_fresh(const struct budget_row *r, struct budget_now now)
{
	return r->share.rate_ms != 0 &&
	    now.boot_ms - r->share.rate_ms < MINUTE_MS &&
	    now.boot_ms >= r->share.rate_ms;
}

void
budget_rate_heard(struct budget_book *b, const struct client *client,
    const struct model *model, int64_t requests, int64_t tokens)
{
	struct budget_now now = budget_clock();
	struct budget_side sides[2];
	struct budget_row *r;

	budget_lock_sides(b, client, client == NULL ? model : NULL, now, sides);
	r = sides[client == NULL].row;
	if (r != NULL) {
		r->share.rate_requests = requests;
		r->share.rate_tokens = tokens;
		r->share.rate_ms = now.boot_ms;
	}
	budget_unlock(b);
}

int64_t
budget_rate_age_ms(const struct budget_side *s)
{
	return is_fresh(s->row, s->now) ? s->now.boot_ms - s->row->share.rate_ms
					: -1;
}

int64_t
budget_rate_used(const struct budget_side *s, bool tokens)
{
	int64_t here = tokens ? budget_minute_tokens(s->row)
			      : budget_minute_requests(s->row);
	int64_t all =
	    tokens ? s->row->share.rate_tokens : s->row->share.rate_requests;

	return s->budget->shared && is_fresh(s->row, s->now) && all > here
	    ? all
	    : here;
}

static int
refuse(const struct budget_side *s, bool tokens, int64_t bound,
    struct refused *out)
{
	snprintf(budget_message, BUDGET_MESSAGE_SIZE,
	    "%s %s may %s %" PRId64 " %s per minute over all hosts; wait for "
	    "the time in Retry-After.",
	    s->kind, s->name, tokens ? "use" : "make", bound,
	    tokens ? "tokens" : "requests");
	budget_message[0] = (char)(budget_message[0] - 'a' + 'A');
	return budget_refuse(out, REFUSE_RATE,
	    s->row->share.rate_ms + MINUTE_MS - s->now.boot_ms);
}

int
budget_rate_check(const struct budget_side sides[2],
    const struct budget_reservation *h, struct refused *out)
{
	for (int i = 0; i < 2; i++) {
		const struct budget_side *s = &sides[i];
		int64_t requests, tokens, used;

		if (s->row == NULL || !s->budget->shared)
			continue;
		requests = budget_amount(s->budget->requests_per_minute);
		tokens = budget_amount(s->budget->tokens_per_minute);
		if (requests > 0 && !h->again &&
		    budget_rate_used(s, false) >= requests)
			return refuse(s, false, requests, out);
		used = budget_rate_used(s, true);
		if (tokens > 0 && used > 0 &&
		    used + budget_amount(h->tokens) > tokens)
			return refuse(s, true, tokens, out);
	}
	return 0;
}

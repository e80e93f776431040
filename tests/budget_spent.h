/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What the budgets have counted, for tests: also if there is no bound.
 */
#ifndef TESTS_BUDGET_SPENT_H
#define TESTS_BUDGET_SPENT_H

#include "state/budget_internal.h"

struct budget_spent {
	int64_t day_nanousd, month_nanousd;
	uint64_t day_tokens, day_requests;
	uint64_t minute_tokens, minute_requests;
	unsigned in_flight;
};

/* What was used up to now, of a client or (client NULL) of a model; without
 * what processes held that are dead. */
static inline void
budget_look(struct budget_book *b, const struct client *client,
    const struct model *model, struct budget_spent *out)
{
	struct budget_side sides[2];
	const struct budget_row *row;

	budget_lock_sides(b, client, model, budget_clock(), sides);
	budget_reap(b->file);
	row = sides[client == NULL].row;
	*out = (struct budget_spent){ .in_flight = 0 };
	if (row != NULL)
		*out = (struct budget_spent){
			.day_nanousd = row->day.nanousd,
			.month_nanousd = row->month.nanousd,
			.day_tokens = row->day.tokens,
			.day_requests = row->day.requests,
			.minute_tokens = (uint64_t)budget_minute_tokens(row),
			.minute_requests =
			    (uint64_t)budget_minute_requests(row),
			.in_flight = row->in_flight,
		};
	budget_unlock(b);
}

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides which lines of the ledger used a budget, and how much.
 */
#include "config.h"

#include "ledger/read.h"
#include "ledger/rebuild.h"

/* Requests that began before may have ended after. */
#define LONGEST_REQUEST_MS INT64_C(86400000)

struct history {
	int64_t since_ms;
	void (*use)(void *ctx, const struct budget_use *);
	void *ctx;
};

static int64_t
at_least_0(int64_t v)
{
	return v < 0 ? 0 : v;
}

/* Each try that was sent was a use; the first of them a request as well. */
static int
use_line(void *ctx, const struct ledger_line *l)
{
	const struct history *h = ctx;
	struct ledger_tries tries = { .begun = false };
	struct ledger_try t;
	bool again = false;

	while (ledger_try_next(&tries, l, &t)) {
		struct budget_use use = {
			.end_ms =
			    l->wall_ms + at_least_0(t.at_ms) + at_least_0(t.ms),
			.client = l->client,
			.model = l->route,
			.again = again,
			.tokens = (uint64_t)t.input + (uint64_t)t.output,
			.nanousd = at_least_0(t.cost_nanousd),
		};

		if (!t.sent)
			continue;
		again = true;
		if (use.end_ms >= h->since_ms)
			h->use(h->ctx, &use);
	}
	return 0;
}

static void
each(const struct config *c, int64_t since_ms,
    void (*use)(void *ctx, const struct budget_use *), void *ctx)
{
	struct history h = { since_ms, use, ctx };

	if (c->ledger && c->ledger_file != NULL)
		ledger_each(c->ledger_file, since_ms - LONGEST_REQUEST_MS,
		    use_line, &h);
}

const struct budget_history ledger_history = { each };

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The part of a shared rate that this process has in advance, so that a request
 * need not wait for the store.
 *
 * The store has counted it in one of its seconds, and it is used before that
 * second ends, by a clock that began when the question was sent, and while the
 * engine is the same, because another may not have that count.  So each
 * request begins in the second in which it is counted, and no 60 seconds have
 * more than the bound.  What is left then goes back.  If the process dies, it
 * leaves the ring with its second (tests/model/ahead.pml checks it).
 *
 * Hides for which rates a part is worth its calls: those that were asked for in
 * the same second already.
 */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/task.h"
#include "fleet/purse_internal.h"

/* At most this part of a bound, and so many requests. */
#define PART_OF_BOUND 128
#define REQUESTS_MAX 64
/* Both clocks are read in whole ms. */
#define ROUNDING_MS 2

/* NULL: there is never anything of it in advance. */
static struct purse_ahead **
place_of(
    struct purse *p, const struct client *client, const struct model *model)
{
	if (client != NULL)
		return client->index < p->config->nclients
		    ? &p->of_client[client->index]
		    : NULL;
	return model->index < p->config->nmodels ? &p->of_model[model->index]
						 : NULL;
}

static struct purse_ahead *
find(struct purse *p, const struct client *client, const struct model *model)
{
	struct purse_ahead **place = place_of(p, client, model);

	return place == NULL ? NULL : *place;
}

static bool
is_over(const struct purse_ahead *a, int64_t now_ms)
{
	return !a->asked && now_ms > a->until_ms;
}

static void
give_back(struct purse *p, struct purse_ahead *a)
{
	if (a->requests > 0)
		purse_rate_owe(p, a->client, a->model, a->second, a->run,
		    a->tokens, 0, a->requests);
	a->requests = a->tokens = 0;
}

static void
drop(struct purse *p, struct purse_ahead *a)
{
	give_back(p, a);
	*place_of(p, a->client, a->model) = NULL;
	TAILQ_REMOVE(&p->aheads, a, entry);
	free(a);
}

bool
purse_ahead_holds(
    struct purse *p, const struct client *client, const struct model *model)
{
	const struct purse_ahead *a = find(p, client, model);

	return a != NULL && a->requests > 0;
}

bool
purse_ahead_give_back(struct purse *p, bool all)
{
	struct purse_ahead *a, *next;
	int64_t now_ms = clock_boot_ms();
	bool held = false;

	for (a = TAILQ_FIRST(&p->aheads); a != NULL; a = next) {
		next = TAILQ_NEXT(a, entry);
		if (is_over(a, now_ms))
			drop(p, a);
		else if (all)
			give_back(p, a);
		else
			held |= a->requests > 0;
	}
	return held;
}

void
purse_ahead_free(struct purse *p)
{
	struct purse_ahead *a;

	while ((a = TAILQ_FIRST(&p->aheads)) != NULL) {
		TAILQ_REMOVE(&p->aheads, a, entry);
		free(a);
	}
	free(p->of_client);
	free(p->of_model);
}

bool
purse_ahead_use(struct purse *p, struct purse_rate *rate)
{
	struct purse_ahead *a = find(p, rate->client, rate->model);

	if (a == NULL || a->requests == 0 || a->tokens < rate->tokens ||
	    a->run != purse_run(p) || is_over(a, clock_boot_ms()))
		return false;
	if (rate->request) {
		a->requests--;
		a->sum_requests++;
	}
	a->tokens -= rate->tokens;
	a->sum_tokens += (int64_t)rate->tokens;
	/* Tokens without a request are worth nothing. */
	if (a->requests == 0 && a->tokens > 0)
		purse_rate_owe(
		    p, a->client, a->model, a->second, a->run, a->tokens, 0, 0);
	if (a->requests == 0)
		a->tokens = 0;
	rate->until_ms = a->until_ms;
	rate->second = a->second;
	rate->run = a->run;
	rate->sum_requests = a->sum_requests;
	rate->sum_tokens = a->sum_tokens;
	return true;
}

/* How many requests with such an estimate may be had in advance. */
static uint64_t
most(const struct budget *b, uint64_t tokens)
{
	uint64_t n = REQUESTS_MAX, fit;

	if (b->requests_per_minute != 0 &&
	    b->requests_per_minute / PART_OF_BOUND < n)
		n = b->requests_per_minute / PART_OF_BOUND;
	if (tokens == 0)
		return n;
	fit = b->tokens_per_minute != 0
	    ? b->tokens_per_minute / PART_OF_BOUND / tokens
	    : (uint64_t)BUDGET_PURSE_MAX / REQUESTS_MAX / tokens;
	return fit < n ? fit : n;
}

void
purse_ahead_want(
    struct purse *p, struct purse_rate *rate, const struct budget *b)
{
	struct purse_ahead **place = place_of(p, rate->client, rate->model);
	struct purse_ahead *a = place == NULL ? NULL : *place;

	rate->sent_ms = clock_boot_ms();
	if (p->ending || task_self() == NULL || place == NULL ||
	    (a != NULL && a->asked))
		return;
	if (a != NULL && is_over(a, rate->sent_ms)) {
		drop(p, a);
		a = NULL;
	}
	if (a != NULL) {
		give_back(p, a);
		rate->more = most(b, rate->tokens);
	} else {
		a = memory_zero(sizeof(*a));
		a->client = rate->client;
		a->model = rate->model;
		TAILQ_INSERT_TAIL(&p->aheads, a, entry);
		*place = a;
	}
	a->asked = true;
	rate->ahead = a;
}

void
purse_ahead_got(struct purse_rate *rate, bool granted, int64_t left_ms)
{
	struct purse_ahead *a = rate->ahead;

	if (a == NULL)
		return;
	rate->ahead = NULL;
	a->asked = false;
	a->until_ms = rate->sent_ms + left_ms - ROUNDING_MS;
	if (!granted)
		return;
	a->second = rate->second;
	a->run = rate->run;
	a->requests = rate->more;
	a->tokens = rate->more * rate->tokens;
	a->sum_requests = rate->sum_requests;
	a->sum_tokens = rate->sum_tokens;
}

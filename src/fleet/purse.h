/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Budgets and rates that hosts share (`shared = true` in a budget), through the
 * store.
 *
 * Money and tokens of a day are spent from the host's purse
 * (state/budget_purse.h), which a call to the store fills when it runs low,
 * usually while no request waits for it.  What is left in the purse goes back
 * when the purse has not been used for a second, when another host needs the
 * rest, and when the process ends.  For rates of a minute, the store is asked
 * for each request or, of a high rate, for several at once (purse_ahead.c);
 * what they used is reported afterwards, without waiting.
 *
 * Without shared budgets, purse_reserve() is budget_reserve(), and
 * purse_settle() is budget_settle().
 */
#ifndef FLEET_PURSE_H
#define FLEET_PURSE_H

#include "fleet/store.h"
#include "state/budget.h"

struct purse;

/* store NULL: there is none.  Both must outlive it. */
struct purse *purse_new(
    struct store *, struct budget_book *, const struct config *);
/* Looks after this host's purses from now on, in a task of its own. */
void purse_start(struct purse *);
/* Gives back what is left in them.  Called by a task, before store_end(). */
void purse_end(struct purse *);
void purse_free(struct purse *);

/* Like budget_reserve(); in addition -1 with REFUSE_BUDGET_STORE or
 * REFUSE_RATE_STORE: the store can't be asked.  May wait for the store, at most
 * for a second. */
int purse_reserve(struct purse *, const struct client *, const struct model *,
    uint64_t tokens, int64_t nanousd, struct budget_reservation *,
    struct budget_room *, struct refused *);
/* Like budget_settle().  Does not wait. */
void purse_settle(struct purse *, struct budget_reservation *,
    uint64_t tokens, int64_t nanousd);

#endif

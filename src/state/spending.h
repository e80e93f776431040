/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What is spent and left of all budgets, for status and /metrics, and of a
 * client's own for the client.
 */
#ifndef STATE_SPENDING_H
#define STATE_SPENDING_H

#include "base/buf.h"
#include "state/budget.h"

/* Bounds of more clients and models than these are left out. */
#define SPENDING_MAX 2000

/* Calls tell() for each bound of each client and each model. */
void spending_each(struct budget_book *, const struct config *,
    void (*tell)(void *ctx, const struct bound *), void *ctx);
/* All of them as bounds_json() writes them. */
void spending_json(struct budget_book *, const struct config *, struct buf *);
/* tailgate_budget_limit, _used and _held. */
void spending_metrics(
    struct budget_book *, const struct config *, struct buf *);
/* {"client": "laptop", "at": TIME, "budgets": [...]} */
void spending_of_json(
    struct budget_book *, const struct client *, struct buf *);

#endif

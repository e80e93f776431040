/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The ledger as the budgets' history: what was used, line by line.
 */
#ifndef LEDGER_REBUILD_H
#define LEDGER_REBUILD_H

#include "state/budget.h"

/* For budget_open().  Without a ledger it is empty. */
extern const struct budget_history ledger_history;

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The end of a request: its line in the ledger and the log, its counts in the
 * meters; and what the client is told of its budget.
 */
#ifndef SERVE_SETTLE_H
#define SERVE_SETTLE_H

#include "serve/request.h"
#include "state/budget.h"

void settle(struct request *);
/* x-ratelimit-* in OpenAI's form, for the bounds that there are. */
void settle_room(struct request *, const struct budget_room *);

#endif

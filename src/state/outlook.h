/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Predicts what would happen to a request that has a plan, up to its first
 * byte: it checks the budgets and the slots as the responder would, candidate
 * after candidate, and changes nothing.  It can't predict the result of waiting
 * or of a provider.
 */
#ifndef STATE_OUTLOOK_H
#define STATE_OUTLOOK_H

#include "base/arena.h"
#include "policy/plan.h"
#include "state/budget.h"
#include "state/slots.h"

struct outlook {
	const struct client *client;
	struct budget_book *budgets; /* NULL: not asked */
	struct slots *slots; /* NULL: not asked */
	/* The bounds that count for it, after outlook_make(). */
	struct bound bounds[2 * BOUNDS_MAX];
	size_t nbounds;
};

/* Sets `met` of each candidate that would be refused before it is sent, and
 * plan->refused if the request would be.  Texts are in the arena. */
void outlook_make(struct outlook *, struct plan *, struct arena *);

#endif

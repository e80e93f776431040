/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The operator's way out for a shared budget that waits.
 *
 * After the engine (the store's server) has lost its data, a shared budget
 * grants nothing until every host that is known to have spent has said how
 * much.  A host that never comes back would keep it waiting until its window
 * ends.  The operator can end the wait by naming the most that such hosts can
 * have spent.  This amount counts until the window ends, as if one more host
 * had spent it.  It can't be changed afterwards, unless the budget has to wait
 * again, because hosts may have been granted the rest.  If a lost host comes
 * back after all, what it spent counts as well: then too much is counted, never
 * too little.
 */
#ifndef FLEET_RESUME_H
#define FLEET_RESUME_H

#include "fleet/store.h"

enum resume_state {
	RESUME_NOTHING, /* the store has no data of it, in this run */
	RESUME_FINE, /* it does not wait */
	RESUME_WAITS,
	RESUME_DONE, /* it does not wait any more */
	RESUME_ENDED, /* no host has asked since its day ended: not changed */
	RESUME_AWAY, /* the store can't be asked */
};

struct resume_facts {
	unsigned heard; /* hosts that have said what they have */
	unsigned silent; /* known to the store, and awaited */
	unsigned unknown; /* that other hosts know of */
};

/* The most that hosts that are away can have spent in this window. */
struct resume_amounts {
	int64_t day_nanousd, month_nanousd, day_tokens;
};

/* kind: "client" or "model".  amounts NULL: only asks.  Waits. */
enum resume_state resume_budget(struct store *, const char *kind,
    const char *name, const struct resume_amounts *, struct resume_facts *);

#endif

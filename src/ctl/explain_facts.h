/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The live facts that a plan is made from: those of the running gateway, or
 * those of a file (--facts, to ask "what if").
 *
 * The file is one JSON object, all members optional:
 *   { "providers": { "NAME": { "open_ms": 5000, "in_flight": 1,
 *                              "first_byte_ms": 300 } },
 *     "limits": { "NAME": { "used": 1, "queued": 2 } },
 *     "learned": [ { "provider": "NAME", "model": "M", "context": 8192,
 *                    "images": false, "audio": false, "tools": true } ],
 *     "turn": 0 }
 * open_ms -1: half open, a trial is due.
 */
#ifndef CTL_EXPLAIN_FACTS_H
#define CTL_EXPLAIN_FACTS_H

#include "base/arena.h"
#include "policy/plan.h"
#include "state/budget.h"
#include "state/slots.h"

/* The parts of the running state that can be asked for more; NULL: not
 * available. */
struct explain_state {
	struct budget_book *budgets;
	struct slots *slots;
};

/* Reads the running state.  A line on stderr names each part that cannot be
 * read. */
void explain_facts_live(const struct config *, struct arena *, struct facts *,
    struct explain_state *);
void explain_facts_close(struct explain_state *);
/* -1: a line on stderr says why. */
int explain_facts_load(
    const struct config *, const char *file, struct arena *, struct facts *);

#endif

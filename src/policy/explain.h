/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A plan as text: for people (`tailgate explain`) and for machines
 * (`tailgate explain --json`, and the response to `X-Tailgate-Explain: 1`).
 *
 * Nothing of the request's content is in it, only what was measured.
 */
#ifndef POLICY_EXPLAIN_H
#define POLICY_EXPLAIN_H

#include "base/buf.h"
#include "policy/bounds.h"
#include "policy/plan.h"

struct explain {
	const struct config *config;
	const struct client *client;
	const struct call *call;
	const struct facts *facts;
	/* If the call itself was refused: all zero but `refused`. */
	const struct plan *plan;
	/* The budgets of the client and of the model, if they are known. */
	const struct bound *bounds;
	size_t nbounds;
};

/* One JSON object and a newline; its members are in tailgate(1). */
void explain_json(const struct explain *, struct buf *);
/* Lines for a terminal, foreign bytes escaped. */
void explain_text(const struct explain *, struct buf *);

#endif

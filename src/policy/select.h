/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The order in which the targets of a model are tried.
 *
 * Local targets always come before external ones; within each of the two groups
 * the model's `order` decides:
 *  order        as they stand in the file;
 *  round_robin  the next one each time, a target of weight 3 three times as
 *               often; the others follow in their order;
 *  least_busy   fewest requests under way per weight (of the provider's limit
 *               where it has one: held and queued; of another gateway what
 *               it said of its limits, per slot; else in flight);
 *  cheapest     by the worst-case cost of this call; unknown prices last;
 *  fastest      by the typical first-byte latency; a provider that has not
 *               been seen yet first, so that it will be.
 * `sticky` gives each client its own target of several equal ones (weighted
 * rendezvous hashing of client, model and target, so that a target that is
 * taken away moves only its own clients).  It replaces round_robin and
 * least_busy, decides ties of cheapest and fastest, and does not change
 * `order`.  With sticky_by session it is each session's, if there is one.
 * Other ties are decided by the order in the file.
 */
#ifndef POLICY_SELECT_H
#define POLICY_SELECT_H

#include <stddef.h>

#include "policy/plan.h"

struct select_ask {
	const char *session;	/* its digest, or NULL: it is of none */
	const char *requested;	/* the model's name as the client wrote it */
	const int64_t *worst;	/* cost of each target for this call at the
				   worst; -1: not known */
};

/* Fills order[0 .. model->ntargets) with indexes of targets. */
void select_order(const struct model *, const struct client *,
    const struct facts *, const struct select_ask *, struct arena *,
    size_t *order);

#endif

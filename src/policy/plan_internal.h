/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What plan.c (the order of things) and plan_rules.c (the rules for one target)
 * share.
 */
#ifndef POLICY_PLAN_INTERNAL_H
#define POLICY_PLAN_INTERNAL_H

#include "policy/plan.h"

/* What the rules for one target depend on. */
struct plan_question {
	const struct config *config;
	const struct client *client;
	const struct call *call;
	const struct facts *facts;
	struct arena *arena;
	struct plan *plan;
};

/* Applies all rules to the candidate, whose target and model are set: fills the
 * rest of it and counts it in plan->nin if it may be tried.  stopped: why the
 * plan has ended before this one; NULL: it has not. */
void plan_judge(
    const struct plan_question *, const char *stopped, struct candidate *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What both renderings of a plan share, explain.c (JSON) and explain_text.c
 * (lines for people).
 */
#ifndef POLICY_EXPLAIN_INTERNAL_H
#define POLICY_EXPLAIN_INTERNAL_H

#include "policy/explain.h"

/* The CALL_* bits that a target may or may not support, with their names. */
struct explain_need {
	unsigned need;
	const char *name;
};
#define EXPLAIN_NEEDS 5
extern const struct explain_need explain_needs[EXPLAIN_NEEDS];

/* What the target's settings say of one of them. */
enum tri explain_ability(const struct target *, unsigned need);
/* NULL for BRIDGE_NONE. */
const char *explain_bridge(enum bridge);
const char *explain_circuit(int64_t open_ms);
/* The live facts of a provider and of a limit; unknown ones are zero. */
struct facts_provider
explain_provider(const struct explain *, const struct provider *);
struct facts_limit explain_limit(const struct explain *, const struct limit *);
/* nano-USD as USD with all its digits. */
void explain_usd(struct buf *, int64_t nanousd);

#endif

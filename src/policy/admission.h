/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The refusals of a request that has a plan, before anything is sent.  The
 * responder says them, and `tailgate explain` says them in the same words.
 */
#ifndef POLICY_ADMISSION_H
#define POLICY_ADMISSION_H

#include "base/arena.h"
#include "policy/plan.h"
#include "policy/refusal.h"

/* What a candidate may cost at the most, for its budgets: nano-USD, 0 for a
 * local one without a price, -1 if it may cost and how much is not known. */
int64_t admission_nanousd(const struct candidate *);

/* Each fills in *refused; texts are in the arena. */
void admission_too_large(struct arena *, size_t max_bytes, struct refused *);
void admission_bad_form(
    struct arena *, const char *error, struct refused *);
/* The provider, or only this model of it, is not asked for a while. */
void admission_model_held(struct arena *, const struct provider *,
    int64_t open_ms, struct refused *);
void admission_circuit_open(struct arena *, const struct provider *,
    int64_t open_ms, struct refused *);
/* All of its keys rest. */
void admission_keys_rest(struct arena *, const struct provider *,
    int64_t open_ms, struct refused *);
/* No slot, and no place in the queue of `waiting`. */
void admission_queue_full(struct arena *, const struct provider *,
    unsigned waiting, int64_t retry_after_ms, struct refused *);

#endif

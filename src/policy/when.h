/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The rules by which an operator says which requests a target or a model is for
 * (`when`).  They depend only on what was measured of the call.
 */
#ifndef POLICY_WHEN_H
#define POLICY_WHEN_H

#include "base/arena.h"
#include "config/settings.h"
#include "policy/call.h"

/* NULL: the rule matches the call.  Otherwise why it does not, in one clause
 * for people: "it is for requests of up to 4000 tokens in, not 5210". */
const char *when_not(const struct when *, const struct call *, struct arena *);

#endif

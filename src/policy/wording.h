/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The words in which providers say whose fault an error is.
 */
#ifndef POLICY_WORDING_H
#define POLICY_WORDING_H

#include <stdbool.h>

#include "base/span.h"
#include "policy/blame.h"

/* words: the error's own, in lower case.  status 0: unsaid, as inside of a
 * stream, so only the words count.  False: no known wording matches with this
 * status. */
bool wording_find(int status, struct span words, enum blame *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What a line from another process must be like to be written.
 */
#ifndef LEDGER_FORM_H
#define LEDGER_FORM_H

#include <stdbool.h>

#include "base/span.h"

/* Is it one request's line, complete except for its place in the chain, as
 * draft.c makes them: strict JSON on one line, of version 2, with a time;
 * only members of tailgate.ledger(5), each at most once, in their order and
 * of their type?  Members that only the ledger's process writes (gaps,
 * numbers, hashes) are not among them. */
bool ledger_form_is_request(struct span);

#endif

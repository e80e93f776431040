/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The processes that deliver lines to the ledger's process (frame.h), any of
 * which may have been taken over.  Between keeper.c and callers.c, and the
 * fuzzer.
 */
#ifndef LEDGER_CALLERS_H
#define LEDGER_CALLERS_H

#include <stdbool.h>

#include "ledger/file.h"

/* For another process's lock, in one call. */
#define LEDGER_LOCK_WAIT_MS 500

struct ledger_callers;

/* Takes ownership of the ledger's end of the desk; file and gap stay the
 * caller's.  Out of memory is fatal. */
struct ledger_callers *
ledger_callers_new(struct ledger_file *, struct ledger_gap *, int desk);
void ledger_callers_free(struct ledger_callers *);

/* Is any process connected, or can one still connect? */
bool ledger_callers_left(const struct ledger_callers *);
/* Waits for what comes, at most timeout_ms (-1: forever), and deals with it.
 * False: nothing came. */
bool ledger_callers_serve(struct ledger_callers *, int timeout_ms);

#endif

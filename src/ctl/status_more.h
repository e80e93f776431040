/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Parts of `tailgate status` that are shown only if they are in use: each
 * prints an empty line and a table (or a sentence), or nothing.
 */
#ifndef CTL_STATUS_MORE_H
#define CTL_STATUS_MORE_H

#include "config/settings.h"
#include "state/meters.h"
#include "state/recording.h"
#include "state/status.h"

/* What the workers know of the store; this process does not ask it. */
void status_store(const struct config *, struct meters *);
/* The providers that each client signs in to itself. */
void status_own_keys(const struct config *);
/* Whose exchanges are recorded: nobody should wonder who keeps what is said. */
void status_recording(struct recording *);

/* False: there is none. */
bool status_ledger_look(const struct config *, struct status_ledger *out);
/* That the ledger can't be written, and what that means for requests; nothing
 * while it can. */
void status_ledger(const struct config *);

#endif

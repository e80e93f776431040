/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The circuits of providers, shared by all hosts of a store.
 *
 * Each host counts failures by itself, and its own circuit opens as it does
 * without a store (state/health.h).  It tells the engine (the store's server),
 * which tells all hosts by a message.  When the time is over, the first request
 * that any host would send asks the engine; one in the whole fleet may go.  It
 * has a lease, which its process renews each third of it, so that a process
 * that dies or hangs does not keep the provider closed.  Its success closes the
 * circuit for all; its failure opens it for twice as long.  Models and keys
 * that a provider limits (429, "loading") are told to all hosts as well.
 *
 * A failure that may be this host's own fault opens its own circuit alone: no
 * connection, or a key that is not accepted.  It opens the fleet's if a second
 * host says the same while the first one's circuit is open.  If the fleet's
 * trial fails so, another host may try at once, and this one not before a
 * cooldown.  So a host without a network closes nothing for the others.
 *
 * A change costs one call, a request none.  While the engine is away, a host
 * has its own circuits.  Afterwards it asks once for what the others know, and
 * says what the engine does not know; a circuit whose time is over meanwhile
 * lets one request through, as always.
 *
 * Data of another run of the engine (a snapshot) is dropped: the hosts know
 * better.  In a new run, no trial of what it does not know is granted before
 * one that is under way has been renewed.
 */
#ifndef FLEET_CIRCUITS_H
#define FLEET_CIRCUITS_H

#include "fleet/store.h"
#include "state/health.h"

struct circuits;

/* NULL: there is no store.  Both must outlive it. */
struct circuits *
circuits_new(const struct config *, struct store *, struct health *);
/* Ends its task.  Called when no request is left, before store_end().  NULL:
 * does nothing. */
void circuits_end(struct circuits *);
void circuits_free(struct circuits *);

#endif

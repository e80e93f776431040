/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The circuits of providers, shared by all hosts of a store.
 *
 * Each host counts failures by itself, and its own circuit opens as it does
 * without a store (state/health.h).  The host tells the engine (the store's
 * server), which sends a message to all hosts.  After the cooldown, the first
 * request that a host would send asks the engine, and the engine lets one
 * request of the whole fleet go: the trial.  The trial has a lease.  Its
 * process renews the lease after each third of the time, so that a process that
 * dies or hangs does not keep the circuit open.  The trial's success closes the
 * circuit for all hosts; its failure opens the circuit for twice as long.  The
 * engine also tells all hosts which models and keys a provider limits (429,
 * "loading").
 *
 * A failure that may be this host's own fault (no connection, a timeout, or a
 * key that is not accepted) opens this host's circuit alone.  The fleet's
 * circuit opens if a second host reports the same while the first host's
 * circuit is open.  If the fleet's trial fails in this way, another host may
 * try at once, and this host only after a cooldown.  So a host without a
 * network takes no provider away from the others.
 *
 * A provider that hangs would cost each host several requests that wait for
 * their timeout.  So after timeouts of one host, one request of another host
 * tries at once, while the others are refused.  If it succeeds, that host's
 * timeouts are only reported, as above, for the circuit's cooldown_max.
 *
 * A change costs one call; a request costs none.  While the engine is away, a
 * host has its own circuits.  Afterwards the host asks once for what the others
 * know, and reports what the engine does not know.  A circuit whose cooldown
 * ended meanwhile lets one request through, as always.
 *
 * Data of another run of the engine (a snapshot) is dropped: the hosts know
 * better.  A new run does not know which trials are under way.  So it grants no
 * trial of a circuit that it does not know until a trial under way would have
 * been renewed.
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

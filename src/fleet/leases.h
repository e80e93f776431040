/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Slots of a limit that all hosts share through the store.
 *
 * For each such limit, the engine (the store's server) records which requests
 * hold a slot and which wait.  Each request belongs to a process, and each
 * process has a lease at the limit.  A process sends a beat for each limit at
 * which it has a slot or a waiter.  The beat lists all that the process has at
 * the limit, and renews the lease.  The engine frees what a beat does not list
 * any more.  A process that is silent for the time of a lease loses all that it
 * has.
 *
 * The order is that of state/slots.h, over all hosts: first come first served
 * within a client, start-time fair between clients, by priority.  The script
 * that gives a slot back also grants it to the first waiter that may have it,
 * and a message wakes the waiter's process.  A process that has waiters also
 * beats once a second, in case a message was lost.
 *
 * No request holds a slot without a lease.  The lease begins with the sending
 * of the last call to which the engine has replied. After half of the lease
 * (SOFT), a process ends its own upstream requests that hold a slot.  After
 * three fifths (KILL), a timer of the kernel kills a process that has not done
 * so, because it is stopped or hangs; its sockets are closed with it.  The
 * engine waits for at least two thirds: it measures time with its own clock,
 * and a jump of that clock counts as at most a third of a lease.
 *
 * After a restart the engine grants no slot for the time of a lease.  Its old
 * data is dropped; a process that holds slots reports them in its next beat.
 *
 * A lease cannot help in two cases: a host that is paused as a whole (a virtual
 * machine), so that its kernel does not run either; and a model server that
 * goes on with a request after its connection was closed.
 *
 * With `without_store = "local"` a limit falls back on the host's own slots
 * while the store is away, and a running request is not ended then.
 */
#ifndef FLEET_LEASES_H
#define FLEET_LEASES_H

#include "fleet/store.h"
#include "state/slots.h"

struct leases;

/* NULL: no limit is shared, or there is no store.  Called after process_open().
 * The slots, unless NULL, are given the fleet's figures. */
struct leases *
leases_new(const struct config *, struct store *, struct slots *);
/* Gives back what dead processes of this host held.  Needs a loop.  NULL: does
 * nothing. */
void leases_start(struct leases *);
/* Called after all slots were given back, before store_end().  NULL: does
 * nothing. */
void leases_end(struct leases *);
void leases_free(struct leases *);

enum leases_result {
	LEASES_TAKEN,
	LEASES_FULL,
	LEASES_DENIED,
	LEASES_TIMEOUT,
	LEASES_GONE, /* the client has left */
	LEASES_AWAY, /* the store is away: refuse, or take a local slot */
};

struct leases_entry;

/* One slot, held or not (entry NULL). */
struct lease {
	struct leases_entry *entry;
	int64_t waited_ms;
	unsigned position; /* in the queue, when it gave up or was refused */
	int64_t retry_after_ms;
	uint64_t fence; /* grows with each slot that this limit grants */
};

/* Like slots_take(): waits until there is a result. */
enum leases_result
leases_take(struct leases *, const struct slots_ask *, struct lease *);
/* Gives the slot back, if one is held. */
void leases_release(struct leases *, struct lease *);
/* Has the lease run out?  Then the request must end at once; its task has been
 * woken. */
bool leases_lost(const struct lease *);
/* Does a request of this process wait for a slot of the same limit? */
bool leases_wanted(const struct lease *);

/* Asks for the figures of the limits that plans compare (`least_busy`), or of
 * all limits, if the known figures are old.  Does not wait: the next plan has
 * the new ones.  NULL: does nothing. */
void leases_refresh(struct leases *, bool all);

#endif

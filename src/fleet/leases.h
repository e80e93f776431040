/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Slots of a shared limit: over all hosts, by the store.
 *
 * The engine (the store's server) keeps, for each such limit, who holds a slot
 * and who waits.  All of it belongs to processes, and each process has a lease
 * there: a beat, one for each limit that it has something of, tells the engine
 * all that the process has, and renews the lease.  What a process has no more
 * is freed by its next beat; a process that is silent for the lease's time
 * loses all.
 *
 * Order: as in state/slots.h, over all hosts: first come first served within a
 * client, start-time fair between clients, by priority.  Whoever gives a slot
 * back hands it, in the same script, to the first who may have it, and a
 * message wakes that one's process.  A process that has waiters also beats
 * once a second, in case a message was lost.
 *
 * Nobody works without a lease.  The lease counts from when a call was sent
 * that the engine has replied to.  After half of it (SOFT) a process ends its
 * own upstream requests that hold a slot.  After three fifths (KILL) a timer of
 * the kernel kills the process, which then was stopped or hangs; its sockets
 * are closed with it.  The engine waits for at least two thirds: it counts time
 * by its own clock, a step of which counts for a third of a lease at the most.
 *
 * An engine that was restarted gives no slot for the time of a lease.  What it
 * knew is dropped; who holds a slot says so in its next beat.
 *
 * What no lease can see: a host that is paused as a whole (a virtual machine),
 * whose kernel does not run either; and a model server that goes on with a
 * request after its connection was closed.
 *
 * With `without_store = "local"` a limit falls back on the host's own slots
 * while the store is away, and a running request is not ended then.
 */
#ifndef FLEET_LEASES_H
#define FLEET_LEASES_H

#include "fleet/store.h"
#include "state/slots.h"

struct leases;

/* NULL: no limit is shared, or there is no store. */
struct leases *leases_new(const struct config *, struct store *);
/* Once all have given back; before store_end().  NULL: nothing. */
void leases_end(struct leases *);
void leases_free(struct leases *);

enum leases_result {
	LEASES_TAKEN,
	LEASES_FULL,
	LEASES_DENIED,
	LEASES_TIMEOUT,
	LEASES_GONE, /* the client has left */
	LEASES_AWAY, /* the store is: refuse, or take a local one */
};

struct leases_entry;

/* One slot, held or not (entry NULL). */
struct lease {
	struct leases_entry *entry;
	int64_t waited_ms;
	unsigned position; /* when it gave up, or was refused */
	int64_t retry_after_ms;
	uint64_t fence; /* grows with each slot that this limit gives */
};

/* As slots_take(): waits until one of the results. */
enum leases_result
leases_take(struct leases *, const struct slots_ask *, struct lease *);
/* Gives it back; nothing if none is held. */
void leases_release(struct leases *, struct lease *);
/* Has the lease run out?  Then the request must end at once: its task was
 * woken. */
bool leases_lost(const struct lease *);
/* Does anybody wait for it, as far as this process knows? */
bool leases_wanted(const struct lease *);

#endif

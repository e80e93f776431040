/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Slots: how many requests a piece of hardware may serve at once, over threads,
 * processes, CGI runs and separately started pools.
 *
 * A slot of a limit is a file runtime_dir/slots/LIMIT/slot.N; the holder of its
 * flock has the slot.  Nothing else decides: everything below is about order
 * and about not wasting time, so a wrong byte there can make a request wait,
 * but can never let one too many through, and the kernel gives a dead holder's
 * slot back.
 *
 * The queue is runtime_dir/slots/LIMIT/queue, mapped by every process: a row
 * for each waiter of any process.  A row is owned by the one process whose id
 * (state/process.h) was swapped into its owner word; then its key is published
 * in one store: arrival, client, how many slots and how many per client its
 * configuration allows.  There is no lock in the file: no participant can block
 * another, whether it was killed or merely stopped.
 *
 * A queue of eight or more is divided: a client may have seven times as many
 * waiting as it leaves room for, so that there is a place for others.
 *
 * Order.  Within a client, arrival.  Between clients, start-time fair
 * queueing: each client has a clock, its next request's tag; the least tag
 * goes first, equal ones by arrival; a request that begins moves its client's
 * clock on by 1/priority, and an arrival moves an idle client's clock up to
 * the tag that began latest.  Clocks never go back.  A client that holds
 * per_client slots is left out until it gives one back.
 *
 * With `swap`, whose server loads one model at a time, three classes come
 * before that: those that have waited for swap_wait, then those for the model
 * in use (of the latest that began), then the rest; the order above is that
 * within a class.  So A B A A C is served A A A B C, and a later request of one
 * client may go before an earlier one for another model, for swap_wait at most.
 * Which model a row is for, and until when it lets others pass, is in the row:
 * if each reader applied its own settings, two pools with different ones could
 * wake each other's waiters without end.
 *
 * Taking.  If nobody waits, an arrival tries the slots at once.  Otherwise it
 * publishes a row and tries only when no row that could use the slot is before
 * its own.  Sleeping is poll(2) on the row's FIFO (wake.ROW) and on the client.
 * These rules make sure that a free slot always finds somebody awake:
 *  1. whoever publishes a row looks, and tries, after that;
 *  2. whoever gives a slot back finds the first row, and wakes it, after that;
 *  3. whoever leaves the queue, with a slot or without, wakes the first after;
 *  4. whoever was woken, or was first, and is not first now, wakes the first.
 * (1 and 2 are ordered like Dekker's flags: either one side sees the row or the
 * other sees the free slot.)  So no hand-over waits for a timer.  Timers exist
 * for processes that are killed or stopped:
 *  5. the first tries every 20 ms: a killed holder;
 *  6. in each process one waiter, its checker (the lowest row), looks every 20
 *     ms times the number of processes with a lower row: whether the first
 *     row's process lives (otherwise its rows are freed), and the holders' (for
 *     per_client);
 *  7. a first row that leaves a free slot alone for 200 ms (stopped, or its
 *     watch->tick hangs) is passed over until it looks again.
 * If FIFOs cannot be made, the first two look every 2 ms instead, the others
 * less often.
 *
 * Invariants (tests/model/slots.pml proves them for small numbers):
 *  - never more holders than slots, nor of one client than per_client;
 *  - no waiter is overtaken by a later one of its client, and with `swap` of
 *    its client for its model (but rule 7);
 *  - if a slot is free and somebody waits, somebody is awake for it, or will
 *    be within the times of 5 to 7;
 *  - all this is true with any participant killed at any point.
 *
 * Pools with different configurations may share the directory (so a reload with
 * another number of slots does): each keeps to its own slots, queue and
 * per_client.  A pool with fewer slots uses the lower ones; the number of
 * running requests never exceeds the largest number of the pools.  The mapped
 * file's size does not depend on the configuration.
 */
#ifndef STATE_SLOTS_H
#define STATE_SLOTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/watch.h"
#include "config/settings.h"
#include "policy/plan.h"

/* The most that a configuration may ask for. */
#define SLOTS_MAX 256 /* slots of one limit */
#define SLOTS_QUEUE_MAX 1024 /* waiters of one limit */

struct slots;

/* Opens runtime_dir/slots/LIMIT/ for each limit, making what is missing.
 * NULL with one line in why (missing and not makeable, read-only, foreign
 * owner, flock refused). One per process; after fork, not before. */
struct slots *slots_open(const struct config *, char *why, size_t size);
void slots_close(struct slots *);

struct slots_ask {
	const struct limit *limit;
	const char *client; /* name; whose queue it joins */
	const char *request_id; /* for `tailgate status` */
	const char *model;
	/* With `swap` of the limit: what the server has to load, and its name
	 * for people; 0: it does not matter. */
	uint64_t loads;
	const char *loads_name;
	unsigned priority; /* client->priority */
	int64_t deadline_ms; /* clock_now_ms() when to give up */
	const struct watch *watch;
	/* Called once, when it would have to wait; NULL: it may. */
	bool (*may_wait)(void *ctx);
	void *ctx;
};

enum slots_result {
	SLOTS_TAKEN,
	SLOTS_FULL, /* the queue, or the client's share of it */
	SLOTS_DENIED, /* may_wait() said no */
	SLOTS_TIMEOUT,
	SLOTS_GONE, /* the client has left */
	SLOTS_AWAY, /* not of slots_take(): a shared limit's store is away */
	SLOTS_BROKEN, /* the directory does not work: logged; no slot */
};

struct slots_lease {
	struct slots *slots;
	const struct limit *limit;
	unsigned slot;
	int64_t taken_ms;
	int64_t waited_ms;
	/* If not taken: the values for the response. */
	unsigned position; /* in the queue when it gave up, was refused */
	int64_t retry_after_ms; /* mean hold time x queue / slots, >= 1000 */
};

/* Blocks until one of the results; *lease is filled in each case. */
enum slots_result
slots_take(struct slots *, const struct slots_ask *, struct slots_lease *);
/* Gives a taken slot back; otherwise does nothing. */
void slots_release(struct slots_lease *);

/* What slots_take() would do for a client now, without doing it: TAKEN,
 * FULL, or TIMEOUT for any result of waiting.  *lease has position and
 * retry_after_ms as a refusal would.  An onlooker may ask, too. */
enum slots_result slots_look(struct slots *, const struct limit *,
    const char *client, struct slots_lease *);

/* True if the directory was removed or replaced, and nobody holds a slot of
 * the old one any more: then it is safe to open it again. */
bool slots_lost(struct slots *);

/* Does anybody wait for it? */
bool slots_wanted(const struct slots_lease *);

/* Used, queued and, with `swap`, the model in use of every limit, by index:
 * cheap, so a killed process's slots may be counted for up to a second. */
void slots_facts(struct slots *, struct facts_limit *);

/* A limit that hosts share has so many used and queued in all; these are its
 * facts for SLOTS_FLEET_MS. */
#define SLOTS_FLEET_MS 15000
void slots_fleet_set(
    struct slots *, const struct limit *, unsigned used, unsigned queued);
/* One slot was given back: the next that waits has it, if there is one. */
void slots_fleet_back(struct slots *, const struct limit *);
/* How old they are; CLOCK_NEVER: not known. */
int64_t slots_fleet_age_ms(const struct slots *, const struct limit *);

/* For `tailgate status`: one call per holder and waiter that is alive.  (It
 * needs no process_open(); slots_take does it itself.) */
struct slots_row {
	const struct limit *limit;
	bool holder; /* else waiter */
	char client[CONFIG_NAME_MAX];
	char request_id[40];
	char model[CONFIG_NAME_MAX];
	int pid;
	int64_t since_ms; /* clock_now_ms() */
};
void slots_each(
    struct slots *, void (*row)(void *, const struct slots_row *), void *ctx);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What the parts of slots share: the mapped queue, and a limit as one process
 * has it open.  slots.h explains the protocol; nobody else includes this.
 */
#ifndef STATE_SLOTS_INTERNAL_H
#define STATE_SLOTS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "state/process.h"
#include "state/slots.h"

#define SLOTS_CLIENTS 1024	/* clocks; more clients share some */
#define SLOTS_PATH_SIZE 1024

/* A key: seq 37 bits, dormant 1, client 10, slots-1 8, per_client 8. */
#define SLOTS_KEY_SEQ_SHIFT 27
#define SLOTS_KEY_DORMANT (UINT64_C(1) << 26)
#define SLOTS_KEY_CLIENT_SHIFT 16
#define SLOTS_KEY_SLOTS_SHIFT 8

/* How often (ms) to check for what sends no wake-up: a holder killed, a
 * waiter killed or stopped. */
#define SLOTS_CHECK_MS 20
/* A first waiter that leaves a free slot unused for so long is passed over. */
#define SLOTS_DORMANT_MS 200
/* How often to check if wake-ups do not work at all. */
#define SLOTS_POLL_MS 2
#define SLOTS_POLL_MAX_MS 100

/* For people only; in words, so that reading during a write is no data race
 * and yields old or new words. */
#define SLOTS_WHO_WORDS 22
struct slots_who {
	_Atomic uint64_t words[SLOTS_WHO_WORDS];
};

struct slots_who_text {
	char client[CONFIG_NAME_MAX];
	char request_id[40];
	char model[CONFIG_NAME_MAX];
	int64_t since_ms;
};

struct slots_clock {
	_Atomic uint64_t hash;		/* of the client's name; 0: unused */
	_Atomic uint64_t start;		/* its next request's tag */
	_Atomic uint64_t stride;	/* by which one moves it */
};

/* What the row's limit says of models.  It is in the row, as its key is, for
 * pools with other settings to come to the same order. */
struct slots_swap {
	_Atomic uint64_t model;		/* 0: its order knows no models */
	_Atomic int64_t late_ms;	/* from then on none goes before it for
					   its model's sake */
};

/* runtime_dir/slots/LIMIT/queue.  All zero is an empty queue. */
struct slots_shared {
	_Atomic uint64_t seq;		/* arrivals so far */
	_Atomic uint64_t now;		/* tag of the latest that began */
	_Atomic uint64_t hold_us;	/* mean, 0: not known */
	_Atomic uint64_t high;		/* rows ever used */
	_Atomic uint64_t meeting;	/* see slots_meet() */
	_Atomic int64_t checked_ms, reaped_ms;
	_Atomic uint64_t stuck_key;
	_Atomic int64_t stuck_ms;
	_Atomic uint64_t key[SLOTS_QUEUE_MAX];	 /* 0: nobody waits here */
	_Atomic uint64_t owner[SLOTS_QUEUE_MAX]; /* process id; 0: free */
	_Atomic uint64_t holder[SLOTS_MAX];	 /* process id and client */
	struct slots_clock clocks[SLOTS_CLIENTS];
	struct slots_who waiters[SLOTS_QUEUE_MAX];
	struct slots_who holders[SLOTS_MAX];
	_Atomic uint64_t model;		/* in use: of the latest that began */
	_Atomic uint64_t switches;	/* how often that was another one */
	struct slots_swap swaps[SLOTS_QUEUE_MAX];
	struct slots_who in_use;	/* the model's name, since when */
	/* If hosts share the limit: its figures, and when they were heard. */
	_Atomic uint32_t fleet_used, fleet_queued;
	_Atomic int64_t fleet_ms;
};

struct slots_file {
	int fd;			/* -1: not opened yet */
	dev_t dev;
	ino_t ino;
	bool held;		/* by a thread of this process */
};

/* One limit in one process. */
struct slots_limit {
	const struct limit *limit;
	struct slots_shared *shared;
	char dir[SLOTS_PATH_SIZE];
	int dir_fd;
	bool poll_only;
	pthread_mutex_t mutex;	/* of files: never held while waiting */
	struct slots_file files[SLOTS_MAX];
};

struct slots {
	size_t nlimits;
	struct slots_limit *limits;
	const char *runtime_dir;
	_Atomic int64_t warned_ms;
	atomic_bool lost; /* a slot's file was replaced */
};

_Static_assert(SLOTS_CLIENTS <= 1 << 10, "a client fits into a key");
_Static_assert(SLOTS_MAX <= 1 << 8, "a number of slots fits into a key");
_Static_assert(PROCESS_ID_BITS + 10 <= 64, "a holder fits into a word");

static inline uint64_t
slots_key_seq(uint64_t key)
{
	return key >> SLOTS_KEY_SEQ_SHIFT;
}

static inline unsigned
slots_key_client(uint64_t key)
{
	return (unsigned)(key >> SLOTS_KEY_CLIENT_SHIFT) & (SLOTS_CLIENTS - 1);
}

static inline unsigned
slots_key_slots(uint64_t key)
{
	return ((unsigned)(key >> SLOTS_KEY_SLOTS_SHIFT) & 0xff) + 1;
}

static inline unsigned
slots_key_cap(uint64_t key)
{
	return (unsigned)key & 0xff;
}

static inline unsigned
slots_holder_client(uint64_t holder)
{
	return (unsigned)(holder >> PROCESS_ID_BITS) & (SLOTS_CLIENTS - 1);
}

static inline uint64_t
slots_holder_id(uint64_t holder)
{
	return holder & ((UINT64_C(1) << PROCESS_ID_BITS) - 1);
}

/* Between publishing something and reading what others have published: of
 * two who do this, at least the later sees the other's.  (The kernel's lock
 * words are no C11 atomics, and thread sanitizers know no fences.) */
static inline void
slots_meet(struct slots_shared *sh)
{
	atomic_fetch_add(&sh->meeting, 1);
}

/* How many rows may be in use. */
static inline unsigned
slots_rows(struct slots_shared *sh)
{
	uint64_t high = atomic_load(&sh->high);

	return high < SLOTS_QUEUE_MAX ? (unsigned)high : SLOTS_QUEUE_MAX;
}

/* A set of process indexes. */
struct slots_seen {
	uint64_t words[(1 << 10) / 64];
	unsigned count;
};

static inline bool
slots_see(struct slots_seen *seen, uint64_t id)
{
	unsigned i = process_id_index(id);
	uint64_t bit = UINT64_C(1) << (i % 64);

	if (seen->words[i / 64] & bit)
		return false;
	seen->words[i / 64] |= bit;
	seen->count++;
	return true;
}

/* --- slots_queue.c: rows, clocks, the dead -------------------------------- */

unsigned slots_queue_client(struct slots_shared *, const char *name);
/* The same without giving it a clock; SLOTS_CLIENTS: it has none yet. */
unsigned slots_queue_find_client(struct slots_shared *, const char *name);
unsigned slots_queue_held(struct slots_shared *, unsigned client);
unsigned slots_queue_waiting(struct slots_shared *);
/* Of `waiting`, `mine` are a client's: is that its share? */
bool slots_queue_is_share(
    const struct limit *, unsigned waiting, unsigned mine);
/* A row for a process, or -1: full, or the client has its share of it.  Nobody
 * sees it until it is published. */
int slots_queue_claim(struct slots_limit *, uint64_t id, unsigned client);
void slots_queue_publish(struct slots_limit *, int row, unsigned client,
    const struct slots_ask *);
/* Retracting hides the row from others; freeing lets others take it. */
void slots_queue_retract(struct slots_limit *, int row);
void slots_queue_free(struct slots_limit *, int row);
/* One of the client's requests begins. */
void slots_queue_charge(struct slots_limit *, unsigned client,
    unsigned priority);
/* It is this model's, which the server has to load if it is another one. */
void slots_queue_use(struct slots_shared *, uint64_t model, const char *name);
/* The checker's round: are the first and the holders alive, does the first
 * take what is free?  True if the first should be woken. */
bool slots_queue_check(struct slots_limit *, int64_t now_ms);

/* --- slots_order.c: who is first ------------------------------------------ */

/* What a waiter learns by looking over the queue once. */
struct slots_view {
	unsigned from;		/* may try the slots from .. limit->slots-1 */
	unsigned checker;	/* 1..: its process's checker, and how many
				   such come before it; 0: it is not */
};

void slots_order_look(struct slots_limit *, int row, struct slots_view *);
/* The first who may take a slot numbered floor or above, or -1; *reach is how
 * many slots it knows of, *far the most that any waiter knows of. */
int slots_order_first(struct slots_limit *, unsigned floor, unsigned *reach,
    unsigned *far);
/* The lowest row of this process, or -1. */
int slots_order_checker(struct slots_limit *, uint64_t id);
/* How many will be served before the row, counting itself. */
unsigned slots_order_position(struct slots_limit *, int row);

/* --- slots_lock.c: the slots themselves ---------------------------------- */

enum slots_lock { SLOTS_LOCK_BUSY, SLOTS_LOCK_TAKEN, SLOTS_LOCK_FAILED };

/* Tries slots from .. limit->slots-1 without waiting.  FAILED: errno. */
enum slots_lock slots_lock_try(struct slots_limit *, unsigned from,
    unsigned client, const struct slots_who_text *, unsigned *slot);
void slots_lock_release(struct slots_limit *, unsigned slot);

/* --- slots_wake.c: waking one waiter, whatever process it is in ----------- */

#define SLOTS_WAKE_TRY 1	/* it may be your turn */
#define SLOTS_WAKE_CHECK 2	/* you may be the checker now */

/* The descriptor on which the row's waiter sleeps; -1: nothing wakes it, it
 * must poll. */
int slots_wake_open(struct slots_limit *, int row);
void slots_wake_row(struct slots_limit *, int row, int what);
int slots_wake_drain(int fd);
/* Wakes the waiters that may take a slot now. */
void slots_wake_next(struct slots_limit *);

/* --- slots.c -------------------------------------------------------------- */

/* Retry-After for a request that would be at this place of the queue. */
int64_t slots_retry_after_ms(struct slots_limit *, unsigned position);

/* --- slots_status.c ------------------------------------------------------- */

void slots_who_store(struct slots_who *, const struct slots_who_text *);
void slots_who_load(const struct slots_who *, struct slots_who_text *);

#endif

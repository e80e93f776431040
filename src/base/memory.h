/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How much memory a process keeps, and how much the data of its requests may
 * use.
 *
 * Data whose size a client or an upstream decides (bodies, buffered responses,
 * their translations) is charged to the process's budget first, and refused
 * when the budget is spent.  The rest, small and limited in number, comes from
 * memory_alloc().
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"
#include "base/span.h"

/* Keys are in memory: no core files, no tracing by other processes of the
 * same user.  Call it before a key is read. */
void memory_protect(void);

/* Call it before threads are started: freed memory then goes back to the
 * system. */
void memory_tune(void);

/* Gives the memory that starting has freed (the configuration's text, the
 * sandbox's filter) back to the system, and drops the unchanged pages (code,
 * constants) of the program and its libraries that starting has touched: the
 * kernel maps again what is used.  It takes half a millisecond, so it is done
 * after MEMORY_SETTLE_MS without work. */
void memory_give_back(void);
#define MEMORY_SETTLE_MS 1000

/* ---- the budget ------------------------------------------------------- */

/* One process's part of the budget of so many processes, in bytes.  asked:
 * the budget of all; 0: half the memory of the machine or the control group.
 * At most a quarter of what RLIMIT_AS and RLIMIT_DATA leave the process. */
size_t memory_part(size_t asked, unsigned processes);
/* Sets this process's budget; without the call there is no bound. */
void memory_set_budget(size_t bytes);
size_t memory_budget(void);

/* What all requests of one client hold in this process; all zero: nothing.  A
 * client may hold seven times what it leaves free, and an eighth is kept for
 * those that hold little (a 128th): alone it may have three quarters. */
struct memory_share {
	atomic_size_t taken;
};

enum memory_lack {
	MEMORY_ENOUGH = 0,
	MEMORY_SPENT, /* the budget, or the process's memory */
	MEMORY_SHARE, /* the client's share */
};

/* Whom memory is charged to, and why it was refused.  It belongs to one
 * request or a part of one, and is used by one thread at a time. */
struct memory_hold {
	struct memory_share *share; /* NULL: of no known client */
	enum memory_lack lack; /* of the first that was refused */
};

/* Charges bytes.  False if there is no room; lack says why.  The caller
 * gives back the same number.  hold NULL: only the budget counts. */
bool memory_take(struct memory_hold *, size_t bytes);
void memory_give(struct memory_hold *, size_t bytes);
/* Charges bytes even if there is no room: they are few, or in memory
 * already. */
void memory_charge(struct memory_hold *, size_t bytes);
/* Is half of the budget charged, or all that the client may have?  Then
 * buffers that only make things faster should be small. */
bool memory_is_scarce(const struct memory_hold *);
/* All that is charged; the most that one client can have. */
size_t memory_taken(void);
size_t memory_share_most(void);

/* Can this much be allocated right now?  For libraries that do not survive a
 * failed allocation. */
bool memory_is_there(size_t bytes);

/* malloc(3) and realloc(3) for memory that is small, or charged already.
 * When the system has none left, they use a reserve (memory_take() refuses
 * until it is full again), then wait some seconds for other requests to end;
 * after that it is fatal. */
void *memory_alloc(size_t bytes);
/* The same, all zero. */
void *memory_zero(size_t bytes);
void *memory_grow(void *, size_t bytes);
/* The same, but for more than MEMORY_LITTLE_BYTES it is realloc(3), and NULL if
 * there are none.  For libraries, and what may be either. */
#define MEMORY_LITTLE_BYTES ((size_t)320 * 1024)
void *memory_try(void *, size_t bytes);
/* reallocarray(3) as memory_grow(). */
void *memory_list(void *, size_t n, size_t of);
/* A copy with a NUL after it. */
char *memory_text(struct span);
/* The same for a library that found no memory for something small, which is
 * then asked again: makes room, or waits.  *tries is 0 at first. */
void memory_wait(unsigned *tries);

#endif

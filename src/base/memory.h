/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How much memory a process holds on to, and how much the data of its requests
 * may take.
 *
 * What grows with what somebody sends (bodies, held responses, what is made of
 * them) is charged to the process's budget first, and refused when that is
 * spent.  The rest, small and of a known number, is taken with memory_alloc().
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Keys are in memory: no core files, no tracing by other processes of the
 * same user.  Call it before a key is read. */
void memory_protect(void);

/* Before threads are started: what is free goes back to the system. */
void memory_tune(void);

/* Gives back what starting has touched of the program's and the libraries'
 * unchanged pages (code, constants): a process that only waits needs few of
 * them, and the kernel has the rest at hand.  Measured: the parent's PSS is
 * 0.76 MB with it, 1.78 MB without (x86-64, Linux 6.18, two starts each). */
void memory_give_back(void);

/* ---- the budget ------------------------------------------------------- */

/* The part of one of so many processes, in bytes.  asked: for all of them; 0:
 * half of what the machine, or the control group, has.  No more than a quarter
 * of what RLIMIT_AS or RLIMIT_DATA leave the process. */
size_t memory_part(size_t asked, unsigned processes);
/* Of this process, from now on; without it there is no bound. */
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

/* In whose name something is held, and what it has not got.  Of one request,
 * or a part of it: used by one thread at a time. */
struct memory_hold {
	struct memory_share *share; /* NULL: of nobody we know */
	enum memory_lack lack; /* of the first that was refused */
};

/* Charges so many bytes; false, and lack is set: there is no room.  What was
 * taken is given back by the same number.  hold NULL: only the budget is
 * asked. */
bool memory_take(struct memory_hold *, size_t bytes);
void memory_give(struct memory_hold *, size_t bytes);
/* Charges what is held whatever there is: it is little, or there already. */
void memory_charge(struct memory_hold *, size_t bytes);
/* Is half of the budget charged, or all that the client may have?  Then what is
 * only kept for convenience should be little. */
bool memory_is_scarce(const struct memory_hold *);
/* All that is charged; the most that one client can have. */
size_t memory_taken(void);
size_t memory_share_most(void);

/* Is there so much at the moment?  For libraries that do not survive that there
 * is none. */
bool memory_is_there(size_t bytes);

/* malloc(3) and realloc(3) for what is small, or charged already.  With no
 * memory left they use a reserve (memory_take() refuses until it is there
 * again), then wait some seconds for other requests to end; after that it is
 * fatal. */
void *memory_alloc(size_t bytes);
/* The same, all zero. */
void *memory_zero(size_t bytes);
void *memory_grow(void *, size_t bytes);

#endif

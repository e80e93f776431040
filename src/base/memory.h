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

#include <stdbool.h>
#include <stddef.h>

/* Keys are in memory: no core files, no tracing by other processes of the
 * same user.  Call it before a key is read. */
void memory_protect(void);

/* Before threads are started: what is free goes back to the system. */
void memory_tune(void);

/* Gives back what starting has touched of the program's and the libraries'
 * unchanged pages (code, constants): a process that only waits needs few of
 * them, and the kernel has the rest at hand. */
void memory_give_back(void);

/* ---- the budget ------------------------------------------------------- */

/* The part of one of so many processes, in bytes.  asked: for all of them; 0:
 * half of what the machine, or the control group, has.  No more than a quarter
 * of what RLIMIT_AS or RLIMIT_DATA leave the process. */
size_t memory_part(size_t asked, unsigned processes);
/* Of this process, from now on; without it there is no bound. */
void memory_set_budget(size_t bytes);
size_t memory_budget(void);
/* Charges so many bytes; false: the budget is spent, or the process has just
 * run out of memory.  What was taken is given back by the same number. */
bool memory_take(size_t bytes);
void memory_give(size_t bytes);
size_t memory_taken(void);

/* malloc(3) and realloc(3) for what is small, or charged already.  With no
 * memory left they use a reserve (memory_take() refuses until it is there
 * again), then wait some seconds for other requests to end; after that it is
 * fatal. */
void *memory_alloc(size_t bytes);
void *memory_grow(void *, size_t bytes);

#endif

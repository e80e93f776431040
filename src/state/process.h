/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The identities of the processes that share runtime_dir.
 *
 * Each process holds an exclusive flock on one file runtime_dir/processes/N for
 * as long as it lives: N is its index, and the kernel frees it however the
 * process ends.  An index is reused by later processes, an id never (it
 * contains the index and the count of its uses), so what a mapped file has
 * under the id of a dead process has no owner any more.  Two ways to use it:
 *  - cells by index: process_open() and then zero (or settle) the cells at
 *    one's own index, because they belong to a dead process;
 *  - words that contain an id: a process that needs one calls
 *    process_alive(id), and replaces a dead one by compare-and-swap.
 */
#ifndef STATE_PROCESS_H
#define STATE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROCESS_MAX 512
#define PROCESS_ID_BITS 50	/* an id fits into so many */

/* Claims an index for this process under dir (runtime_dir).  Call it after
 * fork, in the process that will work; a second call (any thread, any module)
 * returns the same index.  A child of fork has none until it calls it itself.
 * -1: one line in why. */
int process_open(const char *dir, char *why, size_t size);
/* Gives it back; for orderly ends, when no other thread uses this module. */
void process_close(void);

/* 0..PROCESS_MAX-1, or -1 before process_open(). */
int process_index(void);
/* 0 before process_open(). */
uint64_t process_id(void);

/* The parts of an id. */
unsigned process_id_index(uint64_t id);
/* The pid that had it; 0 if that is not known any more. */
int process_id_pid(uint64_t id);

/* Never false for a live one; a syscall or three (5 us) for others than
 * oneself.  A process that cannot be checked (no descriptor left) counts as
 * alive. */
bool process_alive(uint64_t id);
/* For onlookers (`tailgate status`), which must not call process_open(): names
 * the directory for the functions above, claims nothing. */
int process_look(const char *dir, char *why, size_t size);

#endif

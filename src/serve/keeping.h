/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The parent's side of the processes that serve its workers: the ledger's
 * (ledger/keeper.h) and the one that wakes hosts (waker.h).  There is one of
 * each for each generation of workers, because their configuration says what
 * it may do.  One that dies is replaced, after a growing pause if it died
 * young; workers keep their lines until then.
 */
#ifndef SERVE_KEEPING_H
#define SERVE_KEEPING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/settings.h"

enum keeping_kind { KEEPING_LEDGER, KEEPING_WAKER };
#define KEEPING_KINDS 2

struct keeping {
	enum keeping_kind kind;
	const struct config *config;
	int desk[2]; /* by ledger/desk.h; -1: the process is not needed */
	pid_t pid; /* 0: none runs */
	int64_t start_ms; /* of it */
	int64_t start_at_ms, pause_ms; /* of its successor; 0: no need */
};

/* Starts the first process, unless config has no need of it.  -1 with errno,
 * and nothing to close. */
int keeping_open(struct keeping *, enum keeping_kind, const struct config *);
/* The process ends by itself when the last worker has closed its end. */
void keeping_close(struct keeping *);

/* A child has ended: true if it was this process. */
bool keeping_ended(struct keeping *, pid_t, int status);
/* Starts a successor that is due; ms until one is, -1: none will be. */
int keeping_start_due(struct keeping *);
/* Until it has ended, within a bound.  Call it after keeping_close(), and
 * reap no other children meanwhile. */
void keeping_wait(pid_t);

#endif

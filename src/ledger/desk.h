/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The desk: the pair of sockets by which serving processes reach the present
 * ledger's process (frame.h).
 */
#ifndef LEDGER_DESK_H
#define LEDGER_DESK_H

#include <stdbool.h>
#include <sys/types.h>

#include "config/settings.h"

/* Its ends. */
enum { LEDGER_DESK_KEEPS, LEDGER_DESK_SERVES };

/* A new one; -1 with errno. */
int ledger_desk_open(int desk[2]);
void ledger_desk_close(int desk[2]);

/* Hands a socket over to the ledger's process.  -1 with errno: EAGAIN if
 * there is no room. */
int ledger_desk_send(int serves, int fd);
/* The next socket, *fd -1 where a message brought none.  1; 0: no more for
 * now; -1: nobody is left who could send one. */
int ledger_desk_take(int keeps, int *fd);

/* A ledger's process of one's own, and its desk. */
struct ledger_own {
	int desk[2];
	pid_t pid; /* 0: none */
};
/* Forks: before there are threads.  -1 with errno. */
int ledger_own_start(struct ledger_own *, const struct config *);
/* Waits until it has ended, which it does when all callers have closed; with
 * a hanging disk it may take longer than we wait. */
void ledger_own_end(struct ledger_own *);

#endif

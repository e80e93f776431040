/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The desk: the pair of sockets by which those who serve reach the ledger's
 * process (frame.h), whichever that is just then.
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

/* Hands a socket over to whoever keeps.  -1 with errno: EAGAIN where there is
 * no room. */
int ledger_desk_send(int serves, int fd);
/* The next socket, *fd -1 where a message brought none.  1; 0: no more for
 * now; -1: nobody is left behind the desk. */
int ledger_desk_take(int keeps, int *fd);

/* A ledger's process of one's own, and its desk. */
struct ledger_own {
	int desk[2];
	pid_t pid; /* 0: none */
};
/* Forks: before there are threads.  -1 with errno. */
int ledger_own_start(struct ledger_own *, const struct config *);
/* It ends when everybody has hung up; a disk that hangs may hold it for longer
 * than it is waited for. */
void ledger_own_end(struct ledger_own *);

#endif

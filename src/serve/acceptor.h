/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Who gets the next connection.
 *
 * A few threads of each worker, one more than there are processors, take
 * turns: each blocks in accept(2), serves the request, and comes back.  While
 * all of them are serving, new connections wait in the socket's backlog; the
 * next thread to be through finds them there, its memory warm, and nobody had
 * to be woken.  Whoever serves for longer than 2 ms (most requests that wait
 * for a provider) may lose the turn to another thread, a parked or a new one.
 * So up to `threads` requests are served at the same time, and about as many
 * as there are processors are worked on at once.
 *
 * A thread that stays parked for long ends.
 */
#ifndef SERVE_ACCEPTOR_H
#define SERVE_ACCEPTOR_H

#include <stdbool.h>

#include "config/settings.h"

struct acceptor;
struct acceptor_seat; /* one thread's */

/* listen_fd must block. */
/* exhausted is called when a connection could not be accepted for want of
 * descriptors or memory: give some back. */
struct acceptor *acceptor_new(const struct config *, int listen_fd,
    void (*exhausted)(void *ctx), void *ctx);
void acceptor_free(struct acceptor *);

/* A thread is about to be started. */
void acceptor_expect(struct acceptor *);
/* Could not be started after all. */
void acceptor_unexpect(struct acceptor *);
/* Each thread, before its first acceptor_next() and after its last. */
struct acceptor_seat *acceptor_join(struct acceptor *);
void acceptor_leave(struct acceptor *, struct acceptor_seat *);

/* Blocks; a connection, or -1: the thread is to end.  *alone: no thread is
 * left to take the next one; start another. */
int acceptor_next(struct acceptor *, struct acceptor_seat *, bool *alone);

/* Every acceptor_next() returns -1 from now on.  Does not wait for that:
 * false while threads are still blocked; call again then. */
bool acceptor_stop(struct acceptor *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Who gets the next connection: all idle threads of all workers block in
 * accept(2), and the kernel wakes one of them for each connection, the one
 * that has waited longest; so the workers share the load by themselves.
 */
#ifndef SERVE_ACCEPTOR_H
#define SERVE_ACCEPTOR_H

#include <stdatomic.h>
#include <stdbool.h>

#include "config/config.h"

#define WORKERS_MAX 64

/* Shared by the workers of one generation: requests being served by each. */
struct acceptor_board {
	atomic_uint busy[WORKERS_MAX];
};

struct acceptor;

/* listen_fd must block. */
struct acceptor *acceptor_new(const struct config *, int listen_fd,
    struct acceptor_board *, unsigned index);
void acceptor_free(struct acceptor *);

/* Each thread that will call acceptor_next(), before and after. */
void acceptor_join(struct acceptor *);
void acceptor_leave(struct acceptor *);

/* Blocks; a connection, which counts as busy until acceptor_done(), or -1:
 * stop.  *overloaded: so many threads of all workers are busy that it should
 * only be told so. */
int acceptor_next(struct acceptor *, bool *overloaded);
void acceptor_done(struct acceptor *);

/* Every acceptor_next() returns -1 from now on.  Does not wait for that:
 * false while threads are still blocked; call again then. */
bool acceptor_stop(struct acceptor *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A worker process: request threads on one listening socket.
 *
 * One thread serves one request from accept to end in plain blocking code.
 * Threads are started as they are needed and then stay.  One of them at a time
 * waits for the next connection; having it, it leaves that place to another
 * and serves.
 */
#ifndef SERVE_WORKER_H
#define SERVE_WORKER_H

#include <stdatomic.h>

#include "config/config.h"

#define WORKERS_MAX 64

/* Shared by the workers of one generation: requests being served by each. */
struct worker_board {
	atomic_uint busy[WORKERS_MAX];
};

/* Does not return before it is told to stop (SIGTERM; a second one ends it
 * at once).  Writes one byte to ready_fd when it can serve.  All signals must
 * be blocked.  Returns the exit status. */
int worker_run(const struct config *, int listen_fd, int ready_fd,
    struct worker_board *, unsigned index);

#endif

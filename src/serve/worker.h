/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A worker process: one event loop on one listening socket.
 */
#ifndef SERVE_WORKER_H
#define SERVE_WORKER_H

#include "config/settings.h"
#include "serve/share.h"

/* What its parent opened for it. */
struct worker_ends {
	int listen_fd;
	int parent_fd;
	int ledger; /* of the ledger's process (ledger_join()), or -1 */
	int waker; /* of the process that wakes hosts (waker.h), or -1 */
};

/* Returns only after SIGTERM (a second one ends it at once).  Writes
 * SERVER_READY to parent_fd when it can serve.  All signals must be blocked.
 * Returns the exit status. */
int worker_run(const struct config *, const struct worker_ends *,
    struct share_board *, unsigned index);

#endif

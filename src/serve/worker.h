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

/* Returns only after SIGTERM (a second one ends it at once).  Writes
 * SERVER_READY to parent_fd when it can serve.  desk: of the ledger's
 * process (ledger_join()), or -1.  All signals must be blocked.  Returns the
 * exit status. */
int worker_run(const struct config *, int listen_fd, int parent_fd, int desk,
    struct share_board *, unsigned index);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The parent process: owns the listening socket, never serves.
 *
 * It keeps `processes` workers running (one that dies is replaced, with a
 * growing pause when it dies young).  SIGHUP: a new generation on the same
 * socket, if and only if the new configuration is good and its workers can
 * serve; then the old one finishes its responses.  If the program was replaced,
 * the new one takes the parent's place (upgrade.h).  SIGTERM: all finish within
 * `drain`; a second one ends them now.  SIGUSR1, SIGUSR2: more, less log.
 */
#ifndef SERVE_PARENT_H
#define SERVE_PARENT_H

#include "config/settings.h"
#include "serve/upgrade.h"

/* Takes ownership of config.  Returns the exit status.  path: of a socket
 * that is to be removed with it, or NULL.  before: the program that this one
 * takes over from, or NULL. */
int parent_run(struct config *, int listen_fd, const char *path,
    const struct upgrade *before);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The process that wakes the hosts of providers (`wake`): the only process of
 * ours that starts a program of the operator's or sends a broadcast.  From a
 * worker it reads a single byte, the provider's index.  What it does then
 * depends on the configuration alone.  If the configuration names no program,
 * the sandbox allows only datagrams; otherwise the waker has the parent's
 * sandbox.
 *
 * The parent makes one for each generation of workers (keeping.h).  It ends by
 * itself when no worker is left that could ask.
 */
#ifndef SERVE_WAKER_H
#define SERVE_WAKER_H

#include <stdbool.h>

#include "config/settings.h"

/* Is there a provider that is woken? */
bool waker_needed(const struct config *);
/* In the child: wakes hosts one at a time, each at most once a second.  Ends
 * the process when nobody can ask any more. */
_Noreturn void waker_run(const struct config *, int desk);

/* Asks the waker; never blocks.  False, and logged: it can't be asked. */
bool waker_ask(int desk, const struct provider *);

/* Forks a waker for this process alone (CGI); called before there are threads.
 * Returns the desk at which it is asked, or -1 with errno.  The waker has
 * neither the keys nor the environment, and logs to stderr only if that is no
 * pipe or socket. */
int waker_start(struct config *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The process that wakes the hosts of providers (`wake`): the only one of ours
 * that starts a program of the operator's or sends a broadcast.  It reads
 * nothing of the workers' but one byte, the provider's index; what it does then
 * is in the configuration alone.  If that names no program, its sandbox leaves
 * it datagrams; else it has the parent's.
 *
 * The parent makes one for each generation of workers (keeping.h).  It ends by
 * itself when none is left that could ask.
 */
#ifndef SERVE_WAKER_H
#define SERVE_WAKER_H

#include <stdbool.h>

#include "config/settings.h"

/* Is there a provider that is woken? */
bool waker_needed(const struct config *);
/* In the child: wakes hosts, one at a time and each once a second at the most,
 * and ends. */
_Noreturn void waker_run(const struct config *, int desk);

/* Asks it; never blocks.  False, and logged: it can't be asked. */
bool waker_ask(int desk, const struct provider *);

/* A waker of one's own (CGI): forks, before there are threads; where it is
 * asked, or -1 with errno.  It has neither the keys nor the environment, and
 * logs to stderr only if that is no pipe or socket. */
int waker_start(struct config *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How a process of ours begins that serves others: what it keeps of the one
 * that forked it.
 */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include <stdbool.h>

/* In the child, once.  Ignores the signals that end the others; keeps what it
 * logs to and fd, of all that whoever forked it had open: a client's
 * connection, the pool's socket, other processes' ends.  Input and output are
 * /dev/null.  Returns where fd is now; name (up to 15 bytes) is for ps(1). */
int child_begin(const char *name, bool syslog, int fd);
/* Before it executes another program: nothing is ignored or blocked any
 * more. */
void child_default_signals(void);

#endif

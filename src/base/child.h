/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How a process begins that serves our other processes: what it keeps of the
 * process that forked it.
 */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include <stdbool.h>

/* Called in the child, once.  Ignores the signals that end the others.  Of the
 * descriptors that its parent had open, it keeps its log and fd, and closes all
 * others: a client's connection, the pool's socket, other processes' ends.
 * Input and output are /dev/null.  Returns the new number of fd.  name (up to
 * 15 bytes) is for ps(1). */
int child_begin(const char *name, bool syslog, int fd);
/* Called before the child executes another program: no signal is ignored or
 * blocked any more. */
void child_default_signals(void);

#endif

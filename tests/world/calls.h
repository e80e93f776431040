/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What calls.c and calls_files.c share.
 */
#ifndef TESTS_WORLD_CALLS_H
#define TESTS_WORLD_CALLS_H

#include <fcntl.h>
#include <poll.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "world.h"

/* Every call begins with this. */
void calls_begin(char what, int fd);
/* Now and then -1 with errno: no descriptor is left. */
int calls_no_descriptor(void);
/* Only in a thread, or before the process has tasks. */
void calls_sleep(int64_t ns);

int __real_close(int);
int __real_fcntl(int, int, ...);
int __real_poll(struct pollfd *, nfds_t, int);
int __real_open(const char *, int, ...);
int __real_openat(int, const char *, int, ...);
ssize_t __real_write(int, const void *, size_t);
ssize_t __real_writev(int, const struct iovec *, int);
ssize_t __real_pwrite(int, const void *, size_t, off_t);

#endif

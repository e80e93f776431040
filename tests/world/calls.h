/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Between calls.c and calls_files.c.
 */
#ifndef TESTS_WORLD_CALLS_H
#define TESTS_WORLD_CALLS_H

#include <fcntl.h>
#include <poll.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "world.h"

/* At the beginning of each call. */
void calls_begin(char what, int fd);
/* -1 with errno now and then: there is none left. */
int calls_no_descriptor(void);
/* Of a thread, or of the process before it has tasks. */
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

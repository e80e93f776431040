/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A disk that hangs under the log, as a test wants it: a library for
 * LD_PRELOAD.  While the file that TAILGATE_TEST_STALL names begins with a 1,
 * a write to standard error does not return.
 */
#include "config.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mapped.h"

#define BYTES 64

static const volatile char *stalled;

__attribute__((constructor)) static void
begin(void)
{
	stalled = mapped_file("TAILGATE_TEST_STALL", BYTES, PROT_READ);
}

ssize_t
write(int fd, const void *p, size_t len)
{
	/* poll(2) is a call that all roles may make. */
	while (fd == STDERR_FILENO && stalled != NULL && *stalled == '1')
		poll(NULL, 0, 10);
	return syscall(SYS_write, fd, p, len);
}

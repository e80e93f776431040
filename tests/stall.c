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

#include <sys/mman.h>
#include <sys/syscall.h>

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BYTES 64

/* The file is mapped before a sandbox closes. */
static const volatile char *stalled;

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("TAILGATE_TEST_STALL");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	void *map;

	if (fd == -1)
		return;
	map = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		stalled = map;
	close(fd);
}

ssize_t
write(int fd, const void *p, size_t len)
{
	const struct timespec pause = { 0, 10000000 };

	while (fd == STDERR_FILENO && stalled != NULL && *stalled == '1')
		nanosleep(&pause, NULL);
	return syscall(SYS_write, fd, p, len);
}

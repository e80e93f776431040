/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A disk that is full, slow or hangs; and the ledger's process, which is a
 * thread here.
 */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "calls.h"

/* ---- opening ----------------------------------------------------------- */

int __wrap_open(const char *, int, ...);
int
__wrap_open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = va_arg(args, mode_t);
	va_end(args);
	calls_begin('o', -1);
	return calls_no_descriptor() == -1 ? -1
					   : __real_open(path, flags, mode);
}

int __wrap_openat(int, const char *, int, ...);
int
__wrap_openat(int dir, const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = va_arg(args, mode_t);
	va_end(args);
	calls_begin('O', dir);
	return calls_no_descriptor() == -1
	    ? -1
	    : __real_openat(dir, path, flags, mode);
}

/* ---- writing ----------------------------------------------------------- */

/* How many of len bytes can be written; 0 with errno: none. */
static size_t
room(size_t len)
{
	if (world->serving && world_chance(world->disk_hang) &&
	    loop_on_thread())
		loop_hang(world_chance(128)
			? (int64_t)world_below(10000) * WORLD_MS
			: (int64_t)world_below(20) * WORLD_MS);
	if (!world->serving || !world_chance(world->disk_fault))
		return len;
	if (len > 1 && world_chance(512))
		return 1 + world_below(len);
	errno = world_chance(512) ? ENOSPC : world_chance(512) ? EIO : EINTR;
	return 0;
}

ssize_t __wrap_write(int, const void *, size_t);
ssize_t
__wrap_write(int fd, const void *p, size_t len)
{
	size_t n;

	if (fd == WORLD_PARENT_FD) {
		world->serving = true;
		return (ssize_t)len;
	}
	calls_begin('f', fd);
	n = len > 1 ? room(len) : len; /* one byte wakes a thread */
	return n == 0 && len > 0 ? -1 : __real_write(fd, p, n);
}

ssize_t __wrap_pwrite(int, const void *, size_t, off_t);
ssize_t
__wrap_pwrite(int fd, const void *p, size_t len, off_t at)
{
	size_t n;

	calls_begin('F', fd);
	n = room(len);
	return n == 0 && len > 0 ? -1 : __real_pwrite(fd, p, n, at);
}

ssize_t __wrap_writev(int, const struct iovec *, int);
ssize_t
__wrap_writev(int fd, const struct iovec *iov, int n)
{
	size_t len = 0, some;

	calls_begin('v', fd);
	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	some = room(len);
	if (some == 0 && len > 0)
		return -1;
	return some < len && some <= iov[0].iov_len
	    ? __real_write(fd, iov[0].iov_base, some)
	    : __real_writev(fd, iov, some < len ? 1 : n);
}

/* ---- ends -------------------------------------------------------------- */

void __real__exit(int) __attribute__((noreturn));
void __wrap__exit(int) __attribute__((noreturn));
void
__wrap__exit(int status)
{
	if (loop_on_thread())
		loop_exit_thread();
	/* The worker ends at once, whatever still runs. */
	world->hurried = true;
	__real__exit(status);
}

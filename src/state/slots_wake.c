/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How a waiter sleeps beside its client's socket and is woken from any thread
 * or process: each row of the queue has a FIFO.  That is poll(2) on every
 * system, wakes exactly one waiter, and a dead one's vanishes with it.
 */
#include "config.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "state/slots_internal.h"

/* Reading and writing, at both ends: the owner then sees no end of file when
 * a waker closes, and a waker gets no SIGPIPE when the owner has left. */
#define FIFO_FLAGS (O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)

static void
fifo_name(int row, char *name, size_t size)
{
	snprintf(name, size, "wake.%d", row);
}

int
slots_wake_open(struct slots_limit *l, int row)
{
	struct stat st;
	char name[32];
	int fd;

	if (l->poll_only)
		return -1;
	fifo_name(row, name, sizeof(name));
	fd = openat(l->dir_fd, name, FIFO_FLAGS);
	if (fd == -1 && errno == ENOENT) {
		if (mkfifoat(l->dir_fd, name, 0600) == -1 && errno != EEXIST)
			return -1;
		fd = openat(l->dir_fd, name, FIFO_FLAGS);
	}
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1 || !S_ISFIFO(st.st_mode)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A full FIFO has woken its owner already; a waiter without one polls. */
void
slots_wake_row(struct slots_limit *l, int row, int what)
{
	const char byte = (char)what;
	char name[32];
	int fd;

	if (l->poll_only)
		return;
	fifo_name(row, name, sizeof(name));
	if ((fd = openat(l->dir_fd, name, FIFO_FLAGS)) == -1)
		return;
	(void)!write(fd, &byte, 1);
	close(fd);
}

int
slots_wake_drain(int fd)
{
	char bytes[64];
	ssize_t i, n;
	int what = 0;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		for (i = 0; i < n; i++)
			what |= bytes[i];
	return what;
}

/* Usually one waiter; but if pools with different numbers of slots share the
 * directory, the first may not know of the free slot. */
void
slots_wake_next(struct slots_limit *l)
{
	unsigned floor = 0, reach, far;
	int first;

	do {
		first = slots_order_first(l, floor, &reach, &far);
		if (first == -1)
			return;
		slots_wake_row(l, first, SLOTS_WAKE_TRY);
		floor = reach;
	} while (reach < far);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What FastCGI and CGI have in common: noticing that the web server has let go.
 * It is called whenever something waits for the upstream or for a slot.
 */
#include "config.h"

#include <poll.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "wire/io.h"

/* A web server that reads no byte for this long has died. */
#define PEER_TIMEOUT_MS 120000

#ifndef POLLRDHUP
#define POLLRDHUP 0
#endif

const char *
io_param_one(const char *name, const char *found, const char *next)
{
	if (found == NULL)
		return next;
	return strncmp(name, "HTTP_", 5) == 0 && strcmp(found, next) != 0
	    ? IO_PARAM_TWICE
	    : found;
}

bool
io_gone(struct io *io)
{
	struct pollfd p = { .fd = io->fd, .events = POLLIN | POLLRDHUP };

	if (io->failed)
		return true;
	if (io->fd == -1 || !io->watchable)
		return false;
	/* After the body a web server can only abort: whatever can be read
	 * then, bytes or the end, means that. */
	return poll(&p, 1, 0) == 1;
}

static _Atomic size_t held; /* in all queues of the process */

void
io_count(ptrdiff_t delta)
{
	atomic_fetch_add(&held, (size_t)delta);
}

bool
io_full(const struct io *io)
{
	return io->queued > IO_HELD_BYTES &&
	    (!io->has_slot || io->queued > IO_HELD_SLOT_BYTES ||
		atomic_load(&held) > IO_HELD_ALL_BYTES ||
		memory_is_scarce(io->hold));
}

void
io_charge(struct io *io, size_t bytes)
{
	if (bytes > io->charged)
		memory_charge(io->hold, bytes - io->charged);
	else if (bytes < io->charged)
		memory_give(io->hold, io->charged - bytes);
	io->charged = bytes;
}

bool
io_stalls(const struct io *io)
{
	int64_t idle_ms;

	if (io->queued == 0)
		return false;
	idle_ms = clock_now_ms() - io->moved_ms;
	return idle_ms >= PEER_TIMEOUT_MS ||
	    (io->wanted != NULL && idle_ms >= io->idle_ms &&
		io->wanted(io->wanted_ctx));
}

void
io_hurry(struct io *io, int ms)
{
	io->wait_ms = ms;
}

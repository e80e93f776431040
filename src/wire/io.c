/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What both ways to a web server, FastCGI and CGI, have in common: seeing
 * that it has let go.  It is asked whenever something waits for the upstream
 * or for a slot.
 */
#include "config.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <poll.h>
#include <string.h>

#include "wire/io.h"

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
	/* Behind the body a web server has nothing more to say but that it
	 * aborts: whatever can be read there, bytes or the end, is that. */
	return poll(&p, 1, 0) == 1;
}

void
io_hurry(struct io *io, int ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (io->fd != -1)
		setsockopt(io->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
}

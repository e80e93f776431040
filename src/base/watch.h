/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What must be looked after while we wait: the client of a request.
 *
 * Everything that waits on a request's behalf (the slot queue, the upstream)
 * polls watch->fd beside its own descriptors and calls watch->tick when it is
 * readable, and when the time that the last tick asked for has come; the first
 * call comes within a few milliseconds.  The tick checks whether the client is
 * still there, sends what the client had no room for before, and keeps the
 * connection alive (heartbeats).
 */
#ifndef BASE_WATCH_H
#define BASE_WATCH_H

#include <poll.h>

#define WATCH_GONE (-1)
#define WATCH_FOREVER 3600000

/* How much of what was written for it the client has not taken yet. */
enum watch_out { WATCH_OUT_NONE, WATCH_OUT_SOME, WATCH_OUT_FULL };

struct watch {
	int fd;		/* -1: nothing to poll */
	short events;	/* for poll(2): POLLIN, or 0 if data may wait */
	/* Returns the ms until it wants to be called again (WATCH_FOREVER at
	 * the most), or WATCH_GONE: the client has left, stop at once. */
	int (*tick)(void *ctx);
	void *ctx;
	/* NULL: nothing is ever held back.  SOME: call tick once fd is
	 * writable.  FULL: and read no more from the upstream until then. */
	enum watch_out (*out)(void *ctx);
};

#endif

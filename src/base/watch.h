/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Somebody to look after while we wait: the client of a request.
 *
 * Everything that waits on a request's behalf (the slot queue, the upstream)
 * polls watch->fd beside its own descriptors and calls watch->tick when it is
 * readable, when the time the last tick asked for has come, and for the first
 * time within a few milliseconds.  The tick looks whether the client is still
 * there, gives it what it had no room for, and keeps it patient
 * (heartbeats).
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
	short events;	/* for poll(2): POLLIN, or 0 where data may wait */
	/* Returns the ms until it wants to be called again (WATCH_FOREVER at
	 * the most), or WATCH_GONE: the client has left, stop at once. */
	int (*tick)(void *ctx);
	void *ctx;
	/* NULL: nothing is ever held back.  SOME: tick once fd is writable;
	 * FULL: and bring no more until then. */
	enum watch_out (*out)(void *ctx);
};

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Many streams, one thread: what waits for events of long answers.
 *
 * A request has a thread of its own, and that thread runs it, except while
 * its answer streams: then the thread sleeps here, and the pump's one thread
 * does the little that each event needs (read, look, write) for all streams of
 * the process.  Waking a thread for each event would cost more than the event.
 * The pump must never block: a stream whose client does not keep up goes back
 * to its own thread.
 *
 * Where there is no epoll, pump_new() gives NULL and each thread waits for
 * itself.
 */
#ifndef WIRE_PUMP_H
#define WIRE_PUMP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct pump;

#define PUMP_DONE (-1)

struct pump_job {
	int fd; /* waited for: readable */
	int client_fd; /* watched, too; -1: not */
	/* Called by the pump's thread when fd or client_fd (client: true) is
	 * readable, or when it is due.  Returns the ms until it is due again,
	 * or PUMP_DONE. */
	int (*step)(void *ctx, bool client);
	void *ctx;
	int64_t due_ms; /* clock_now_ms() */

	/* The pump's own. */
	bool stopped, finished;
	pthread_cond_t wake;
	LIST_ENTRY(pump_job) entry;
};

/* Its thread is started with the first job. */
struct pump *pump_new(void);
void pump_free(struct pump *);

/* Hands the job over and blocks until step() has returned PUMP_DONE.  false:
 * it could not be taken, nothing was called. */
bool pump_run(struct pump *, struct pump_job *);

#endif

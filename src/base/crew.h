/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The few threads that do long work.  For task.c.
 */
#ifndef BASE_CREW_H
#define BASE_CREW_H

#include <stdbool.h>
#include <sys/queue.h>

struct crew;

struct crew_job {
	void (*fn)(void *);
	void *arg;
	void *owner;
	const char *log_request;
	STAILQ_ENTRY(crew_job) entry;
};

/* done(ctx) is called by a thread of the crew when there is a job for
 * crew_done() to give back. */
struct crew *crew_new(void (*done)(void *ctx), void *ctx);
/* Waits for the jobs that are running. */
void crew_free(struct crew *);
/* false: no thread could be started, and none is running. */
bool crew_do(struct crew *, struct crew_job *);
/* A job that is done, or NULL. */
struct crew_job *crew_done(struct crew *);

#endif

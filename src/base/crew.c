/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides a queue of jobs and the threads that take them: as many as there are
 * processors, each started when all others are busy.
 */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crew.h"
#include "base/log.h"
#include "base/thread.h"

#define STACK_BYTES (512 * 1024)
#define THREADS_MAX 16

STAILQ_HEAD(crew_jobs, crew_job);

struct crew {
	void (*done)(void *ctx);
	void *ctx;
	unsigned nthreads_max;
	pthread_mutex_t mutex; /* of what follows */
	pthread_cond_t wanted;
	struct crew_jobs jobs, finished;
	unsigned nthreads, nidle, njobs;
	bool stopping;
	pthread_t threads[THREADS_MAX];
};

struct crew *
crew_new(void (*done)(void *ctx), void *ctx)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	struct crew *w = calloc(1, sizeof(*w));

	if (w == NULL)
		fatal("out of memory");
	w->done = done;
	w->ctx = ctx;
	w->nthreads_max = n < 2 ? 2
	    : n > THREADS_MAX   ? THREADS_MAX
				: (unsigned)n;
	pthread_mutex_init(&w->mutex, NULL);
	pthread_cond_init(&w->wanted, NULL);
	STAILQ_INIT(&w->jobs);
	STAILQ_INIT(&w->finished);
	return w;
}

/* ---- a thread; holding the mutex where it does not run a job ----------- */

static void
run(struct crew *w, struct crew_job *job)
{
	pthread_mutex_unlock(&w->mutex);
	log_set_request(job->log_request);
	job->fn(job->arg);
	log_set_request(NULL);
	pthread_mutex_lock(&w->mutex);
	STAILQ_INSERT_TAIL(&w->finished, job, entry);
	w->done(w->ctx);
}

static void *
crew_main(void *ctx)
{
	struct crew *w = ctx;
	struct crew_job *job;

	pthread_mutex_lock(&w->mutex);
	for (;;) {
		if ((job = STAILQ_FIRST(&w->jobs)) != NULL) {
			STAILQ_REMOVE_HEAD(&w->jobs, entry);
			w->njobs--;
			run(w, job);
		} else if (w->stopping)
			break;
		else {
			w->nidle++;
			pthread_cond_wait(&w->wanted, &w->mutex);
			w->nidle--;
		}
	}
	pthread_mutex_unlock(&w->mutex);
	return NULL;
}

static void
start_thread(struct crew *w)
{
	if (thread_start(&w->threads[w->nthreads], STACK_BYTES, crew_main, w))
		w->nthreads++;
}

/* ---- from outside ----------------------------------------------------- */

bool
crew_do(struct crew *w, struct crew_job *job)
{
	bool taken;

	pthread_mutex_lock(&w->mutex);
	if (w->njobs >= w->nidle && w->nthreads < w->nthreads_max)
		start_thread(w);
	taken = w->nthreads > 0;
	if (taken) {
		STAILQ_INSERT_TAIL(&w->jobs, job, entry);
		w->njobs++;
		pthread_cond_signal(&w->wanted);
	}
	pthread_mutex_unlock(&w->mutex);
	return taken;
}

struct crew_job *
crew_done(struct crew *w)
{
	struct crew_job *job;

	pthread_mutex_lock(&w->mutex);
	job = STAILQ_FIRST(&w->finished);
	if (job != NULL)
		STAILQ_REMOVE_HEAD(&w->finished, entry);
	pthread_mutex_unlock(&w->mutex);
	return job;
}

void
crew_free(struct crew *w)
{
	pthread_mutex_lock(&w->mutex);
	w->stopping = true;
	pthread_cond_broadcast(&w->wanted);
	pthread_mutex_unlock(&w->mutex);
	for (unsigned i = 0; i < w->nthreads; i++)
		pthread_join(w->threads[i], NULL);
	pthread_cond_destroy(&w->wanted);
	pthread_mutex_destroy(&w->mutex);
	free(w);
}

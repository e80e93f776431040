/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides one thread that does the work of many sleeping ones.  Beside
 * upstream.c, which decides when a stream comes here.
 *
 * A job lives on its sleeping thread's stack.  So it is only given back behind
 * a whole batch of events: none that is still in the batch can point to it.
 */
#include "config.h"

#include "wire/pump.h"

#ifdef HAVE_SYS_EPOLL_H

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define BATCH 64
#define STACK_BYTES (256 * 1024)
/* Timers are looked at no more often than this. */
#define SCAN_MS 50
/* Steps in a row for a job that is due at once (TLS has more at hand). */
#define STEPS_MAX 16

LIST_HEAD(jobs, pump_job);

struct pump {
	int epoll_fd;
	int wake[2]; /* a job that is due soon, or the end */
	pthread_mutex_t mutex; /* of the list and of `finished` */
	struct jobs jobs;
	bool started, stopping;
	pthread_t thread;
	_Atomic int64_t scan_ms; /* when timers are looked at next */
};

struct pump *
pump_new(void)
{
	struct pump *p = calloc(1, sizeof(*p));
	struct epoll_event ev = { .events = EPOLLIN };

	if (p == NULL)
		fatal("out of memory");
	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (p->epoll_fd == -1 || pipe(p->wake) == -1 ||
	    epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, p->wake[0], &ev) == -1)
		fatal("pump: %s", strerror(errno));
	pthread_mutex_init(&p->mutex, NULL);
	LIST_INIT(&p->jobs);
	p->scan_ms = CLOCK_NEVER;
	return p;
}

/* ---- one job ---------------------------------------------------------- */

/* The event's pointer: the job, odd for its client's descriptor. */
static void *
tag(struct pump_job *job, bool client)
{
	return (char *)job + (client ? 1 : 0);
}

static int
watch(struct pump *p, struct pump_job *job, int fd, bool client)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP,
		.data.ptr = tag(job, client) };

	return epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

static void
unwatch(struct pump *p, int fd)
{
	epoll_ctl(p->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static void
run_job(struct pump *p, struct pump_job *job, bool client)
{
	int due = 0;

	for (int i = 0; i < STEPS_MAX && due == 0; i++) {
		due = job->step(job->ctx, client);
		client = false;
	}
	if (due == PUMP_DONE)
		job->stopped = true;
	else {
		job->due_ms = clock_now_ms() + due;
		if (job->due_ms < p->scan_ms)
			p->scan_ms = job->due_ms;
	}
}

static void
on_event(struct pump *p, const struct epoll_event *ev)
{
	bool client = ((uintptr_t)ev->data.ptr & 1) != 0;
	struct pump_job *job =
	    (struct pump_job *)((char *)ev->data.ptr - (client ? 1 : 0));
	char bytes[64];

	if (ev->data.ptr == NULL) {
		if (read(p->wake[0], bytes, sizeof(bytes)) == -1)
			return;
		p->scan_ms = 0;
		return;
	}
	if (job->stopped)
		return;
	/* Whatever it sent: watching it any longer would spin. */
	if (client)
		unwatch(p, job->client_fd);
	run_job(p, job, client);
}

/* ---- the thread ------------------------------------------------------- */

static void
scan(struct pump *p)
{
	int64_t now_ms = clock_now_ms(), next_ms = CLOCK_NEVER;
	struct pump_job *job;

	LIST_FOREACH (job, &p->jobs, entry) {
		if (!job->stopped && job->due_ms <= now_ms)
			run_job(p, job, false);
		if (!job->stopped && job->due_ms < next_ms)
			next_ms = job->due_ms;
	}
	p->scan_ms = next_ms < now_ms + SCAN_MS ? now_ms + SCAN_MS : next_ms;
}

/* Gives back what has ended.  Holding the mutex. */
static void
give_back(struct pump *p)
{
	struct pump_job *job, *next;

	LIST_FOREACH_SAFE(job, &p->jobs, entry, next)
	{
		if (!job->stopped)
			continue;
		unwatch(p, job->fd);
		if (job->client_fd != -1)
			unwatch(p, job->client_fd);
		LIST_REMOVE(job, entry);
		job->finished = true;
		pthread_cond_signal(&job->wake);
	}
}

static int
timeout_ms(const struct pump *p)
{
	int64_t scan_ms = p->scan_ms, left_ms = scan_ms - clock_now_ms();

	return scan_ms == CLOCK_NEVER ? -1
	    : left_ms < 0             ? 0
	    : left_ms > 1000          ? 1000
				      : (int)left_ms;
}

static bool
any_stopped(const struct epoll_event *evs, int n)
{
	for (int i = 0; i < n; i++) {
		const struct pump_job *job =
		    (const struct pump_job *)((uintptr_t)evs[i].data.ptr &
			~(uintptr_t)1);

		if (job != NULL && job->stopped)
			return true;
	}
	return false;
}

static void *
pump_main(void *ctx)
{
	struct epoll_event evs[BATCH];
	struct pump *p = ctx;
	bool ended = false;

	while (!ended) {
		int n = epoll_wait(p->epoll_fd, evs, BATCH, timeout_ms(p));
		bool scanned = false;

		/* Behind whoever has just handed a job over. */
		pthread_mutex_lock(&p->mutex);
		pthread_mutex_unlock(&p->mutex);
		for (int i = 0; i < n; i++)
			on_event(p, &evs[i]);
		pthread_mutex_lock(&p->mutex);
		if (p->scan_ms <= clock_now_ms()) {
			scan(p);
			scanned = true;
		}
		if (scanned || any_stopped(evs, n))
			give_back(p);
		ended = p->stopping && LIST_EMPTY(&p->jobs);
		pthread_mutex_unlock(&p->mutex);
	}
	return NULL;
}

/* Holding the mutex.  It takes no signals: all are blocked in the threads
 * that come here. */
static int
start(struct pump *p)
{
	pthread_attr_t attr;
	int rc;

	if (p->started)
		return 0;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	rc = pthread_create(&p->thread, &attr, pump_main, p);
	pthread_attr_destroy(&attr);
	p->started = rc == 0;
	return rc == 0 ? 0 : -1;
}

static void
wake_up(struct pump *p)
{
	if (write(p->wake[1], "", 1) == -1)
		log_warn("pump: %s", strerror(errno));
}

bool
pump_run(struct pump *p, struct pump_job *job)
{
	bool taken;

	pthread_cond_init(&job->wake, NULL);
	job->stopped = job->finished = false;
	pthread_mutex_lock(&p->mutex);
	taken = start(p) == 0 && watch(p, job, job->fd, false) == 0;
	if (taken && job->client_fd != -1 &&
	    watch(p, job, job->client_fd, true) == -1) {
		unwatch(p, job->fd);
		taken = false;
	}
	if (taken) {
		LIST_INSERT_HEAD(&p->jobs, job, entry);
		/* It is due before the pump looks at timers anyway. */
		if (job->due_ms < p->scan_ms)
			wake_up(p);
		while (!job->finished)
			pthread_cond_wait(&job->wake, &p->mutex);
	}
	pthread_mutex_unlock(&p->mutex);
	pthread_cond_destroy(&job->wake);
	return taken;
}

void
pump_free(struct pump *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->mutex);
	p->stopping = true;
	pthread_mutex_unlock(&p->mutex);
	if (p->started) {
		wake_up(p);
		pthread_join(p->thread, NULL);
	}
	close(p->epoll_fd);
	close(p->wake[0]);
	close(p->wake[1]);
	pthread_mutex_destroy(&p->mutex);
	free(p);
}

#else

#include <stddef.h>

struct pump *
pump_new(void)
{
	return NULL;
}

void
pump_free(struct pump *p)
{
	(void)p;
}

bool
pump_run(struct pump *p, struct pump_job *job)
{
	(void)p;
	(void)job;
	return false;
}

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Replaces libev and threads.  Ready watchers run in an order drawn from the
 * seed; when none is ready, the clock jumps to the next event.
 *
 * A thread is a stack of its own that runs until it waits, like a task, so that
 * everything in a worker happens in one order.  A task that would wait in any
 * other way than task.h's blocks the loop, which is an error.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <ev.h>

#include "base/context.h"
#include "base/log.h"
#include "base/task_internal.h"
#include "calls.h"
#include "world.h"

int __real_poll(struct pollfd *, nfds_t, int);

#define IOS_MAX 1024
#define TIMERS_MAX 2048
#define THREADS_MAX 64
#define SIGNALS_MAX 16

/* ---- threads ----------------------------------------------------------- */

struct thread {
	struct context *context;
	void *(*fn)(void *);
	void *arg;
	bool (*done)(void *); /* NULL: it is ready */
	void *ctx;
	int64_t due_ns;
	const char *log_request;
	bool used, over;
	/* Its disk does not answer, or did not after SIGTERM: a worker that
	 * ends has perhaps not waited for it. */
	bool hangs;
};

static struct thread threads[THREADS_MAX];
static struct thread *running;
static bool told_to_end;

bool
loop_on_thread(void)
{
	return running != NULL;
}

void
loop_hang(int64_t ns)
{
	running->hangs = true;
	calls_sleep(ns);
	running->hangs = told_to_end;
}

static void
thread_main(void *ctx)
{
	struct thread *t = ctx;

	t->fn(t->arg);
}

static bool
thread_is_ready(struct thread *t)
{
	return t->used && !t->over &&
	    (t->done == NULL || t->due_ns <= world->mono_ns || t->done(t->ctx));
}

static void
thread_run(struct thread *t)
{
	struct task *task = task_current;
	bool on_loop = task_on_loop;
	const char *log_request = log_get_request();

	task_current = NULL;
	task_on_loop = false;
	log_set_request(t->log_request);
	running = t;
	if (!context_enter(t->context))
		t->over = true;
	running = NULL;
	t->log_request = log_get_request();
	log_set_request(log_request);
	task_current = task;
	task_on_loop = on_loop;
}

/* Runs each ready thread once; returns how many there were. */
static unsigned
threads_run(void)
{
	unsigned n = 0, first = (unsigned)world_below(THREADS_MAX);

	for (unsigned i = 0; i < THREADS_MAX; i++) {
		struct thread *t = &threads[(first + i) % THREADS_MAX];

		if (!thread_is_ready(t))
			continue;
		thread_run(t);
		n++;
	}
	return n;
}

static int64_t
threads_due(void)
{
	int64_t due = INT64_MAX;

	for (unsigned i = 0; i < THREADS_MAX; i++)
		if (threads[i].used && !threads[i].over &&
		    threads[i].done != NULL && threads[i].due_ns < due)
			due = threads[i].due_ns;
	return due;
}

int __wrap_pthread_create(
    pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int
__wrap_pthread_create(
    pthread_t *out, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	(void)attr;
	for (unsigned i = 0; i < THREADS_MAX; i++) {
		struct thread *t = &threads[i];

		if (t->used)
			continue;
		memset(t, 0, sizeof(*t));
		t->context = context_new();
		t->fn = fn;
		t->arg = arg;
		t->used = true;
		context_set(t->context, thread_main, t);
		*out = (pthread_t)(i + 1);
		return 0;
	}
	return EAGAIN;
}

static bool
thread_is_over(void *ctx)
{
	return ((struct thread *)ctx)->over;
}

int __wrap_pthread_join(pthread_t, void **);
int
__wrap_pthread_join(pthread_t which, void **value)
{
	struct thread *t = &threads[which - 1];

	(void)value;
	loop_block(thread_is_over, t, INT64_MAX);
	context_free(t->context);
	t->used = false;
	return 0;
}

void
loop_exit_thread(void)
{
	running->over = true;
	for (;;)
		context_leave(running->context);
}

/* Ends the threads that nobody joins: the ledger's process, and the thread of a
 * log file whose disk hangs. */
void
loop_kill_threads(void)
{
	for (unsigned i = 0; i < THREADS_MAX; i++) {
		if (!threads[i].used)
			continue;
		if (!threads[i].over && !threads[i].hangs)
			world_wrong("a thread is left");
		context_free(threads[i].context);
		threads[i].used = false;
	}
}

/* ---- waiting ----------------------------------------------------------- */

/* Moves the clock to the next event; false: there is none. */
static bool
time_goes_on(int64_t until_ns)
{
	int64_t next = world_events_run(), due = threads_due();

	if (due < next)
		next = due;
	if (until_ns < next)
		next = until_ns;
	if (next == INT64_MAX)
		return false;
	if (next > world->mono_ns)
		world->mono_ns = next;
	world_events_run();
	return true;
}

bool
loop_block(bool (*done)(void *), void *ctx, int64_t until_ns)
{
	struct thread *self = running;

	if (self != NULL) {
		self->done = done;
		self->ctx = ctx;
		self->due_ns = until_ns;
		context_leave(self->context);
		self->done = NULL;
		return done(ctx);
	}
	/* A task may block after SIGTERM, once `drain` is over: there is nobody
	 * left to serve. */
	if (task_current != NULL && !told_to_end) {
		world_wrong("a task blocks the loop");
		return false;
	}
	while (!done(ctx) && world->mono_ns < until_ns) {
		if (threads_run() == 0 && !done(ctx) &&
		    !time_goes_on(until_ns)) {
			world_wrong("a wait that nothing ends");
			return false;
		}
	}
	return done(ctx);
}

/* ---- conditions -------------------------------------------------------- */

struct condition {
	pthread_cond_t *cond;
	bool signalled;
	struct condition *next;
};

static struct condition *conditions;

static bool
is_signalled(void *ctx)
{
	return ((struct condition *)ctx)->signalled;
}

static int
wait_condition(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_ns)
{
	struct condition own = { cond, false, conditions }, **p = &conditions;
	bool signalled;

	conditions = &own;
	pthread_mutex_unlock(mutex);
	signalled = loop_block(is_signalled, &own, until_ns);
	pthread_mutex_lock(mutex);
	while (*p != &own)
		p = &(*p)->next;
	*p = own.next;
	return signalled ? 0 : ETIMEDOUT;
}

int __wrap_pthread_cond_wait(pthread_cond_t *, pthread_mutex_t *);
int
__wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	/* May return spuriously. */
	return wait_condition(cond, mutex,
	    world_chance(world->fault)
		? world->mono_ns + (int64_t)world_below(5) * WORLD_MS
		: INT64_MAX);
}

int __wrap_pthread_cond_timedwait(
    pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
int
__wrap_pthread_cond_timedwait(
    pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
	return wait_condition(
	    cond, mutex, (int64_t)until->tv_sec * WORLD_S + until->tv_nsec);
}

static int
signal_some(pthread_cond_t *cond, bool all)
{
	for (struct condition *c = conditions; c != NULL; c = c->next) {
		if (c->cond != cond || c->signalled)
			continue;
		c->signalled = true;
		if (!all)
			break;
	}
	return 0;
}

int __wrap_pthread_cond_signal(pthread_cond_t *);
int
__wrap_pthread_cond_signal(pthread_cond_t *cond)
{
	return signal_some(cond, false);
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *);
int
__wrap_pthread_cond_broadcast(pthread_cond_t *cond)
{
	return signal_some(cond, true);
}

/* ---- libev ------------------------------------------------------------- */

void
ev_set_allocator(void *(*allocator)(void *, long))
{
	(void)allocator;
}

static struct ev_loop {
	ev_io *ios[IOS_MAX];
	unsigned nios;
	ev_timer *timers[TIMERS_MAX];
	unsigned ntimers;
	ev_signal *signals[SIGNALS_MAX];
	unsigned nsignals;
	ev_async *async;
	bool async_sent;
} loop;

unsigned int
ev_supported_backends(void)
{
	return EVBACKEND_EPOLL;
}

unsigned int
ev_recommended_backends(void)
{
	return EVBACKEND_EPOLL;
}

struct ev_loop *
ev_loop_new(unsigned int flags)
{
	(void)flags;
	memset(&loop, 0, sizeof(loop));
	return &loop;
}

void
ev_loop_destroy(struct ev_loop *l)
{
	if (l->nios > 0)
		world_wrong(
		    "descriptor %d is watched at the end", l->ios[0]->fd);
	if (l->ntimers > 0)
		world_wrong("%u timers are left", l->ntimers);
}

bool
loop_watches(int fd)
{
	for (unsigned i = 0; i < loop.nios; i++)
		if (loop.ios[i]->fd == fd)
			return true;
	return false;
}

void
ev_io_start(struct ev_loop *l, ev_io *io)
{
	if (ev_is_active(io))
		return;
	io->active = 1;
	if (l->nios == IOS_MAX)
		world_wrong("more descriptors than the loop can watch");
	else
		l->ios[l->nios++] = io;
}

void
ev_io_stop(struct ev_loop *l, ev_io *io)
{
	io->pending = 0;
	if (!ev_is_active(io))
		return;
	io->active = 0;
	for (unsigned i = 0; i < l->nios; i++)
		if (l->ios[i] == io)
			l->ios[i] = l->ios[--l->nios];
}

void
ev_timer_start(struct ev_loop *l, ev_timer *timer)
{
	if (ev_is_active(timer))
		return;
	timer->active = 1;
	timer->at += (double)world->mono_ns / 1e9;
	if (l->ntimers == TIMERS_MAX)
		world_wrong("more timers than the loop can hold");
	else
		l->timers[l->ntimers++] = timer;
}

void
ev_timer_stop(struct ev_loop *l, ev_timer *timer)
{
	timer->pending = 0;
	if (!ev_is_active(timer))
		return;
	timer->active = 0;
	for (unsigned i = 0; i < l->ntimers; i++)
		if (l->timers[i] == timer)
			l->timers[i] = l->timers[--l->ntimers];
}

void
ev_async_start(struct ev_loop *l, ev_async *async)
{
	l->async = async;
}

void
ev_async_send(struct ev_loop *l, ev_async *async)
{
	(void)async;
	l->async_sent = true;
}

void
ev_signal_start(struct ev_loop *l, ev_signal *signal)
{
	l->signals[l->nsignals++] = signal;
}

void
ev_unref(struct ev_loop *l)
{
	(void)l;
}

void
ev_now_update(struct ev_loop *l)
{
	(void)l;
}

/* ---- one turn of the loop ---------------------------------------------- */

static short
events_of(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	if (fd >= WORLD_FD_BASE)
		return sim_poll(fd, events);
	return __real_poll(&p, 1, 0) == 1 ? p.revents : 0;
}

static bool
io_is_ready(ev_io *io, int *events)
{
	short wanted = (short)((io->events & EV_READ ? POLLIN : 0) |
	    (io->events & EV_WRITE ? POLLOUT : 0));
	short got = events_of(io->fd, wanted);

	if (got & POLLNVAL)
		world_wrong("the loop watches %d, which is closed", io->fd);
	if (got & (POLLERR | POLLHUP))
		got |= wanted; /* as in libev */
	*events = (got & POLLIN ? EV_READ : 0) | (got & POLLOUT ? EV_WRITE : 0);
	return *events != 0;
}

/* Only some of them: a real loop, too, sees the others at its next poll. */
static unsigned
call_ios(void)
{
	ev_io *ready[IOS_MAX];
	int events[IOS_MAX];
	unsigned n = 0, called = 0;

	for (unsigned i = 0; i < loop.nios; i++)
		if (io_is_ready(loop.ios[i], &events[n]))
			ready[n++] = loop.ios[i];
	for (unsigned left = n; left > 0; left--) {
		unsigned i = (unsigned)world_below(left);
		ev_io *io = ready[i];
		int got = events[i];

		ready[i] = ready[left - 1];
		events[i] = events[left - 1];
		if (!ev_is_active(io) || (called > 0 && world_chance(100)))
			continue;
		if (io->fd >= WORLD_FD_BASE)
			world_note('i', (uint64_t)io->fd);
		io->cb(&loop, io, got);
		called++;
	}
	return called;
}

static unsigned
call_timers(void)
{
	double now = (double)world->mono_ns / 1e9;
	unsigned called = 0;

	for (unsigned i = 0; i < loop.ntimers;) {
		ev_timer *timer = loop.timers[i];

		if (timer->at > now) {
			i++;
			continue;
		}
		ev_timer_stop(&loop, timer);
		timer->cb(&loop, timer, EV_TIMER);
		called++;
	}
	return called;
}

static int64_t
timers_due(void)
{
	int64_t due = INT64_MAX;

	for (unsigned i = 0; i < loop.ntimers; i++) {
		/* Never early, however the time is rounded. */
		int64_t at = (int64_t)(loop.timers[i]->at * 1e9) + 1000;

		if (at < due)
			due = at;
	}
	return due;
}

static unsigned
call_others(void)
{
	unsigned called = 0;

	if (loop.async_sent) {
		loop.async_sent = false;
		loop.async->cb(&loop, loop.async, EV_ASYNC);
		called++;
	}
	if (world->term_due) {
		world->term_due = false;
		told_to_end = true;
		for (unsigned i = 0; i < loop.nsignals; i++)
			if (loop.signals[i]->signum == 15)
				loop.signals[i]->cb(
				    &loop, loop.signals[i], EV_SIGNAL);
		called++;
	}
	return called;
}

int
ev_run(struct ev_loop *l, int flags)
{
	(void)l;
	for (;;) {
		int64_t next = world_events_run();
		unsigned called;

		threads_run();
		called = call_others() + call_timers() + call_ios();
		if (called > 0 || flags == EVRUN_NOWAIT)
			return 1;
		if (threads_run() > 0)
			continue;
		if (timers_due() < next)
			next = timers_due();
		if (!time_goes_on(next)) {
			world_wrong("the loop waits, and nothing will come");
			exit(1);
		}
	}
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the loop and the order of tasks: each runs in the order in which it
 * became ready.  The stacks are context.c's, the threads crew.c's, the waits
 * task_poll.c's.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/task_internal.h"

/* How many ended tasks are kept for reuse, and how many of those keep the
 * memory that their stacks have touched. */
#define IDLE_MAX 1024
#define WARM_MAX 128
/* Reading this many bytes costs less than handing the work to another
 * thread. */
#define FEW_BYTES ((size_t)32 * 1024)
/* Size of the loop's own stack: task_aside() needs less. */
#define STACK_BYTES ((size_t)256 * 1024)
/* What task_breathe() calls long. */
#define LONG_NS 500000

struct task_all task_all;
_Thread_local struct task *task_current;
_Thread_local bool task_on_loop;

struct task *
task_self(void)
{
	return task_current;
}

void *
task_local(void)
{
	static _Thread_local max_align_t
	    of_thread[TASK_LOCAL_BYTES / sizeof(max_align_t)];

	return task_current != NULL ? task_current->local : of_thread;
}

void
task_set_ready(struct task *t)
{
	if (!t->waiting)
		return;
	t->waiting = false;
	TAILQ_INSERT_TAIL(&task_all.ready, t, entry);
}

/* ---- what libev calls ------------------------------------------------- */

static void
on_done(struct ev_loop *loop, ev_async *async, int events)
{
	struct crew_job *job;

	(void)loop;
	(void)async;
	(void)events;
	while ((job = crew_done(task_all.crew)) != NULL)
		task_set_ready(job->owner);
}

static void
tell_done(void *ctx)
{
	ev_async_send(task_all.loop, ctx);
}

static void
on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
	(void)loop;
	(void)events;
	((void (*)(int))watcher->data)(watcher->signum);
}

void
task_on_signal(int sig, void (*fn)(int sig))
{
	ev_signal *watcher;

	if (task_all.nsignals == TASK_SIGNALS_MAX)
		fatal("too many signals");
	watcher = &task_all.signals[task_all.nsignals++].watcher;
	ev_signal_init(watcher, on_signal, sig);
	watcher->data = (void *)fn;
	ev_signal_start(task_all.loop, watcher);
	ev_unref(task_all.loop);
}

/* ---- the loop --------------------------------------------------------- */

/* libev (4.33) ends the process when its own allocator finds nothing; ours has
 * a reserve. */
static void *
grow(void *old, long bytes)
{
	if (bytes > 0)
		return memory_grow(old, (size_t)bytes);
	free(old);
	return NULL;
}

void
task_open(void)
{
	unsigned backends =
	    ev_supported_backends() & (EVBACKEND_EPOLL | EVBACKEND_KQUEUE);

	if (backends == 0)
		backends = ev_recommended_backends();
	memset(&task_all, 0, sizeof(task_all));
	task_on_loop = true;
	ev_set_allocator(grow);
	task_all.loop = ev_loop_new(backends | EVFLAG_NOENV | EVFLAG_NOSIGMASK);
	if (task_all.loop == NULL)
		fatal("no event loop: %s", strerror(errno));
	TAILQ_INIT(&task_all.ready);
	TAILQ_INIT(&task_all.yielded);
	TAILQ_INIT(&task_all.idle);
	ev_async_init(&task_all.done, on_done);
	ev_async_start(task_all.loop, &task_all.done);
	task_all.crew = crew_new(tell_done, &task_all.done);
}

static void
task_free(struct task *t)
{
	context_free(t->context);
	free(t);
}

void
task_close(void)
{
	struct task *t;

	/* libev's handlers remain, and would write to the loop. */
	for (unsigned i = 0; i < task_all.nsignals; i++)
		signal(task_all.signals[i].watcher.signum, SIG_IGN);
	crew_free(task_all.crew);
	while ((t = TAILQ_FIRST(&task_all.idle)) != NULL) {
		TAILQ_REMOVE(&task_all.idle, t, entry);
		task_free(t);
	}
	for (int i = 0; i < task_all.nwatchers; i++)
		free(task_all.watchers[i]);
	free(task_all.watchers);
	ev_loop_destroy(task_all.loop);
	task_all.loop = NULL;
}

static struct task *
task_new(void)
{
	struct task *t = calloc(1, sizeof(*t));

	if (t == NULL || (t->context = context_new()) == NULL) {
		free(t);
		return NULL;
	}
	task_init_timer(t);
	return t;
}

static void
task_main(void *ctx)
{
	struct task *t = ctx;

	t->fn(t->arg);
}

int
task_start(void (*fn)(void *), void *arg)
{
	struct task *t = TAILQ_FIRST(&task_all.idle);

	if (t != NULL) {
		TAILQ_REMOVE(&task_all.idle, t, entry);
		task_all.nidle--;
	} else if ((t = task_new()) == NULL)
		return -1;
	t->fn = fn;
	t->arg = arg;
	t->log_request = NULL;
	t->woken = false;
	memset(t->local, 0, sizeof(t->local));
	context_set(t->context, task_main, t);
	task_all.ntasks++;
	t->waiting = true;
	task_set_ready(t);
	return 0;
}

/* It has ended. */
static void
retire(struct task *t)
{
	ev_timer_stop(task_all.loop, &t->timer);
	task_all.ntasks--;
	if (task_all.nidle >= IDLE_MAX) {
		task_free(t);
		return;
	}
	if (task_all.nidle >= WARM_MAX)
		context_trim(t->context);
	TAILQ_INSERT_HEAD(&task_all.idle, t, entry);
	task_all.nidle++;
}

/* Runs the task until it waits or ends, with what it does aside in between. */
static bool
enter(struct task *t)
{
	void (*fn)(void *);
	bool goes_on;

	for (;;) {
		task_current = t;
		goes_on = context_enter(t->context);
		task_current = NULL;
		if ((fn = t->aside) == NULL)
			return goes_on;
		t->aside = NULL;
		fn(t->aside_arg);
	}
}

static void
run(struct task *t)
{
	bool goes_on;

	log_set_request(t->log_request);
	goes_on = enter(t);
	t->log_request = log_get_request();
	log_set_request(NULL);
	if (!goes_on)
		retire(t);
}

static void
run_one(struct task *t)
{
	int64_t now_ns;

	run(t);
	now_ns = clock_now_ns();
	if (now_ns - task_all.turn_ns > task_all.longest_ns)
		task_all.longest_ns = now_ns - task_all.turn_ns;
	task_all.turn_ns = now_ns;
}

/* Runs the tasks that are ready and those that they make ready; others wait
 * for the next check for events. */
static void
run_ready(void)
{
	struct task *t;

	task_all.turn_ns = clock_now_ns();
	while ((t = TAILQ_FIRST(&task_all.ready)) != NULL) {
		TAILQ_REMOVE(&task_all.ready, t, entry);
		run_one(t);
	}
	TAILQ_CONCAT(&task_all.ready, &task_all.yielded, entry);
}

/* task_aside() runs on this stack, which grows as it is touched; without
 * address space left, growing would end the process.  So the stack gets its
 * full size before there is work, and the memory is given back. */
static void
grow_stack(void)
{
	static const uintptr_t page = 4096;
	volatile char room[STACK_BYTES];
	uintptr_t begin = ((uintptr_t)room + page - 1) & ~(page - 1);

	for (size_t i = 0; i < sizeof(room); i += page)
		room[i] = 0;
#ifdef __linux__
	madvise((void *)begin, STACK_BYTES - page, MADV_DONTNEED);
#else
	(void)begin;
#endif
}

void
task_loop(void)
{
	grow_stack();
	for (;;) {
		if (!TAILQ_EMPTY(&task_all.ready))
			run_ready();
		if (task_all.ntasks == 0)
			break;
		ev_run(task_all.loop,
		    TAILQ_EMPTY(&task_all.ready) ? EVRUN_ONCE : EVRUN_NOWAIT);
	}
}

int64_t
task_longest_ns(void)
{
	return task_all.longest_ns;
}

/* ---- letting others run ----------------------------------------------- */

void
task_yield(void)
{
	if (task_current == NULL)
		return;
	TAILQ_INSERT_TAIL(&task_all.yielded, task_current, entry);
	context_leave(task_current->context);
}

void
task_breathe(void)
{
	if (task_current != NULL && clock_now_ns() - task_all.turn_ns > LONG_NS)
		task_yield();
}

/* ---- work for others -------------------------------------------------- */

void
task_offload(void (*fn)(void *), void *arg)
{
	struct task *t = task_current;
	struct crew_job job = { .fn = fn,
		.arg = arg,
		.owner = t,
		.log_request = log_get_request() };

	if (t == NULL || !crew_do(task_all.crew, &job)) {
		fn(arg);
		return;
	}
	t->waiting = true;
	context_leave(t->context);
}

void
task_aside(void (*fn)(void *), void *arg)
{
	struct task *t = task_current;

	if (t == NULL) {
		fn(arg);
		return;
	}
	t->aside = fn;
	t->aside_arg = arg;
	context_leave(t->context);
}

void
task_work(size_t bytes, void (*fn)(void *), void *arg)
{
	if (bytes > FEW_BYTES)
		task_offload(fn, arg);
	else
		task_aside(fn, arg);
}

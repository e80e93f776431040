/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a task waits.
 *
 * A wait is a watcher of libev for each descriptor, and one timer, the task's.
 * They are changed as rarely as possible, because each change of a watcher is a
 * system call: a timer that is due too early may go off, and watchers of
 * task_poll_again() stay active.  So a watcher may report an event that nobody
 * waits for; then it is stopped.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/task_internal.h"

/* ---- what libev calls ------------------------------------------------- */

static void
on_io(struct ev_loop *loop, ev_io *io, int events)
{
	struct task_watcher *w = (struct task_watcher *)io;
	struct task *t = w->task;

	if (t == NULL) {
		ev_io_stop(loop, io);
		return;
	}
	if (t->fds[w->place].revents == 0)
		t->nready++;
	/* An error reads as both, as poll's callers expect of them. */
	t->fds[w->place].revents |= (short)((events & EV_READ ? POLLIN : 0) |
	    (events & EV_WRITE ? POLLOUT : 0));
	task_set_ready(t);
}

static void
set_timer(struct task *t, int64_t now_ms)
{
	double s = (double)(t->due_ms - now_ms) / 1000;

	ev_timer_stop(task_all.loop, &t->timer);
	/* libev counts from the last time that it read the clock. */
	ev_now_update(task_all.loop);
	ev_timer_set(&t->timer, s > 0 ? s : 0, 0);
	ev_timer_start(task_all.loop, &t->timer);
	t->timer_ms = t->due_ms;
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct task *t = timer->data;
	int64_t now_ms;

	(void)loop;
	(void)events;
	if (!t->waiting || !t->polling || t->due_ms == CLOCK_NEVER)
		return;
	now_ms = clock_now_ms();
	if (t->due_ms > now_ms)
		set_timer(t, now_ms);
	else
		task_set_ready(t);
}

void
task_init_timer(struct task *t)
{
	ev_timer_init(&t->timer, on_timer, 0, 0);
	t->timer.data = t;
}

/* ---- waiting ---------------------------------------------------------- */

static struct task_watcher *
watcher_of(int fd)
{
	if (fd >= task_all.nwatchers) {
		int n = 2 * fd + 64;

		task_all.watchers = memory_grow(
		    task_all.watchers, (size_t)n * sizeof(*task_all.watchers));
		memset(task_all.watchers + task_all.nwatchers, 0,
		    (size_t)(n - task_all.nwatchers) *
			sizeof(*task_all.watchers));
		task_all.nwatchers = n;
	}
	if (task_all.watchers[fd] == NULL) {
		task_all.watchers[fd] =
		    memory_alloc(sizeof(struct task_watcher));
		memset(task_all.watchers[fd], 0, sizeof(struct task_watcher));
		ev_io_init(&task_all.watchers[fd]->io, on_io, fd, 0);
	}
	return task_all.watchers[fd];
}

static int
events_of(const struct pollfd *p)
{
	return (p->events & POLLIN ? EV_READ : 0) |
	    (p->events & POLLOUT ? EV_WRITE : 0);
}

static void
start_watcher(struct task *t, struct pollfd *p, int place)
{
	int events = events_of(p);
	struct task_watcher *w;

	p->revents = 0;
	if (p->fd < 0 || events == 0)
		return;
	w = watcher_of(p->fd);
	w->task = t;
	w->place = place;
	if (ev_is_active(&w->io) &&
	    (w->io.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(task_all.loop, &w->io);
	ev_io_set(&w->io, p->fd, events);
	ev_io_start(task_all.loop, &w->io);
}

static void
stop_watcher(struct task *t, const struct pollfd *p, bool again)
{
	struct task_watcher *w;

	if (p->fd < 0 || events_of(p) == 0)
		return;
	w = task_all.watchers[p->fd];
	if (w->task != t)
		return; /* closed meanwhile, and another's */
	w->task = NULL;
	if (!again)
		ev_io_stop(task_all.loop, &w->io);
}

static void
set_due(struct task *t, int timeout_ms)
{
	int64_t now_ms;

	t->due_ms = CLOCK_NEVER;
	if (timeout_ms < 0)
		return;
	now_ms = clock_now_ms();
	t->due_ms = now_ms + timeout_ms;
	if (!ev_is_active(&t->timer) || t->timer_ms > t->due_ms)
		set_timer(t, now_ms);
}

static int
wait_for(
    struct task *t, struct pollfd *fds, unsigned n, int timeout_ms, bool again)
{
	if (!t->woken) {
		for (unsigned i = 0; i < n; i++)
			start_watcher(t, &fds[i], (int)i);
		set_due(t, timeout_ms);
		t->fds = fds;
		t->nready = 0;
		t->waiting = t->polling = true;
		context_leave(t->context);
		t->polling = false;
		for (unsigned i = 0; i < n; i++)
			stop_watcher(t, &fds[i], again);
	}
	if (!t->woken)
		return t->nready;
	t->woken = false;
	errno = EINTR;
	return -1;
}

int
task_poll(struct pollfd *fds, unsigned n, int timeout_ms)
{
	return task_current == NULL || timeout_ms == 0
	    ? poll(fds, n, timeout_ms)
	    : wait_for(task_current, fds, n, timeout_ms, false);
}

int
task_poll_again(struct pollfd *fds, unsigned n, int timeout_ms)
{
	return task_current == NULL || timeout_ms == 0
	    ? poll(fds, n, timeout_ms)
	    : wait_for(task_current, fds, n, timeout_ms, true);
}

void
task_forget(int fd)
{
	if (task_on_loop && fd >= 0 && fd < task_all.nwatchers &&
	    task_all.watchers[fd] != NULL) {
		ev_io_stop(task_all.loop, &task_all.watchers[fd]->io);
		task_all.watchers[fd]->task = NULL;
	}
}

int
task_sleep(int ms)
{
	return task_poll(NULL, 0, ms);
}

void
task_wake(struct task *t)
{
	t->woken = true;
	if (t->polling) /* not while it waits for the crew */
		task_set_ready(t);
}

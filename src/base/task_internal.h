/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Between task.c and task_poll.c only.
 */
#ifndef BASE_TASK_INTERNAL_H
#define BASE_TASK_INTERNAL_H

#include <signal.h>
#include <stddef.h>
#include <sys/queue.h>

#include <ev.h>

#include "base/context.h"
#include "base/crew.h"
#include "base/task.h"

#define TASK_SIGNALS_MAX 8

struct task {
	struct context *context;
	void (*fn)(void *);
	void *arg;
	void (*aside)(void *); /* to be called by the loop, or NULL */
	void *aside_arg;
	const char *log_request;
	ev_timer timer;
	int64_t timer_ms; /* when it goes off, if it is active */
	int64_t due_ms; /* when the wait ends */
	struct pollfd *fds;
	int nready;
	bool waiting; /* and nothing has come yet */
	bool polling; /* for what fds say, or the time */
	bool woken;
	max_align_t local[TASK_LOCAL_BYTES / sizeof(max_align_t)];
	TAILQ_ENTRY(task) entry; /* ready, or idle */
};

TAILQ_HEAD(tasks, task);

/* Of one descriptor. */
struct task_watcher {
	ev_io io;
	struct task *task; /* who waits for it; NULL: nobody does */
	int place; /* among the wait's descriptors */
};

struct task_all {
	struct ev_loop *loop;
	ev_async done; /* work of the crew */
	struct crew *crew;
	struct task_watcher **watchers; /* by descriptor; NULL: none yet */
	int nwatchers;
	struct tasks ready, yielded, idle;
	unsigned ntasks, nidle;
	struct {
		ev_signal watcher;
		void (*fn)(int);
	} signals[TASK_SIGNALS_MAX];
	unsigned nsignals;
	int64_t turn_ns; /* when the current turn began */
	int64_t longest_ns; /* of all turns */
};

extern struct task_all task_all;
extern _Thread_local struct task *task_current;
extern _Thread_local bool task_on_loop; /* this is the loop's thread */

/* Ends the task's wait and puts it among those that are ready. */
void task_set_ready(struct task *);
void task_init_timer(struct task *);

#endif

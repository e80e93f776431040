/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * One event loop per process, and straight code in it.
 *
 * A task is a function with a small stack of its own.  It runs until it waits:
 * for descriptors, for a time, for work on another thread.  Then the next task
 * runs that has something to do.  All tasks run on the thread of task_loop(),
 * one at a time, so what only tasks touch needs no lock; but a value read
 * before a wait may have changed after it, and no lock may be held during a
 * wait.
 *
 * Everything here may be called where there is no loop (CGI, the command line,
 * a thread of the pool): waiting then blocks the thread, as poll(2) does.
 *
 * libev waits: it is small, packaged by Debian and the BSDs, and uses epoll and
 * kqueue.  libboost_context switches stacks: its two functions in assembler
 * have a plain C interface on every processor and system that we know of, make
 * no system call (swapcontext(3) makes two, and OpenBSD and musl lack it), and
 * linked statically they bring no C++ along.
 */
#ifndef BASE_TASK_H
#define BASE_TASK_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct task;

/* The most descriptors of one wait. */
#define TASK_FDS_MAX 8

/* Before everything else, once per process, after fork. */
void task_open(void);
/* When no task runs any more.  The loop's signals are ignored from then on. */
void task_close(void);
/* fn(arg) begins soon, or with task_loop().  -1: no memory for its stack. */
int task_start(void (*fn)(void *), void *arg);
/* Runs all tasks until the last has ended. */
void task_loop(void);

/* The task that calls; NULL: no task does. */
struct task *task_self(void);
/* Its task_poll() or task_sleep(), or else its next one, returns at once: -1
 * with EINTR.  To be called by tasks and signal functions only. */
void task_wake(struct task *);

/* As poll(2) with up to TASK_FDS_MAX descriptors, and others run meanwhile. */
int task_poll(struct pollfd *, unsigned n, int timeout_ms);
/* The same for descriptors that are waited for again and again, by whichever
 * task: the kernel keeps them, which saves system calls.  task_forget() has to
 * be called before one of them is closed. */
int task_poll_again(struct pollfd *, unsigned n, int timeout_ms);
void task_forget(int fd);

/* 0, or -1 with EINTR. */
int task_sleep(int ms);
/* Lets the others run. */
void task_yield(void);
/* The same, if the caller has already run for long; for loops over a lot of
 * data. */
void task_breathe(void);

/* fn(arg) on a thread of a small pool, about as many as there are
 * processors: for long work of the processor or the disk.  Returns when it
 * is done; other tasks run meanwhile.  fn must not wait for what only a task
 * can do. */
void task_offload(void (*fn)(void *), void *arg);

/* fn(arg), at once, on the loop's own stack: a waiting task keeps all the
 * stack that it has touched, so work that needs a lot of stack is better
 * done there.  fn must not wait. */
void task_aside(void (*fn)(void *), void *arg);

/* The same for fn that reads this many bytes: aside if they are at most 32
 * KiB, otherwise on another thread. */
void task_work(size_t bytes, void (*fn)(void *), void *arg);

/* A task's own memory (without a task, the thread's), zero at first, for a
 * module that keeps state for each of its callers. */
#define TASK_LOCAL_BYTES 64
void *task_local(void);

/* fn is called by the loop, between tasks, when the signal has come. */
void task_on_signal(int sig, void (*fn)(int sig));

/* The longest that one task has kept the others waiting so far. */
int64_t task_longest_ns(void);

#endif

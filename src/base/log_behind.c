/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the thread that writes a log file: one half of the room gathers lines
 * while the other half is written.
 *
 * Before a fork the thread ends, and the next line starts another, so that a
 * child is made by a process of one thread.  Only if the disk hangs just then,
 * there are two; but the thread uses no lock and no memory besides those of
 * this file, and the child makes those anew.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/log_behind.h"
#include "base/thread.h"

#define STACK_BYTES (64 * 1024)
#define ROOM_BYTES (128 * 1024) /* some 1000 lines */
#define NOTICES_MAX 16 /* in a half; the room seldom fills up so often */
/* A fork waits for no write that takes longer. */
#define FORK_MS 100

enum phase {
	NOT_OPEN,
	GATHERS, /* a child, until it opens or closes it */
	OPEN, /* a line that waits has a thread */
	CLOSED, /* all lines are written, each further one at once */
};

/* Half of the room. */
struct half {
	size_t len;
	int lines;
	/* Which lines say how many were lost before them. */
	struct notice {
		size_t end;
		unsigned lost;
	} notices[NOTICES_MAX];
	unsigned notice_count;
	char text[ROOM_BYTES];
};

static void
tell_nobody(void *unused, int delta)
{
	(void)unused;
	(void)delta;
}

static struct {
	pthread_mutex_t mutex; /* of what follows */
	pthread_cond_t wanted, done; /* unless NOT_OPEN */
	enum phase phase;
	bool running, writing;
	bool leaving; /* its setter waits for the thread's end */
	int64_t began_ms; /* to write */
	unsigned filling; /* the half that is filled */
	pthread_t thread;
	void (*waiting)(void *ctx, int delta);
	void *ctx;
	_Atomic unsigned lost;
	struct half halves[2];
} behind = { .mutex = PTHREAD_MUTEX_INITIALIZER, .waiting = tell_nobody };

/* ---- the thread ------------------------------------------------------- */

/* Lines after the first `written` bytes.  A notice there was no line of the
 * caller's, but what it said is lost with it. */
static unsigned
count_lost(const struct half *half, size_t written)
{
	unsigned n = 0;

	for (size_t i = written; i < half->len; i++)
		n += half->text[i] == '\n';
	for (unsigned i = 0; i < half->notice_count; i++)
		if (half->notices[i].end > written)
			n += half->notices[i].lost - 1;
	return n;
}

static void
write_half(const struct half *half)
{
	size_t written = 0;
	ssize_t n;

	while (written < half->len) {
		n = write(
		    STDERR_FILENO, half->text + written, half->len - written);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		written += (size_t)n;
	}
	if (written < half->len)
		atomic_fetch_add(&behind.lost, count_lost(half, written));
}

static void
empty(struct half *half)
{
	half->len = 0;
	half->lines = 0;
	half->notice_count = 0;
}

/* Has the half that is filled a line? */
static bool
lines_wait(void)
{
	return behind.halves[behind.filling].len > 0;
}

static bool
is_done(void)
{
	return !behind.writing && !lines_wait();
}

static void *
behind_main(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&behind.mutex);
	while (!behind.leaving || lines_wait()) {
		struct half *taken = &behind.halves[behind.filling];

		if (taken->len == 0) {
			pthread_cond_wait(&behind.wanted, &behind.mutex);
			continue;
		}
		behind.filling ^= 1;
		behind.writing = true;
		behind.began_ms = clock_now_ms();
		pthread_mutex_unlock(&behind.mutex);
		write_half(taken);
		pthread_mutex_lock(&behind.mutex);
		behind.waiting(behind.ctx, -taken->lines);
		empty(taken);
		behind.writing = false;
		pthread_cond_broadcast(&behind.done);
	}
	pthread_mutex_unlock(&behind.mutex);
	return NULL;
}

/* The caller has the lock, here and below. */
static bool
start_thread(void)
{
	behind.running =
	    thread_start(&behind.thread, STACK_BYTES, behind_main, NULL);
	return behind.running;
}

/* Nothing is left for it to do. */
static void
end_thread(void)
{
	behind.leaving = true;
	pthread_cond_signal(&behind.wanted);
	pthread_mutex_unlock(&behind.mutex);
	pthread_join(behind.thread, NULL);
	pthread_mutex_lock(&behind.mutex);
	behind.leaving = behind.running = false;
}

static void
wait_until_done(int64_t until_ms)
{
	while (behind.running && !is_done() && clock_now_ms() < until_ms)
		cond_wait_until(&behind.done, &behind.mutex, until_ms);
}

/* ---- from outside ----------------------------------------------------- */

static void
open_conds(void)
{
	cond_init(&behind.wanted);
	cond_init(&behind.done);
}

bool
log_behind_open(void (*waiting)(void *ctx, int delta), void *ctx)
{
	struct half *kept;
	bool started;

	pthread_mutex_lock(&behind.mutex);
	kept = &behind.halves[behind.filling];
	if (behind.phase == NOT_OPEN)
		open_conds();
	behind.waiting = waiting == NULL ? tell_nobody : waiting;
	behind.ctx = ctx;
	behind.waiting(behind.ctx, kept->lines);
	behind.phase = OPEN;
	started = behind.running || start_thread();
	if (!started) {
		write_half(kept);
		behind.waiting(behind.ctx, -kept->lines);
		empty(kept);
		behind.phase = CLOSED;
	}
	pthread_mutex_unlock(&behind.mutex);
	return started;
}

bool
log_behind_close(int64_t ms)
{
	int64_t until_ms = clock_now_ms() + ms;
	bool ended;

	pthread_mutex_lock(&behind.mutex);
	if (behind.phase != NOT_OPEN) {
		if (!behind.running && lines_wait() && !start_thread()) {
			write_half(&behind.halves[behind.filling]);
			empty(&behind.halves[behind.filling]);
		}
		wait_until_done(until_ms);
	}
	ended = is_done();
	behind.waiting = tell_nobody;
	if (ended && behind.phase != NOT_OPEN) {
		behind.phase = CLOSED;
		if (behind.running && !behind.leaving)
			end_thread();
	}
	pthread_mutex_unlock(&behind.mutex);
	return ended;
}

bool
log_behind_is_open(void)
{
	bool open;

	pthread_mutex_lock(&behind.mutex);
	open = behind.phase == GATHERS || behind.phase == OPEN;
	pthread_mutex_unlock(&behind.mutex);
	return open;
}

bool
log_behind_put(const char *line, size_t len, unsigned lost)
{
	struct half *half;
	bool fits;

	pthread_mutex_lock(&behind.mutex);
	if (behind.phase == CLOSED) {
		pthread_mutex_unlock(&behind.mutex);
		return write(STDERR_FILENO, line, len) != -1;
	}
	half = &behind.halves[behind.filling];
	fits = len <= ROOM_BYTES - half->len &&
	    (lost == 0 || half->notice_count < NOTICES_MAX);
	if (fits) {
		memcpy(half->text + half->len, line, len);
		half->len += len;
		half->lines++;
		if (lost > 0)
			half->notices[half->notice_count++] =
			    (struct notice){ half->len, lost };
		behind.waiting(behind.ctx, 1);
		pthread_cond_signal(&behind.wanted);
	}
	/* If there is none to be had, the next line tries again. */
	if (behind.phase == OPEN && !behind.running)
		start_thread();
	pthread_mutex_unlock(&behind.mutex);
	return fits;
}

unsigned
log_behind_take_lost(void)
{
	return atomic_exchange(&behind.lost, 0);
}

/* ---- a fork ----------------------------------------------------------- */

void
log_behind_before_fork(void)
{
	pthread_mutex_lock(&behind.mutex);
	if (!behind.running || behind.leaving)
		return;
	/* Not again for a write that a fork has waited for. */
	wait_until_done(
	    (behind.writing ? behind.began_ms : clock_now_ms()) + FORK_MS);
	if (is_done())
		end_thread();
}

void
log_behind_in_parent(void)
{
	if (behind.phase == OPEN && !behind.running && lines_wait())
		start_thread();
	pthread_mutex_unlock(&behind.mutex);
}

void
log_behind_in_child(void)
{
	empty(&behind.halves[0]);
	empty(&behind.halves[1]);
	behind.running = behind.writing = behind.leaving = false;
	behind.waiting = tell_nobody;
	atomic_store(&behind.lost, 0);
	if (behind.phase == OPEN)
		behind.phase = GATHERS;
	if (behind.phase != NOT_OPEN)
		open_conds();
	pthread_mutex_unlock(&behind.mutex);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how threads wait for connections and how they are woken to stop.  The
 * "accept" step of a request's way.
 *
 * libfcgi's own accept is not used (FACTS §5).  A plain blocking accept is
 * the cheapest there is: one system call, one thread woken.  (With poll, a
 * thread of each worker wakes for every connection; with one level-triggered
 * epoll for many threads, several do.)  What it lacks is a way to stop it:
 * that is a signal, unblocked only around accept and sent again until nobody
 * waits any more, because one that comes just before accept blocks is lost.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/acceptor.h"

#define STOP_SIGNAL SIGURG
/* Before accept is tried again when descriptors have run out. */
#define PAUSE_NS 10000000
/* Threads of one worker in accept: more are parked, unless as many were busy
 * at once a moment ago and may be needed again (to park one and to call it
 * costs more than a wait); fewer are joined. */
#define WAITING_MAX 4
#define WAITING_MIN 2
/* After this what was needed once counts half. */
#define PEAK_MS 1000
/* Who waits so long looks whether it should. */
#define WAITING_MAX_S 10
#define TIMED_OUT (-2)
#define PARKED_MAX_S 30

struct acceptor_seat {
	pthread_t thread;
	bool counted; /* in `waiting` already */
	bool parked;
	pthread_cond_t called;
	LIST_ENTRY(acceptor_seat) entry;
	LIST_ENTRY(acceptor_seat) parked_entry;
};

LIST_HEAD(seats, acceptor_seat);

struct acceptor {
	const struct config *config;
	struct acceptor_board *board;
	int listen_fd;
	unsigned index;
	unsigned reserve; /* threads kept to say "overloaded" */
	atomic_bool stopping;
	atomic_uint waiting; /* threads in accept or on their way to it */
	atomic_uint peak; /* busy at once, of late */
	_Atomic int64_t peak_ms; /* when that was halved */
	pthread_mutex_t mutex; /* of the lists */
	struct seats seats, parked;
};

static void
on_stop(int sig)
{
	(void)sig; /* its use is that accept returns */
}

static unsigned
reserve_of(unsigned threads)
{
	return threads < 4 ? 0 : threads < 256 ? 1 + threads / 64 : 4;
}

struct acceptor *
acceptor_new(const struct config *config, int listen_fd,
    struct acceptor_board *board, unsigned index)
{
	struct sigaction sa = { .sa_handler = on_stop };
	struct timeval patience = { WAITING_MAX_S, 0 };
	struct acceptor *a = calloc(1, sizeof(*a));

	if (a == NULL)
		fatal("out of memory");
	a->config = config;
	a->board = board;
	a->listen_fd = listen_fd;
	a->index = index;
	a->reserve = reserve_of(config->threads);
	pthread_mutex_init(&a->mutex, NULL);
	LIST_INIT(&a->seats);
	LIST_INIT(&a->parked);
	sigemptyset(&sa.sa_mask);
	sigaction(STOP_SIGNAL, &sa, NULL);
	/* Where accept knows no timeout, who waits does so until called. */
	setsockopt(
	    listen_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return a;
}

void
acceptor_free(struct acceptor *a)
{
	pthread_mutex_destroy(&a->mutex);
	free(a);
}

void
acceptor_expect(struct acceptor *a)
{
	atomic_fetch_add(&a->waiting, 1);
}

void
acceptor_unexpect(struct acceptor *a)
{
	atomic_fetch_sub(&a->waiting, 1);
}

struct acceptor_seat *
acceptor_join(struct acceptor *a)
{
	struct acceptor_seat *seat = calloc(1, sizeof(*seat));

	if (seat == NULL)
		fatal("out of memory");
	seat->thread = pthread_self();
	seat->counted = true; /* by acceptor_expect() */
	pthread_cond_init(&seat->called, NULL);
	pthread_mutex_lock(&a->mutex);
	LIST_INSERT_HEAD(&a->seats, seat, entry);
	pthread_mutex_unlock(&a->mutex);
	return seat;
}

void
acceptor_leave(struct acceptor *a, struct acceptor_seat *seat)
{
	pthread_mutex_lock(&a->mutex);
	LIST_REMOVE(seat, entry);
	pthread_mutex_unlock(&a->mutex);
	pthread_cond_destroy(&seat->called);
	free(seat);
}

/* ---- parking ---------------------------------------------------------- */

/* Holding the mutex. */
static void
unpark(struct acceptor *a, struct acceptor_seat *seat)
{
	LIST_REMOVE(seat, parked_entry);
	seat->parked = false;
	seat->counted = true;
	atomic_fetch_add(&a->waiting, 1);
	pthread_cond_signal(&seat->called);
}

/* Calls the thread that was parked last; false: there is none. */
static bool
call_parked(struct acceptor *a)
{
	struct acceptor_seat *seat;

	pthread_mutex_lock(&a->mutex);
	if ((seat = LIST_FIRST(&a->parked)) != NULL)
		unpark(a, seat);
	pthread_mutex_unlock(&a->mutex);
	return seat != NULL;
}

/* Waits to be called; false: nobody has for long. */
static bool
park(struct acceptor *a, struct acceptor_seat *seat)
{
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PARKED_MAX_S;
	pthread_mutex_lock(&a->mutex);
	/* Looked at again under the mutex: who takes `waiting` below the
	 * minimum after this finds us. */
	if (atomic_load(&a->waiting) >= WAITING_MIN) {
		seat->parked = true;
		LIST_INSERT_HEAD(&a->parked, seat, parked_entry);
	}
	while (seat->parked && rc == 0 && !atomic_load(&a->stopping))
		rc = pthread_cond_timedwait(&seat->called, &a->mutex, &until);
	if (seat->parked) {
		LIST_REMOVE(seat, parked_entry);
		seat->parked = false;
	} else
		rc = 0;
	pthread_mutex_unlock(&a->mutex);
	return rc == 0;
}

/* ---- accepting -------------------------------------------------------- */

/* Is all of the pool as busy as it may be?  Then somebody has to say so. */
static bool
all_full(const struct acceptor *a)
{
	for (unsigned i = 0; i < a->config->processes; i++) {
		if (atomic_load(&a->board->busy[i]) + a->reserve <=
		    a->config->threads)
			return false;
	}
	return a->reserve > 0;
}

static int
accept_one(struct acceptor *a)
{
	static const struct timespec pause = { 0, PAUSE_NS };
	int fd;

	while (!atomic_load(&a->stopping)) {
		fd = accept4(a->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd != -1)
			return fd;
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return TIMED_OUT;
		/* Descriptors have run out, or nobody listens any more. */
		if (errno != EINTR && errno != ECONNABORTED) {
			log_error("accept: %s", strerror(errno));
			nanosleep(&pause, NULL);
		}
	}
	return -1;
}

static void
note_busy(struct acceptor *a, unsigned busy)
{
	if (busy > atomic_load(&a->peak))
		atomic_store(&a->peak, busy);
}

static unsigned
peak_of_late(struct acceptor *a)
{
	int64_t now_ms = clock_now_ms(), since_ms = atomic_load(&a->peak_ms);
	unsigned peak = atomic_load(&a->peak);

	if (now_ms - since_ms >= PEAK_MS &&
	    atomic_compare_exchange_strong(&a->peak_ms, &since_ms, now_ms))
		atomic_store(&a->peak, peak /= 2);
	return peak;
}

static bool
enough_wait(struct acceptor *a)
{
	unsigned waiting = atomic_load(&a->waiting);

	return waiting >= WAITING_MAX && waiting >= peak_of_late(a);
}

/* False: parked for long enough. */
static bool
come_to_wait(struct acceptor *a, struct acceptor_seat *seat)
{
	if (!seat->counted && enough_wait(a) && !park(a, seat))
		return false;
	if (!seat->counted)
		atomic_fetch_add(&a->waiting, 1);
	seat->counted = false;
	return true;
}

int
acceptor_next(
    struct acceptor *a, struct acceptor_seat *seat, struct acceptor_turn *turn)
{
	unsigned left;
	sigset_t stop;
	int fd;

	sigemptyset(&stop);
	sigaddset(&stop, STOP_SIGNAL);
	do {
		if (!come_to_wait(a, seat))
			return -1;
		pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
		fd = accept_one(a);
		pthread_sigmask(SIG_BLOCK, &stop, NULL);
		left = atomic_fetch_sub(&a->waiting, 1) - 1;
	} while (fd == TIMED_OUT);
	if (fd == -1)
		return -1;
	note_busy(a, atomic_fetch_add(&a->board->busy[a->index], 1) + 1);
	turn->overloaded = all_full(a);
	turn->alone = left < WAITING_MIN && !call_parked(a);
	return fd;
}

void
acceptor_done(struct acceptor *a)
{
	atomic_fetch_sub(&a->board->busy[a->index], 1);
}

bool
acceptor_stop(struct acceptor *a)
{
	struct acceptor_seat *seat;

	atomic_store(&a->stopping, true);
	pthread_mutex_lock(&a->mutex);
	while ((seat = LIST_FIRST(&a->parked)) != NULL)
		unpark(a, seat);
	if (atomic_load(&a->waiting) > 0) {
		LIST_FOREACH (seat, &a->seats, entry)
			pthread_kill(seat->thread, STOP_SIGNAL);
	}
	pthread_mutex_unlock(&a->mutex);
	return atomic_load(&a->waiting) == 0;
}

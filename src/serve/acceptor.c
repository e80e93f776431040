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
 *
 * A turn is a thread's right to take connections, one after the other.  While
 * all turns are taken and nobody is in accept, a parked thread, the watcher,
 * looks every TURN_MS whose request has had its time, and takes that turn
 * away: nothing that a request waits for (a slow client, a provider, a slot)
 * can hold up who comes next for longer than two looks.  Where that was so of
 * all, there are twice as many turns a moment later, and so on: a burst of
 * requests that wait is begun as fast as they come.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "serve/acceptor.h"

#define STOP_SIGNAL SIGURG
/* Before accept is tried again when descriptors have run out. */
#define PAUSE_NS 10000000
#define WARN_EVERY_MS 60000
/* What a request gets for its short work, most of which takes a tenth. */
#define TURN_MS 2
/* For so long there are more turns where all that were taken lasted. */
#define GROWN_MS (4 * TURN_MS)
#define PARKED_MAX_MS 30000

enum turn { NO_TURN, ACCEPTING, SERVING };

struct acceptor_seat {
	pthread_t thread;
	atomic_int turn; /* SERVING to NO_TURN: the watcher's, else its own */
	_Atomic int64_t since_ms; /* SERVING */
	bool parked;
	pthread_cond_t called;
	LIST_ENTRY(acceptor_seat) entry;
	LIST_ENTRY(acceptor_seat) turn_entry;
	LIST_ENTRY(acceptor_seat) parked_entry;
};

LIST_HEAD(seats, acceptor_seat);

struct acceptor {
	const struct config *config;
	int listen_fd;
	void (*exhausted)(void *ctx);
	void *ctx;
	unsigned turns_max;
	atomic_bool stopping;
	atomic_uint waiting; /* threads in accept or on their way to it */
	atomic_uint nturns; /* as long as the list */
	_Atomic(struct acceptor_seat *) watcher; /* set under the mutex */
	pthread_mutex_t mutex; /* of what follows */
	unsigned coming; /* threads being started */
	unsigned grown; /* turns there are instead of turns_max */
	int64_t grown_until_ms;
	struct seats seats, turns, parked;
};

static void
on_stop(int sig)
{
	(void)sig; /* its use is that accept returns */
}

/* More at once than there are processors for only push each other, and their
 * memory, aside. */
static unsigned
turns_of(unsigned threads)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned turns = n < 1 ? 2 : (unsigned)n + 1;

	return turns < threads ? turns : threads;
}

struct acceptor *
acceptor_new(const struct config *config, int listen_fd,
    void (*exhausted)(void *ctx), void *ctx)
{
	struct sigaction sa = { .sa_handler = on_stop };
	struct acceptor *a = calloc(1, sizeof(*a));

	if (a == NULL)
		fatal("out of memory");
	a->config = config;
	a->listen_fd = listen_fd;
	a->exhausted = exhausted;
	a->ctx = ctx;
	a->turns_max = turns_of(config->threads);
	pthread_mutex_init(&a->mutex, NULL);
	LIST_INIT(&a->seats);
	LIST_INIT(&a->turns);
	LIST_INIT(&a->parked);
	sigemptyset(&sa.sa_mask);
	sigaction(STOP_SIGNAL, &sa, NULL);
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
	pthread_mutex_lock(&a->mutex);
	a->coming++;
	pthread_mutex_unlock(&a->mutex);
}

void
acceptor_unexpect(struct acceptor *a)
{
	pthread_mutex_lock(&a->mutex);
	a->coming--;
	pthread_mutex_unlock(&a->mutex);
}

struct acceptor_seat *
acceptor_join(struct acceptor *a)
{
	struct acceptor_seat *seat = calloc(1, sizeof(*seat));

	if (seat == NULL)
		fatal("out of memory");
	seat->thread = pthread_self();
	cond_init(&seat->called);
	pthread_mutex_lock(&a->mutex);
	a->coming--;
	LIST_INSERT_HEAD(&a->seats, seat, entry);
	pthread_mutex_unlock(&a->mutex);
	return seat;
}

/* ---- turns; all of these hold the mutex ------------------------------- */

static void
take_turn(struct acceptor *a, struct acceptor_seat *seat)
{
	LIST_INSERT_HEAD(&a->turns, seat, turn_entry);
	atomic_fetch_add(&a->nturns, 1);
	atomic_fetch_add(&a->waiting, 1);
	atomic_store(&seat->turn, ACCEPTING);
}

static void
drop_turn(struct acceptor *a, struct acceptor_seat *seat)
{
	LIST_REMOVE(seat, turn_entry);
	atomic_fetch_sub(&a->nturns, 1);
	atomic_store(&seat->turn, NO_TURN);
}

static unsigned
turns_now(const struct acceptor *a)
{
	return clock_now_ms() < a->grown_until_ms ? a->grown : a->turns_max;
}

/* All that were served had to wait for something: twice as many are begun
 * next. */
static void
grow(struct acceptor *a)
{
	unsigned n = turns_now(a);

	a->grown = n < a->config->threads / 2 ? 2 * n : a->config->threads;
	a->grown_until_ms = clock_now_ms() + GROWN_MS;
}

static bool
turn_is_free(const struct acceptor *a)
{
	return atomic_load(&a->nturns) < turns_now(a);
}

static bool
nobody_waits(const struct acceptor *a)
{
	return atomic_load(&a->waiting) == 0;
}

/* Takes away the turns that have lasted. */
static void
end_turns(struct acceptor *a)
{
	int64_t now_ms = clock_now_ms();
	struct acceptor_seat *seat, *next;
	int serving;

	for (seat = LIST_FIRST(&a->turns); seat != NULL; seat = next) {
		next = LIST_NEXT(seat, turn_entry);
		serving = SERVING;
		if (now_ms - atomic_load(&seat->since_ms) >= TURN_MS &&
		    atomic_compare_exchange_strong(
			&seat->turn, &serving, NO_TURN))
			drop_turn(a, seat);
	}
	if (atomic_load(&a->nturns) == 0)
		grow(a);
}

/* ---- parking; so do these --------------------------------------------- */

static void
unpark(struct acceptor_seat *seat)
{
	LIST_REMOVE(seat, parked_entry);
	seat->parked = false;
	pthread_cond_signal(&seat->called);
}

static void
watch(struct acceptor *a, struct acceptor_seat *seat)
{
	end_turns(a);
	if (nobody_waits(a) && turn_is_free(a)) {
		take_turn(a, seat);
		unpark(seat);
	}
	if (nobody_waits(a))
		return;
	atomic_store(&a->watcher, NULL);
	/* Who was the last to wait and has just got a connection may have
	 * seen a watcher still. */
	if (seat->parked && nobody_waits(a))
		atomic_store(&a->watcher, seat);
}

/* Until there is a turn, or nobody has called for long. */
static void
park(struct acceptor *a, struct acceptor_seat *seat)
{
	int64_t now_ms = clock_now_ms(), look_ms = now_ms;
	int64_t end_ms = now_ms + PARKED_MAX_MS;

	seat->parked = true;
	LIST_INSERT_HEAD(&a->parked, seat, parked_entry);
	if (atomic_load(&a->watcher) == NULL && nobody_waits(a))
		atomic_store(&a->watcher, seat);
	while (seat->parked && !atomic_load(&a->stopping)) {
		if (atomic_load(&a->watcher) != seat) {
			if (now_ms >= end_ms)
				break;
			cond_wait_until(&seat->called, &a->mutex, end_ms);
			look_ms = clock_now_ms() + TURN_MS;
		} else if (now_ms >= look_ms) {
			watch(a, seat);
			look_ms = now_ms + TURN_MS;
		} else
			cond_wait_until(&seat->called, &a->mutex, look_ms);
		now_ms = clock_now_ms();
	}
	if (atomic_load(&a->watcher) == seat)
		atomic_store(&a->watcher, NULL);
	if (seat->parked)
		unpark(seat);
}

/* ---- calling ---------------------------------------------------------- */

/* Nobody waits for the next connection: the thread that was parked last shall
 * (its memory is warm), or see to it while all turns are taken.  False: there
 * is none. */
static bool
call_parked(struct acceptor *a)
{
	struct acceptor_seat *seat;
	bool found;

	if (atomic_load(&a->watcher) != NULL)
		return true;
	pthread_mutex_lock(&a->mutex);
	seat = LIST_FIRST(&a->parked);
	found = seat != NULL || a->coming > 0;
	if (seat != NULL && atomic_load(&a->watcher) == NULL &&
	    nobody_waits(a)) {
		end_turns(a);
		if (turn_is_free(a)) {
			take_turn(a, seat);
			unpark(seat);
		} else {
			atomic_store(&a->watcher, seat);
			pthread_cond_signal(&seat->called);
		}
	}
	pthread_mutex_unlock(&a->mutex);
	return found;
}

/* False: there has been nothing to do for long. */
static bool
come_to_wait(struct acceptor *a, struct acceptor_seat *seat)
{
	int serving = SERVING;

	if (atomic_load(&a->nturns) <= a->turns_max &&
	    atomic_compare_exchange_strong(&seat->turn, &serving, ACCEPTING)) {
		atomic_fetch_add(&a->waiting, 1);
		return true;
	}
	pthread_mutex_lock(&a->mutex);
	if (atomic_load(&seat->turn) != NO_TURN)
		drop_turn(a, seat);
	if (turn_is_free(a))
		take_turn(a, seat);
	else
		park(a, seat);
	pthread_mutex_unlock(&a->mutex);
	return atomic_load(&seat->turn) != NO_TURN;
}

void
acceptor_leave(struct acceptor *a, struct acceptor_seat *seat)
{
	pthread_mutex_lock(&a->mutex);
	if (atomic_load(&seat->turn) != NO_TURN)
		drop_turn(a, seat);
	LIST_REMOVE(seat, entry);
	pthread_mutex_unlock(&a->mutex);
	pthread_cond_destroy(&seat->called);
	free(seat);
}

/* ---- accepting -------------------------------------------------------- */

static int
accept_one(struct acceptor *a)
{
	static const struct timespec pause = { 0, PAUSE_NS };
	static _Atomic int64_t warned_ms;
	int fd;

	while (!atomic_load(&a->stopping)) {
		fd = accept4(a->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd != -1)
			return fd;
		/* Descriptors have run out, or nobody listens any more.
		 * (EAGAIN: the socket's owner gave it a timeout.) */
		if (errno != EINTR && errno != EAGAIN &&
		    errno != ECONNABORTED) {
			if (log_due(&warned_ms, WARN_EVERY_MS))
				log_error("accept: %s; who connects waits",
				    strerror(errno));
			a->exhausted(a->ctx);
			nanosleep(&pause, NULL);
		}
	}
	return -1;
}

int
acceptor_next(struct acceptor *a, struct acceptor_seat *seat, bool *alone)
{
	unsigned left;
	sigset_t stop;
	int fd;

	sigemptyset(&stop);
	sigaddset(&stop, STOP_SIGNAL);
	if (!come_to_wait(a, seat))
		return -1;
	pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
	fd = accept_one(a);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	left = atomic_fetch_sub(&a->waiting, 1) - 1;
	if (fd == -1)
		return -1;
	atomic_store(&seat->since_ms, clock_now_ms());
	atomic_store(&seat->turn, SERVING);
	*alone = left == 0 && !call_parked(a);
	return fd;
}

bool
acceptor_stop(struct acceptor *a)
{
	struct acceptor_seat *seat;

	atomic_store(&a->stopping, true);
	pthread_mutex_lock(&a->mutex);
	while ((seat = LIST_FIRST(&a->parked)) != NULL)
		unpark(seat);
	if (atomic_load(&a->waiting) > 0) {
		LIST_FOREACH (seat, &a->seats, entry)
			pthread_kill(seat->thread, STOP_SIGNAL);
	}
	pthread_mutex_unlock(&a->mutex);
	return atomic_load(&a->waiting) == 0;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the threads of a worker: who waits, who serves, how they stop.  The
 * "accept" step of a request's way.
 *
 * All signals are blocked in every thread but the one that waits for them: a
 * signal in the middle of libfcgi's blocking calls would lose a request or
 * truncate an answer (FACTS §5).
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "serve/request.h"
#include "serve/worker.h"
#include "wire/fcgi.h"

#define STACK_BYTES (256 * 1024)
#define THREADS_AT_START 2
/* A web server that neither sends nor takes a byte for so long has died. */
#define PEER_TIMEOUT_S 120
/* How often a full worker looks whether it still is. */
#define FULL_PAUSE_MS 10
/* Answers that were told to end get this long. */
#define ABORT_MS 1000

struct worker {
	struct server server;
	const struct config *config;
	int listen_fd;
	int wake[2];		/* readable: stop accepting */
	struct worker_board *board;
	unsigned index;
	unsigned reserve;	/* threads kept to say "overloaded" */

	pthread_mutex_t turn;	/* whose holder waits for a connection */
	pthread_mutex_t mutex;	/* of what follows */
	pthread_cond_t changed;
	unsigned nthreads, idle;
	unsigned stops;		/* SIGTERMs so far */
};

static void *thread_main(void *);

/* ---- threads ---------------------------------------------------------- */

/* Holding the mutex. */
static void
start_thread(struct worker *w)
{
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	rc = pthread_create(&thread, &attr, thread_main, w);
	pthread_attr_destroy(&attr);
	if (rc == 0) {
		w->nthreads++;
		w->idle++;
	} else
		log_warn("no further thread: %s", strerror(rc));
}

static void
become_busy(struct worker *w)
{
	atomic_fetch_add(&w->board->busy[w->index], 1);
	meters_busy(w->server.meters, 1);
	pthread_mutex_lock(&w->mutex);
	/* Somebody must be left to wait for the next one. */
	if (--w->idle == 0 && w->nthreads < w->config->threads)
		start_thread(w);
	pthread_mutex_unlock(&w->mutex);
}

static void
become_idle(struct worker *w)
{
	pthread_mutex_lock(&w->mutex);
	w->idle++;
	pthread_mutex_unlock(&w->mutex);
	meters_busy(w->server.meters, -1);
	atomic_fetch_sub(&w->board->busy[w->index], 1);
}

/* ---- accepting -------------------------------------------------------- */

static bool
is_full(const struct worker *w, unsigned index)
{
	return atomic_load(&w->board->busy[index]) + w->reserve >=
	    w->config->threads;
}

/* All of the pool is: then somebody has to say so. */
static bool
all_full(const struct worker *w)
{
	for (unsigned i = 0; i < w->config->processes; i++) {
		if (!is_full(w, i))
			return false;
	}
	return true;
}

static void
set_timeouts(int fd)
{
	struct timeval tv = { PEER_TIMEOUT_S, 0 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

/* The next connection, or -1: stop.  Holding the turn. */
static int
wait_for_connection(struct worker *w, bool *overloaded)
{
	struct pollfd fds[2] = { { .fd = w->wake[0], .events = POLLIN },
		{ .fd = w->listen_fd, .events = POLLIN } };
	int fd;

	for (;;) {
		bool full = w->reserve > 0 && is_full(w, w->index);
		bool leave = full && !all_full(w);

		if (poll(fds, leave ? 1 : 2, full ? FULL_PAUSE_MS : -1) == -1 &&
		    errno != EINTR)
			fatal("poll: %s", strerror(errno));
		if (fds[0].revents != 0)
			return -1;
		if (leave || fds[1].revents == 0)
			continue;
		fds[1].revents = 0;
		fd = accept4(w->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd != -1) {
			*overloaded = full;
			return fd;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS) {
			log_error("accept: %s", strerror(errno));
			poll(fds, 1, FULL_PAUSE_MS);
		} else if (errno == EINVAL || errno == EBADF)
			return -1;	/* the socket was shut down */
	}
}

static void
serve_connection(struct worker *w, struct fcgi *f, struct arena *arena,
    int fd, bool overloaded)
{
	struct io *io;

	set_timeouts(fd);
	io = fcgi_begin(f, fd);
	if (io == NULL) {
		log_debug("a connection that is no FastCGI request");
		return;
	}
	fcgi_end(f, request_serve(&w->server, io, arena, overloaded));
	arena_reset(arena);
}

static void *
thread_main(void *ctx)
{
	struct worker *w = ctx;
	struct fcgi *f = fcgi_new();
	struct arena *arena = arena_new();
	bool overloaded = false;
	int fd;

	for (;;) {
		pthread_mutex_lock(&w->turn);
		fd = wait_for_connection(w, &overloaded);
		if (fd != -1)
			become_busy(w);
		pthread_mutex_unlock(&w->turn);
		if (fd == -1)
			break;
		serve_connection(w, f, arena, fd, overloaded);
		become_idle(w);
	}
	arena_free(arena);
	fcgi_free(f);
	pthread_mutex_lock(&w->mutex);
	w->nthreads--;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->mutex);
	return NULL;
}

/* ---- signals and the end ---------------------------------------------- */

static void *
signals_main(void *ctx)
{
	struct worker *w = ctx;
	sigset_t set;
	int sig;

	sigfillset(&set);
	while (sigwait(&set, &sig) == 0) {
		if (sig == SIGUSR1 && log_get_level() < LOG_LEVEL_DEBUG)
			log_set_level(log_get_level() + 1);
		else if (sig == SIGUSR2 && log_get_level() > LOG_LEVEL_ERROR)
			log_set_level(log_get_level() - 1);
		else if (sig == SIGTERM || sig == SIGINT) {
			pthread_mutex_lock(&w->mutex);
			if (w->stops++ > 0)
				_exit(0);
			pthread_cond_signal(&w->changed);
			pthread_mutex_unlock(&w->mutex);
		}
	}
	return NULL;
}

/* Waits until all threads have ended or ms have passed. */
static bool
wait_for_threads(struct worker *w, int64_t ms)
{
	int64_t until_ms = clock_now_ms() + ms, left_ms;
	bool ended;

	pthread_mutex_lock(&w->mutex);
	while (w->nthreads > 0 && (left_ms = until_ms - clock_now_ms()) > 0) {
		struct timespec at;

		clock_gettime(CLOCK_REALTIME, &at);
		left_ms = left_ms > 1000 ? 1000 : left_ms;
		at.tv_nsec += left_ms * 1000000;
		at.tv_sec += at.tv_nsec / 1000000000;
		at.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&w->changed, &w->mutex, &at);
	}
	ended = w->nthreads == 0;
	pthread_mutex_unlock(&w->mutex);
	return ended;
}

static void
drain(struct worker *w)
{
	if (write(w->wake[1], "", 1) != 1)
		fatal("wake pipe: %s", strerror(errno));
	/* Who connects now is refused at once, unless the socket's owner
	 * (lighttpd, systemd) keeps it open for the next pool. */
	close(w->listen_fd);
	if (wait_for_threads(w, w->config->drain_ms))
		return;
	log_warn("`drain` is over: ending what is still running");
	atomic_store(&w->server.aborting, true);
	wait_for_threads(w, ABORT_MS);
}

static void
wait_for_stop(struct worker *w)
{
	pthread_mutex_lock(&w->mutex);
	while (w->stops == 0)
		pthread_cond_wait(&w->changed, &w->mutex);
	pthread_mutex_unlock(&w->mutex);
}

static unsigned
reserve_of(unsigned threads)
{
	return threads < 4 ? 0 : threads < 256 ? 1 + threads / 64 : 4;
}

int
worker_run(const struct config *config, int listen_fd, int ready_fd,
    struct worker_board *board, unsigned index)
{
	struct worker *w = calloc(1, sizeof(*w));
	pthread_t signals;
	char why[512];

	if (w == NULL)
		fatal("out of memory");
	w->config = config;
	w->listen_fd = listen_fd;
	w->board = board;
	w->index = index;
	w->reserve = reserve_of(config->threads);
	pthread_mutex_init(&w->turn, NULL);
	pthread_mutex_init(&w->mutex, NULL);
	pthread_cond_init(&w->changed, NULL);
	if (server_open(&w->server, config, why, sizeof(why)) == -1) {
		log_error("%s", why);
		return 1;
	}
	if (pipe(w->wake) == -1 ||
	    pthread_create(&signals, NULL, signals_main, w) != 0)
		fatal("can't start: %s", strerror(errno));
	pthread_mutex_lock(&w->mutex);
	for (unsigned i = 0; i < THREADS_AT_START && i < config->threads; i++)
		start_thread(w);
	pthread_mutex_unlock(&w->mutex);
	if (write(ready_fd, "", 1) != 1)
		return 1;	/* the parent has gone */
	close(ready_fd);
	wait_for_stop(w);
	drain(w);
	/* Threads that did not end in time may still use all of it. */
	if (wait_for_threads(w, 0)) {
		server_close(&w->server);
		pthread_cancel(signals);
		pthread_join(signals, NULL);
		close(w->wake[0]);
		close(w->wake[1]);
		free(w);
		return 0;
	}
	_exit(0);
}

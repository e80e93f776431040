/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the threads of a worker: when they start, what they do, how they stop.
 *
 * All signals are blocked in every thread but the one that waits for them: a
 * signal in the middle of libfcgi's blocking calls would lose a request or
 * truncate an answer (FACTS §5).
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "serve/acceptor.h"
#include "serve/request.h"
#include "serve/worker.h"
#include "wire/fcgi.h"

#define STACK_BYTES (256 * 1024)
#define THREADS_AT_START 2
/* Between two calls to threads that wait for a connection. */
#define STOP_PAUSE_NS 2000000
/* Answers that were told to end get this long: they look once a second. */
#define ABORT_MS 2500
/* And the ledger this, whatever its disk does. */
#define FLUSH_MS 1000
/* Before it is tried again to start a thread. */
#define RETRY_MS 100
#define WARN_EVERY_MS 60000
/* Of descriptors: for the process itself, and for a request (its client, its
 * provider, a name or a connection in the making, a place in a queue). */
#define FILES_BASE 64
#define FILES_PER_THREAD 6

struct worker {
	struct server server;
	const struct config *config;
	struct acceptor *acceptor;
	unsigned threads; /* that may serve at the same time */
	int listen_fd;

	pthread_mutex_t mutex; /* of what follows */
	pthread_cond_t changed;
	unsigned nthreads;
	unsigned leaving; /* of them, who will not take another request */
	bool wanted; /* a thread, but there were as many as there may be */
	bool retry; /* one could not be started */
	unsigned stops; /* SIGTERMs so far */
};

static void *thread_main(void *);

/* ---- threads ---------------------------------------------------------- */

/* Holding the mutex. */
static void
no_thread(struct worker *w, int error)
{
	static _Atomic int64_t warned_ms;

	acceptor_unexpect(w->acceptor);
	if (log_due(&warned_ms, WARN_EVERY_MS))
		log_warn("no further thread than %u: %s; requests that find "
			 "none are refused",
		    w->nthreads, strerror(error));
	w->retry = true;
	pthread_cond_signal(&w->changed);
}

static void
start_thread(struct worker *w)
{
	pthread_attr_t attr;
	pthread_t thread;
	int rc = EAGAIN;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_mutex_lock(&w->mutex);
	if (w->nthreads - w->leaving >= w->config->threads)
		w->wanted = true;
	else {
		acceptor_expect(w->acceptor);
		rc = pthread_create(&thread, &attr, thread_main, w);
		if (rc == 0)
			w->nthreads++;
		else
			no_thread(w, rc);
	}
	/* The last one that there can be only refuses: it would begin what
	 * takes long, and nobody would take the next. */
	share_capacity(w->server.share,
	    w->retry ? w->nthreads - w->leaving - 1 : w->threads);
	pthread_mutex_unlock(&w->mutex);
	pthread_attr_destroy(&attr);
}

/* ---- serving ---------------------------------------------------------- */

static void
serve_connection(struct worker *w, struct fcgi *f, struct arena *arena, int fd)
{
	struct request *request;
	struct io *io;

	io = fcgi_begin(f, fd);
	if (io == NULL) {
		log_debug("a connection that is no FastCGI request");
		return;
	}
	request = request_serve(&w->server, io, arena);
	fcgi_end(f, request->answer.cut);
	request_settle(request);
	arena_reset(arena);
}

/* A thread that was parked for long ends, unless it is needed just now. */
static bool
may_leave(struct worker *w)
{
	bool wanted;

	pthread_mutex_lock(&w->mutex);
	wanted = w->wanted && w->stops == 0;
	w->wanted = false;
	w->leaving += !wanted;
	pthread_mutex_unlock(&w->mutex);
	return !wanted;
}

static void
serve_all(struct worker *w, struct acceptor_seat *seat, struct fcgi *f,
    struct arena *arena)
{
	bool alone;
	int fd;

	while ((fd = acceptor_next(w->acceptor, seat, &alone)) != -1) {
		share_busy(w->server.share, 1);
		if (alone)
			start_thread(w);
		meters_busy(w->server.meters, 1);
		serve_connection(w, f, arena, fd);
		meters_busy(w->server.meters, -1);
		share_busy(w->server.share, -1);
	}
}

static void *
thread_main(void *ctx)
{
	struct worker *w = ctx;
	struct acceptor_seat *seat = acceptor_join(w->acceptor);
	struct fcgi *f = fcgi_new();
	struct arena *arena = arena_new();

	do
		serve_all(w, seat, f, arena);
	while (!may_leave(w));
	acceptor_leave(w->acceptor, seat);
	arena_free(arena);
	fcgi_free(f);
	pthread_mutex_lock(&w->mutex);
	w->nthreads--;
	w->leaving--;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->mutex);
	return NULL;
}

/* Kept connections are worth less than the next client. */
static void
give_back_connections(void *ctx)
{
	struct worker *w = ctx;

	upstream_pool_trim(w->server.upstreams);
}

/* Threads that there are descriptors for: what comes in spite of that would
 * run into errors in the middle of its work. */
static unsigned
threads_of(const struct config *config)
{
	unsigned threads = config->threads;
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == -1 ||
	    files.rlim_cur == RLIM_INFINITY ||
	    files.rlim_cur >= FILES_BASE + (rlim_t)threads * FILES_PER_THREAD)
		return threads;
	threads = files.rlim_cur < FILES_BASE + FILES_PER_THREAD
	    ? 1
	    : (unsigned)((files.rlim_cur - FILES_BASE) / FILES_PER_THREAD);
	log_warn("%llu descriptors are enough for %u threads, not for %u; "
		 "raise the limit (LimitNOFILE=, ulimit -n)",
	    (unsigned long long)files.rlim_cur, threads, config->threads);
	return threads;
}

/* ---- signals and the end ---------------------------------------------- */

/* Whatever still runs: its threads may hold any lock, so nothing is closed or
 * freed.  The kernel gives back slots, rows and connections; the ledger is all
 * that has to be done. */
static _Noreturn void
end_now(struct worker *w)
{
	ledger_flush(w->server.ledger, clock_now_ms() + FLUSH_MS);
	ledger_give_up(w->server.ledger);
	_exit(0);
}

static void
stop_once_more(struct worker *w)
{
	bool again;

	pthread_mutex_lock(&w->mutex);
	again = w->stops++ > 0;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->mutex);
	if (again)
		end_now(w);
}

static void *
signals_main(void *ctx)
{
	struct worker *w = ctx;
	sigset_t set;
	int sig = 0, rc;

	sigfillset(&set);
	do {
		/* Nowhere else, where it might hold a lock. */
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
		rc = sigwait(&set, &sig);
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
		if (sig == SIGUSR1 && log_get_level() < LOG_LEVEL_DEBUG)
			log_set_level(log_get_level() + 1);
		else if (sig == SIGUSR2 && log_get_level() > LOG_LEVEL_ERROR)
			log_set_level(log_get_level() - 1);
		else if (sig == SIGTERM || sig == SIGINT)
			stop_once_more(w);
	} while (rc == 0);
	return NULL;
}

/* Waits until all threads have ended or ms have passed. */
static bool
wait_for_threads(struct worker *w, int64_t ms)
{
	int64_t until_ms = clock_now_ms() + ms;
	bool ended;

	pthread_mutex_lock(&w->mutex);
	while (w->nthreads > 0 && clock_now_ms() < until_ms)
		cond_wait_until(&w->changed, &w->mutex, until_ms);
	ended = w->nthreads == 0;
	pthread_mutex_unlock(&w->mutex);
	return ended;
}

static void
drain(struct worker *w)
{
	static const struct timespec pause = { 0, STOP_PAUSE_NS };

	while (!acceptor_stop(w->acceptor))
		nanosleep(&pause, NULL);
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
	while (w->stops == 0) {
		if (!w->retry) {
			pthread_cond_wait(&w->changed, &w->mutex);
			continue;
		}
		cond_wait_until(
		    &w->changed, &w->mutex, clock_now_ms() + RETRY_MS);
		w->retry = false;
		pthread_mutex_unlock(&w->mutex);
		start_thread(w);
		pthread_mutex_lock(&w->mutex);
	}
	pthread_mutex_unlock(&w->mutex);
}

int
worker_run(const struct config *config, int listen_fd, int parent_fd, int desk,
    struct share_board *board, unsigned index)
{
	struct worker *w = calloc(1, sizeof(*w));
	pthread_t signals;
	char why[512];

	if (w == NULL)
		fatal("out of memory");
	w->config = config;
	pthread_mutex_init(&w->mutex, NULL);
	cond_init(&w->changed);
	if (server_open(&w->server, config, SANDBOX_WORKER, desk, why,
		sizeof(why)) == -1) {
		log_error("%s", why);
		return 1;
	}
	if (index == 0) {
		sandbox_text(w->server.sandbox, why, sizeof(why));
		log_info("sandbox of a worker: %s", why);
	}
	ledger_write_behind(
	    w->server.ledger, meters_unwritten, w->server.meters);
	w->server.share = share_new(board, index);
	w->server.parent_fd = parent_fd;
	w->threads = threads_of(config);
	share_capacity(w->server.share, w->threads);
	w->listen_fd = listen_fd;
	w->acceptor = acceptor_new(config, listen_fd, give_back_connections, w);
	if (pthread_create(&signals, NULL, signals_main, w) != 0)
		fatal("can't start: %s", strerror(errno));
	for (unsigned i = 0; i < THREADS_AT_START; i++)
		start_thread(w);
	if (write(parent_fd, SERVER_READY, 1) != 1)
		return 1; /* the parent has gone */
	wait_for_stop(w);
	drain(w);
	/* Threads that did not end in time may still use all of it. */
	if (wait_for_threads(w, 0)) {
		pthread_cancel(signals);
		pthread_join(signals, NULL);
		share_free(w->server.share);
		server_close(&w->server);
		acceptor_free(w->acceptor);
		free(w);
		return 0;
	}
	end_now(w);
}

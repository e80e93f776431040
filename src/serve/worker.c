/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides a worker's life: it opens everything, accepts connections, gives each a
 * task (base/task.h) that serves it, and ends at a signal.
 *
 * Everything that waits is a task of the one loop.  Signals are handled between
 * tasks, so none interrupts a request.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/task.h"
#include "serve/request.h"
#include "serve/worker.h"
#include "wire/fcgi.h"

/* How many connections are accepted before earlier requests go on.  Under
 * little load there is rarely a second one, and asking costs a call.  In a
 * burst they should wait here rather than in the socket: lighttpd (1.4.69)
 * drops some of its requests when that is full. */
#define ACCEPTS_MAX 64
#define BUSY_REQUESTS 4
/* Before accept is tried again when descriptors have run out. */
#define PAUSE_MS 10
#define WARN_EVERY_MS 60000
/* Responses that must end get this long: they check once a second. */
#define ABORT_MS 2500
/* And the ledger this long, whatever its disk does. */
#define FLUSH_MS 1000
#define LOG_END_MS 1000
/* Of descriptors: for the process itself, and for a request (its client, its
 * provider, a place in a queue; a name or a handshake takes more, for a
 * moment). */
#define FILES_BASE 128
#define FILES_PER_REQUEST 3
/* What a waiting request takes, without its body. */
#define MEMORY_PER_REQUEST ((size_t)32 * 1024)
/* Seats that are kept for the next requests. */
#define SEATS_MAX 64

/* What a request needs while it is served. */
struct seat {
	struct worker *worker;
	struct fcgi *fcgi;
	struct arena *arena;
	int fd;
	SLIST_ENTRY(seat) entry;
};

SLIST_HEAD(seats, seat);

struct worker {
	struct server server;
	const struct config *config;
	int listen_fd;
	struct task *task; /* accepts, and then waits for the last request */
	unsigned capacity; /* requests at the same time */
	unsigned nrequests;
	struct seats seats; /* free ones */
	unsigned nseats;
	unsigned stops; /* SIGTERMs so far */
};

static struct worker *worker; /* for signals */

/* ---- serving ---------------------------------------------------------- */

static struct seat *
take_seat(struct worker *w)
{
	struct seat *seat = SLIST_FIRST(&w->seats);

	if (seat != NULL) {
		SLIST_REMOVE_HEAD(&w->seats, entry);
		w->nseats--;
		return seat;
	}
	seat = memory_zero(sizeof(*seat));
	seat->worker = w;
	seat->fcgi = fcgi_new();
	seat->arena = arena_new();
	return seat;
}

static void
free_seat(struct seat *seat)
{
	arena_free(seat->arena);
	fcgi_free(seat->fcgi);
	free(seat);
}

static void
leave_seat(struct seat *seat)
{
	struct worker *w = seat->worker;

	if (w->nseats >= SEATS_MAX) {
		free_seat(seat);
		return;
	}
	SLIST_INSERT_HEAD(&w->seats, seat, entry);
	w->nseats++;
}

static void
serve_connection(struct seat *seat)
{
	struct request *request;
	struct io *io;

	io = fcgi_begin(seat->fcgi, seat->fd);
	if (io == NULL) {
		log_debug("a connection that does not speak FastCGI");
		return;
	}
	request = request_serve(&seat->worker->server, io, seat->arena);
	fcgi_end(seat->fcgi, request->response.cut);
	request_settle(request);
	arena_reset(seat->arena);
}

static void
serve_seat(void *ctx)
{
	struct seat *seat = ctx;
	struct worker *w = seat->worker;

	serve_connection(seat);
	leave_seat(seat);
	meters_busy(w->server.meters, -1);
	meters_turn(w->server.meters, task_longest_ns());
	share_busy(w->server.share, -1);
	w->nrequests--;
	if (w->nrequests == 0 || w->nrequests + 1 == w->capacity)
		task_wake(w->task);
}

/* ---- accepting -------------------------------------------------------- */

/* No descriptor, or no memory: new connections wait. */
static void
pause_accepting(struct worker *w, const char *why)
{
	static _Atomic int64_t warned_ms;

	if (log_due(&warned_ms, WARN_EVERY_MS))
		log_error("accept: %s; new connections wait", why);
	/* Idle connections matter less than the next client. */
	upstream_pool_trim(w->server.upstreams);
	task_sleep(PAUSE_MS);
}

static void
start_request(struct worker *w, int fd)
{
	struct seat *seat = take_seat(w);

	seat->fd = fd;
	/* Other tasks end meanwhile, and free their stacks. */
	while (task_start(serve_seat, seat) == -1)
		pause_accepting(w, strerror(errno));
	w->nrequests++;
	share_busy(w->server.share, 1);
	meters_busy(w->server.meters, 1);
}

/* Accepts those that have come. */
static void
accept_some(struct worker *w)
{
	int most = w->nrequests < BUSY_REQUESTS ? 1 : ACCEPTS_MAX, fd;

	for (int i = 0; i < most && w->nrequests < w->capacity; i++) {
		fd = accept4(
		    w->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd != -1)
			start_request(w, fd);
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		else if (errno != EINTR && errno != ECONNABORTED) {
			pause_accepting(w, strerror(errno));
			return;
		}
	}
}

static void
accept_until_stopped(struct worker *w)
{
	struct pollfd p = { .events = POLLIN };
	int settle_ms = MEMORY_SETTLE_MS, n;

	while (w->stops == 0) {
		p.fd = w->nrequests < w->capacity ? w->listen_fd : -1;
		if ((n = task_poll_again(&p, 1, settle_ms)) == 1)
			accept_some(w);
		else if (n == 0) {
			memory_give_back();
			settle_ms = -1;
		}
	}
	task_forget(w->listen_fd);
}

/* ---- signals and the end ---------------------------------------------- */

/* Ends although requests may still run: nothing is closed or freed.  The
 * kernel gives back slots, rows and connections; only the ledger must be
 * finished. */
static _Noreturn void
end_now(struct worker *w)
{
	ledger_flush(w->server.ledger, clock_now_ms() + FLUSH_MS);
	ledger_give_up(w->server.ledger);
	if (ledger_lost(w->server.ledger) > 0)
		log_error("the worker ends; %" PRIu64
			  " requests of it are not in the ledger, which counts "
			  "them in its next line",
		    ledger_lost(w->server.ledger));
	log_end(LOG_END_MS);
	_exit(0);
}

static void
on_signal(int sig)
{
	struct worker *w = worker;

	if (sig == SIGUSR1 && log_get_level() < LOG_LEVEL_DEBUG)
		log_set_level(log_get_level() + 1);
	else if (sig == SIGUSR2 && log_get_level() > LOG_LEVEL_ERROR)
		log_set_level(log_get_level() - 1);
	else if (sig == SIGTERM || sig == SIGINT) {
		if (w->stops++ > 0)
			end_now(w);
		task_wake(w->task);
	}
}

/* Until all requests have ended or ms have passed. */
static bool
wait_for_requests(struct worker *w, int64_t ms)
{
	int64_t until_ms = clock_now_ms() + ms, now_ms;

	while (w->nrequests > 0 && (now_ms = clock_now_ms()) < until_ms)
		task_sleep(until_ms - now_ms > WATCH_FOREVER
			? WATCH_FOREVER
			: (int)(until_ms - now_ms));
	return w->nrequests == 0;
}

static void
worker_main(void *ctx)
{
	struct worker *w = ctx;

	w->task = task_self();
	if (w->server.store != NULL)
		store_start(w->server.store);
	purse_start(w->server.purse);
	leases_start(w->server.leases);
	accept_until_stopped(w);
	/* A client that connects now is refused at once, unless the socket's
	 * owner (lighttpd, systemd) keeps it open for the next pool. */
	close(w->listen_fd);
	if (!wait_for_requests(w, w->config->drain_ms)) {
		log_warn("`drain` is over: ending what is still running");
		atomic_store(&w->server.aborting, true);
		if (!wait_for_requests(w, ABORT_MS))
			end_now(w);
	}
	purse_end(w->server.purse);
	leases_end(w->server.leases);
	circuits_end(w->server.circuits);
	store_end(w->server.store);
}

/* ---- the beginning ---------------------------------------------------- */

/* A warning only if somebody has asked for more. */
static void
say_capacity(const struct config *config, rlim_t files, unsigned capacity)
{
	char text[256];

	snprintf(text, sizeof(text),
	    "descriptors (%llu) and memory (%zu MiB) are enough for %u "
	    "requests in a process, not for %u; raise the limit "
	    "(LimitNOFILE=, ulimit -n) or `memory`, or lower `requests`",
	    (unsigned long long)files, memory_budget() >> 20, capacity,
	    config->requests);
	if (config->requests_given)
		log_warn("%s", text);
	else
		log_info("%s", text);
}

/* How many requests there are descriptors for: more than that would fail in
 * the middle of their work.  The first worker says so. */
static unsigned
capacity_of(const struct config *config, unsigned index)
{
	rlim_t capacity = config->requests;
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 &&
	    files.rlim_cur != RLIM_INFINITY &&
	    files.rlim_cur < FILES_BASE + capacity * FILES_PER_REQUEST)
		capacity = files.rlim_cur < FILES_BASE + FILES_PER_REQUEST
		    ? 1
		    : (files.rlim_cur - FILES_BASE) / FILES_PER_REQUEST;
	if (memory_budget() / MEMORY_PER_REQUEST < capacity)
		capacity = memory_budget() / MEMORY_PER_REQUEST + 1;
	if (capacity < config->requests && index == 0)
		say_capacity(config, files.rlim_cur, (unsigned)capacity);
	return (unsigned)capacity;
}

static void
catch_signals(void)
{
	static const int signals[] = { SIGUSR1, SIGUSR2, SIGTERM, SIGINT };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		task_on_signal(signals[i], on_signal);
}

static bool
open_worker(struct worker *w, const struct worker_ends *ends,
    struct share_board *board, unsigned index)
{
	char why[512];

	if (server_open(&w->server, w->config, SANDBOX_WORKER, ends->ledger,
		why, sizeof(why)) == -1) {
		log_error("%s", why);
		return false;
	}
	w->server.waker = ends->waker;
	if (!log_write_behind(meters_unlogged, w->server.meters))
		log_info("no thread for the log: its file is waited for");
	if (index == 0) {
		sandbox_text(w->server.sandbox, why, sizeof(why));
		log_info("sandbox of a worker: %s", why);
	}
	ledger_write_behind(
	    w->server.ledger, meters_unwritten, w->server.meters);
	w->server.share = share_new(board, index);
	w->server.parent_fd = ends->parent_fd;
	w->capacity = capacity_of(w->config, index);
	share_capacity(w->server.share, w->capacity);
	meters_capacity(w->server.meters, w->capacity);
	return true;
}

int
worker_run(const struct config *config, const struct worker_ends *ends,
    struct share_board *board, unsigned index)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (w == NULL)
		fatal("out of memory");
	worker = w;
	w->config = config;
	w->listen_fd = ends->listen_fd;
	SLIST_INIT(&w->seats);
	task_open();
	if (!open_worker(w, ends, board, index))
		return 1;
	if (task_start(worker_main, w) == -1)
		fatal("can't start: %s", strerror(errno));
	if (write(ends->parent_fd, SERVER_READY, 1) != 1)
		return 1; /* the parent has gone */
	catch_signals();
	task_loop();
	while (!SLIST_EMPTY(&w->seats)) {
		struct seat *seat = SLIST_FIRST(&w->seats);

		SLIST_REMOVE_HEAD(&w->seats, entry);
		free_seat(seat);
	}
	share_free(w->server.share);
	if (memory_taken() != 0)
		log_error("the worker ends; %zu bytes are still charged after "
			  "its last request: please report this",
		    memory_taken());
	log_end(LOG_END_MS);
	server_close(&w->server);
	task_close();
	free(w);
	return 0;
}

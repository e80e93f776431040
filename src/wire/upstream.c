/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides one exchange with a provider, from the borrowed connection to the
 * report: the request goes out, the response comes in (http1.h), and the client
 * is watched meanwhile.  The "send" and "relay" steps of a request's way.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/scratch.h"
#include "base/task.h"
#include "wire/incoming.h"
#include "wire/outgoing.h"
#include "wire/upstream.h"
#include "wire/upstream_handle.h"

/* The most reads before the bytes are passed on. */
#define RECVS_MAX 2
#define STALE_MS 1000
/* A response that comes sooner needs no check of the client. */
#define FIRST_TICK_MS 10

struct exchange {
	const struct upstream_request *request;
	const struct watch *watch;
	const struct upstream_sink *sink;
	struct arena *arena;
	struct upstream_report *report;
	struct upstream_pool *pool;
	struct handle *handle;

	struct outgoing up;
	struct incoming in;

	int64_t start_ns;
	int64_t moved_ms; /* when a byte last went up or came */
	int64_t tick_ms; /* when the watch is due */
	bool watching; /* the watch's fd is worth polling */
	bool ticked; /* a response that comes sooner needs no check of it */
	bool readable; /* the connection has, or may have, bytes for us */
	bool unsent; /* not all of the request was taken */
	bool lost; /* the kernel found that the way leads nowhere */
	enum upstream_result stopped; /* why we ended it; OK: we did not */
};

/* ---- the response ------------------------------------------------------- */

static void
fail(struct exchange *x, enum upstream_result result, const char *detail)
{
	incoming_fail(&x->in, result, detail);
}

static void
push(struct exchange *x, struct span bytes)
{
	bool first = !x->in.body_seen;
	int64_t now_ns = first ? clock_now_ns() : 0;

	incoming_push(&x->in, bytes);
	if (first && x->in.body_seen)
		x->report->first_byte_ns = now_ns - x->start_ns;
	if (x->in.stopped)
		x->stopped = UPSTREAM_STOPPED;
	/* Last: a slow client's time does not count as the upstream's. */
	if (x->in.body_seen)
		x->moved_ms = clock_now_ms();
}

static bool
receive_to(struct exchange *x, char *buf)
{
	ssize_t n = 0;

	for (int i = 0; i < RECVS_MAX && !x->in.over; i++) {
		n = handle_recv(x->handle, buf, SCRATCH_BYTES);
		if (n == -1 && errno == EINTR)
			x->tick_ms = 0; /* a signal is for the watch */
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return false;
		if (n <= 0) {
			x->lost |= n == -1 && errno == ETIMEDOUT;
			incoming_end(&x->in, n == 0 && !x->unsent);
			return false;
		}
		push(x, (struct span){ buf, (size_t)n });
		if (x->stopped != UPSTREAM_OK)
			return false;
		/* Under TLS more may be available than the socket shows. */
		if ((size_t)n < SCRATCH_BYTES && !x->handle->tls)
			return false;
	}
	return !x->in.over;
}

/* Reads what is available; true: there may be more. */
static bool
receive(struct exchange *x)
{
	char *buf = scratch_take();
	bool more = receive_to(x, buf);

	scratch_give(buf);
	return more;
}

/* ---- the request ------------------------------------------------------ */

static bool
all_sent(const struct exchange *x)
{
	return outgoing_sent(&x->up);
}

/* Sends as much as the connection accepts.  If it never accepts more, there
 * may still be a response that says why. */
static void
send_some(struct exchange *x)
{
	ssize_t n;

	while (!all_sent(x)) {
		n = handle_send(
		    x->handle, x->up.out + x->up.at, x->up.n - x->up.at);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			x->lost |= n == -1 && errno == ETIMEDOUT;
			outgoing_drop(&x->up);
			x->unsent = true;
			return;
		}
		x->report->sent = true;
		x->report->bytes_out += outgoing_count(&x->up, (size_t)n);
		x->moved_ms = clock_now_ms();
	}
}

/* ---- the loop --------------------------------------------------------- */

/* When the present phase has lasted too long, and the result then. */
static int64_t
deadline_ms(const struct exchange *x, enum upstream_result *which)
{
	const struct timeouts *t = &x->request->timeouts;
	int64_t start_ms = x->start_ns / 1000000;
	int64_t at = start_ms + t->total_ms, phase;

	*which = UPSTREAM_TIMEOUT_TOTAL;
	if (!x->report->connected)
		phase = x->moved_ms + t->connect_ms; /* for the second try */
	else
		phase = x->moved_ms +
		    (x->in.body_seen ? t->idle_ms : t->first_byte_ms);
	if (phase < at) {
		at = phase;
		*which = !x->report->connected ? UPSTREAM_TIMEOUT_CONNECT
		    : x->in.body_seen          ? UPSTREAM_TIMEOUT_IDLE
					       : UPSTREAM_TIMEOUT_FIRST_BYTE;
	}
	return at;
}

static void
tick(struct exchange *x, int64_t now_ms)
{
	int next_ms = x->watch->tick(x->watch->ctx);

	x->ticked = true;
	if (next_ms == WATCH_GONE)
		x->stopped = UPSTREAM_CLIENT_GONE;
	else
		x->tick_ms = now_ms + next_ms;
}

/* How long nothing needs to be done, in ms. */
static int
patience_ms(struct exchange *x)
{
	enum upstream_result which;
	int64_t now_ms = clock_now_ms(), until = deadline_ms(x, &which);

	if (until <= now_ms) {
		x->stopped = which;
		return 0;
	}
	if (x->tick_ms < until)
		until = x->tick_ms;
	return until <= now_ms ? 0 : (int)(until - now_ms);
}

static enum watch_out
out_of(const struct exchange *x)
{
	return x->watch->out == NULL ? WATCH_OUT_NONE
				     : x->watch->out(x->watch->ctx);
}

static void
tick_for_client(struct exchange *x)
{
	tick(x, clock_now_ms());
	/* Still there, although readable: polling it again would spin. */
	x->watching = false;
}

static void
tick_if_due(struct exchange *x)
{
	int64_t now_ms = clock_now_ms();

	if (x->tick_ms <= now_ms && x->stopped == UPSTREAM_OK) {
		tick(x, now_ms);
		handle_look(x->handle);
	}
}

/* Blocks until something is to be done.  (A signal, where there are any (CGI),
 * is for the watch.) */
static void
wait_for(struct exchange *x)
{
	enum watch_out out = out_of(x);
	short events =
	    (short)((x->watching && x->ticked ? x->watch->events : 0) |
		(out != WATCH_OUT_NONE ? POLLOUT : 0));
	struct pollfd fds[2] = {
		{ .fd = out == WATCH_OUT_FULL ? -1 : x->handle->fd,
		    .events = all_sent(x) ? POLLIN : POLLIN | POLLOUT },
		{ .fd = events != 0 ? x->watch->fd : -1, .events = events }
	};
	int timeout_ms, n;

	/* While we don't read, the provider can't be late. */
	if (out == WATCH_OUT_FULL)
		x->moved_ms = clock_now_ms();
	timeout_ms = patience_ms(x);
	if (x->stopped != UPSTREAM_OK || timeout_ms == 0)
		return;
	n = task_poll_again(fds, 2, timeout_ms);
	if (out != WATCH_OUT_FULL)
		x->readable = n > 0 && (fds[0].revents & ~POLLOUT) != 0;
	if (n > 0 && fds[1].revents == POLLOUT)
		tick(x, clock_now_ms());
	else if (n == -1 || fds[1].revents != 0)
		tick_for_client(x);
}

/* Sends, reads and passes on what is possible now.  False: it is over. */
static bool
advance(struct exchange *x)
{
	bool more = false;

	if (!all_sent(x))
		send_some(x);
	if (x->readable)
		more = receive(x);
	x->readable = more;
	if (x->in.over || x->stopped != UPSTREAM_OK)
		return false;
	if (x->in.dirty && x->sink->pause(x->sink->ctx) == -1)
		x->stopped = UPSTREAM_STOPPED;
	x->in.dirty = false;
	tick_if_due(x);
	return x->stopped == UPSTREAM_OK;
}

/* ---- the exchange ----------------------------------------------------- */

static void
begin(struct exchange *x)
{
	incoming_free(&x->in);
	incoming_init(&x->in, x->sink, x->arena);
	x->unsent = x->lost = x->readable = false;
	x->moved_ms = clock_now_ms();
	outgoing_rewind(&x->up);
}

static void
run(struct exchange *x)
{
	begin(x);
	send_some(x);
	while (advance(x)) {
		if (!x->readable || out_of(x) == WATCH_OUT_FULL)
			wait_for(x);
		else {
			/* More is at hand than one's share, perhaps always. */
			patience_ms(x);
			task_yield();
		}
		if (x->stopped != UPSTREAM_OK)
			break;
	}
}

/* A connection of its own; false: over or stopped. */
static bool
connect_anew(struct exchange *x)
{
	enum upstream_result why = UPSTREAM_CONNECT;
	struct handle *h = x->handle;
	int rc, timeout_ms;

	if (!handle_connect(x->pool, h)) {
		fail(x, UPSTREAM_EXHAUSTED,
		    "no connector: out of memory or descriptors");
		return false;
	}
	while ((rc = handle_connecting(x->pool, h, &why)) == 0) {
		tick_if_due(x);
		timeout_ms = patience_ms(x);
		if (x->stopped != UPSTREAM_OK)
			return false;
		if (connector_wait(h->connector,
			x->watching ? x->watch->fd : -1, timeout_ms))
			tick_for_client(x);
		if (x->stopped != UPSTREAM_OK)
			return false;
	}
	if (rc == -1) {
		fail(x, why,
		    arena_strdup(x->arena, connector_error(h->connector)));
		return false;
	}
	x->report->connect_ns = clock_now_ns() - x->start_ns;
	return true;
}

/* Once more, with the descriptors of the connections that are kept. */
static bool
connect_in_need(struct exchange *x)
{
	if (x->stopped != UPSTREAM_OK || x->in.ended != UPSTREAM_EXHAUSTED)
		return false;
	upstream_pool_trim(x->pool);
	handle_disconnect(x->handle, false);
	x->in.over = false;
	return connect_anew(x);
}

/* A kept connection was closed before a byte of a response came.  If it had
 * been closed already, that shows at once; if it leads nowhere any more,
 * nothing is acknowledged.  Other requests may have been processed. */
static bool
died_unused(const struct exchange *x)
{
	return x->in.over && x->in.ended == UPSTREAM_CUT && x->report->reused &&
	    x->in.http.bytes == 0 &&
	    (clock_now_ms() - x->moved_ms < STALE_MS ||
		handle_unheard(x->handle));
}

/* The provider may be at work, and bill it: as if its response had not come in
 * time. */
static void
judge_lost(struct exchange *x)
{
	if (x->lost && x->in.over && x->in.ended == UPSTREAM_CUT)
		fail(x,
		    x->in.body_seen ? UPSTREAM_TIMEOUT_IDLE
				    : UPSTREAM_TIMEOUT_FIRST_BYTE,
		    "the connection was lost");
}

static void
exchange(struct exchange *x)
{
	x->report->reused = handle_alive(x->handle);
	if (x->report->reused) {
		x->report->connected = true;
		run(x);
		if (!died_unused(x)) {
			judge_lost(x);
			return;
		}
		if (x->lost)
			log_info("%s: a kept connection led nowhere; the "
				 "request is sent on a new one",
			    x->request->provider->name);
		x->report->connected = x->report->reused = false;
		x->in.over = false;
		x->moved_ms = clock_now_ms();
	}
	handle_disconnect(x->handle, false);
	if (!connect_anew(x) && !connect_in_need(x))
		return;
	x->report->connected = true;
	run(x);
	judge_lost(x);
}

static void
finish(struct exchange *x)
{
	struct upstream_report *report = x->report;
	struct handle *h = x->handle;

	report->result = x->stopped != UPSTREAM_OK ? x->stopped : x->in.ended;
	report->bytes_in = x->in.bytes;
	report->detail = x->stopped == UPSTREAM_OK && x->in.detail != NULL
	    ? x->in.detail
	    : upstream_result_name(report->result);
	/* What we end ourselves is reset. */
	if (report->result != UPSTREAM_OK || !x->in.http.keeps || x->unsent ||
	    !all_sent(x))
		/* Another gateway can find a closing connection in its
		 * kernel's table, but not one that has vanished. */
		handle_disconnect(h,
		    x->stopped != UPSTREAM_OK &&
			h->provider->kind != PROVIDER_TAILGATE);
	incoming_free(&x->in);
}

void
upstream_send(struct upstream_pool *pool, const struct upstream_request *r,
    const struct watch *watch, const struct upstream_sink *sink,
    struct arena *arena, struct upstream_report *report)
{
	struct exchange *x = arena_alloc(arena, sizeof(*x));

	memset(report, 0, sizeof(*report));
	*x = (struct exchange){ .request = r,
		.watch = watch,
		.sink = sink,
		.arena = arena,
		.report = report,
		.pool = pool,
		.watching = watch->fd != -1 };
	x->handle = handle_borrow(pool, r->provider);
	x->start_ns = clock_now_ns();
	x->moved_ms = x->start_ns / 1000000;
	x->tick_ms = x->moved_ms + FIRST_TICK_MS;
	outgoing_make(&x->up, r, arena);
	exchange(x);
	finish(x);
	handle_return(pool, x->handle);
}

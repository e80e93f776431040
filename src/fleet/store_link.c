/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * One connection to the engine, and the task that keeps it: connects, reads,
 * writes what could not be written at once, and tries again at growing
 * intervals after a failure.  store.c knows what the bytes mean.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "fleet/store_internal.h"

/* The time between two tries doubles from RETRY_MS to RETRY_MAX_MS. */
#define RETRY_MS 100
#define RETRY_MAX_MS 2000
/* A connection that lasted this long was good: the next try comes soon. */
#define LASTED_MS 1000
/* A connection that carries nothing is sent a PING this often. */
#define IDLE_MS 5000
#define READ_BYTES 16384
/* How much may wait to be written if the engine does not read. */
#define OUT_MAX ((size_t)8 * 1024 * 1024)

void
store_link_init(struct store_link *l, struct store *s, const char *name)
{
	memset(l, 0, sizeof(*l));
	l->store = s;
	l->name = name;
	l->fd = -1;
	buf_init(&l->out, OUT_MAX);
}

void
store_link_free(struct store_link *l)
{
	buf_free(&l->out);
}

static bool
is_over(const struct store_link *l)
{
	return l->broken || l->useless || l->moved || l->store->ending;
}

/* ---- bytes ------------------------------------------------------------- */

static bool
is_tls(const struct store_link *l)
{
	return l->connector != NULL;
}

static ssize_t
send_some(struct store_link *l)
{
	return is_tls(l) ? connector_send(l->connector, l->out.p, l->out.len)
			 : send(l->fd, l->out.p, l->out.len, MSG_NOSIGNAL);
}

void
store_link_flush(struct store_link *l)
{
	ssize_t n;

	if (buf_failed(&l->out))
		l->broken = true;
	while (!l->broken && l->fd != -1 && l->out.len > 0) {
		if ((n = send_some(l)) > 0)
			buf_drop(&l->out, (size_t)n);
		else if (n == -1 && errno == EINTR)
			continue;
		else {
			if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
				l->broken = true;
			break;
		}
	}
	/* The task waits for room, or closes. */
	if ((l->broken || l->out.len > 0) && l->task != NULL &&
	    task_self() != l->task)
		task_wake(l->task);
}

void
store_link_flush_soon(struct store_link *l)
{
	if (l->task == NULL || task_self() == NULL || task_self() == l->task)
		store_link_flush(l);
	else
		task_wake(l->task);
}

static bool
take_replies(struct store_link *l)
{
	struct store_reply *reply;

	while (resp_reader_next(l->reader, &reply) == 0) {
		if (reply == NULL)
			return true;
		l->take(l, reply);
	}
	store_failed(l->store, "what came is no reply of an engine");
	return false;
}

static bool
read_link(struct store_link *l)
{
	static char bytes[READ_BYTES]; /* no task waits while it is in use */
	ssize_t n;

	for (;;) {
		n = is_tls(l)
		    ? connector_recv(l->connector, bytes, sizeof(bytes))
		    : recv(l->fd, bytes, sizeof(bytes), 0);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return true;
		if (n <= 0) {
			store_failed(l->store, "%s",
			    n == 0 ? "the engine closed the connection"
				   : strerror(errno));
			return false;
		}
		l->heard_ms = clock_now_ms();
		l->asked_ms = 0;
		if (resp_reader_push(l->reader, bytes, (size_t)n) == -1 ||
		    !take_replies(l))
			return false;
		if (((size_t)n < sizeof(bytes) && !is_tls(l)) || is_over(l))
			return true;
		/* An engine that never stops sending must not block the
		 * loop. */
		task_breathe();
	}
}

/* ---- connecting -------------------------------------------------------- */

static int
connect_path(struct store_link *l)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *path = l->store->settings->path;

	strlcpy(to.sun_path, path, sizeof(to.sun_path));
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* On a Unix socket this succeeds or fails at once; EAGAIN says that the
	 * engine does not accept. */
	if (l->fd != -1 &&
	    connect(l->fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return 0;
	store_failed(l->store, "%s: %s", path, strerror(errno));
	return -1;
}

static int
connect_host(struct store_link *l)
{
	const struct provider *p = store_node(l->store);
	int64_t until_ms = clock_now_ms() + p->timeouts.connect_ms, left_ms;
	enum upstream_result why;
	int rc = 0, fd = -1;

	if ((l->connector = connector_new(p)) == NULL) {
		store_failed(l->store, "no memory for a connection");
		return -1;
	}
	connector_begin(l->connector, p);
	while (!l->store->ending &&
	    (rc = connector_advance(l->connector, &fd, &why)) == 0 &&
	    (left_ms = until_ms - clock_now_ms()) > 0)
		connector_wait(l->connector, -1, (int)left_ms);
	if (rc != 1) {
		store_failed(l->store, "%s: %s",
		    l->store->has_node ? l->store->node_host
				       : l->store->settings->url,
		    rc == 0 ? "no connection in time"
			    : connector_error(l->connector));
		store_leave_node(l->store);
		return -1;
	}
	l->fd = fd;
	if (!connector_tls(p)) {
		connector_leave(l->connector, fd);
		connector_free(l->connector);
		l->connector = NULL;
	}
	return 0;
}

static void
close_link(struct store_link *l)
{
	bool was_up = l->up;

	if (is_tls(l)) {
		connector_free(l->connector); /* closes it */
		l->connector = NULL;
	} else if (l->fd != -1)
		connector_close(l->fd, false);
	l->fd = -1;
	l->up = false;
	l->tried = !l->moved;
	l->broken = l->useless = l->moved = false;
	buf_free(&l->out);
	buf_init(&l->out, OUT_MAX);
	resp_reader_free(l->reader);
	l->reader = NULL;
	l->lost(l);
	if (was_up)
		l->store->since_wall_ms = clock_wall_ms();
}

static int
open_link(struct store_link *l)
{
	l->asked_ms = 0;
	l->heard_ms = clock_now_ms();
	if ((l->reader = resp_reader_new()) == NULL ||
	    (l->store->settings->path != NULL ? connect_path(l)
					      : connect_host(l)) == -1)
		return -1;
	l->heard_ms = clock_now_ms();
	return l->greet(l);
}

/* ---- the task ---------------------------------------------------------- */

/* Sends a PING if nothing else would show that the engine lives.  False: it has
 * been silent for too long. */
static bool
check_life(struct store_link *l, int64_t now_ms)
{
	if (l->asked_ms != 0 &&
	    now_ms - l->asked_ms >= store_patience_ms(l->store)) {
		store_failed(l->store, "no reply within %lld ms",
		    (long long)store_patience_ms(l->store));
		return false;
	}
	if (l->asked_ms == 0 && l->up && now_ms - l->heard_ms >= IDLE_MS) {
		l->asked_ms = now_ms;
		l->ping(l);
	}
	return true;
}

static int
next_ms(struct store_link *l, int64_t now_ms)
{
	int64_t until_ms = l->asked_ms != 0
	    ? l->asked_ms + store_patience_ms(l->store)
	    : l->heard_ms + IDLE_MS;

	return until_ms <= now_ms ? 1 : (int)(until_ms - now_ms);
}

static void
keep_link(struct store_link *l)
{
	struct pollfd p;
	int64_t now_ms;
	int ms;

	while (!is_over(l)) {
		store_link_flush(l);
		if (l->broken)
			break;
		now_ms = clock_now_ms();
		store_note(l->store);
		if (!check_life(l, now_ms))
			return;
		ms = next_ms(l, now_ms);
		p = (struct pollfd){ .fd = l->fd,
			.events =
			    (short)(POLLIN | (l->out.len > 0 ? POLLOUT : 0)) };
		if (task_poll_again(&p, 1, ms) <= 0)
			continue;
		if ((p.revents & POLLIN) && !read_link(l))
			return;
	}
	if (l->broken)
		store_failed(l->store, "the connection broke");
	else
		store_link_flush(l); /* the last calls of a process that ends */
}

static void
pause_link(struct store_link *l, int64_t ms)
{
	int64_t until_ms =
	    clock_now_ms() + ms + (int64_t)arc4random_uniform((uint32_t)ms / 4);
	int64_t now_ms;

	while (!l->store->ending && (now_ms = clock_now_ms()) < until_ms)
		task_sleep((int)(until_ms - now_ms));
}

static void
link_main(void *ctx)
{
	struct store_link *l = ctx;
	int64_t retry_ms = RETRY_MS, began_ms;
	bool moved;

	l->task = task_self();
	while (!l->store->ending) {
		if (open_link(l) == 0) {
			began_ms = clock_now_ms();
			keep_link(l);
			if (l->up && clock_now_ms() - began_ms >= LASTED_MS)
				retry_ms = RETRY_MS;
		}
		moved = l->moved;
		/* An old master that hangs may still accept connections. */
		if (l == &l->store->calls_link && !l->up && !moved)
			store_leave_node(l->store);
		close_link(l);
		store_note(l->store);
		if (l->store->ending)
			break;
		if (moved)
			continue;
		pause_link(l, retry_ms);
		retry_ms =
		    retry_ms * 2 < RETRY_MAX_MS ? retry_ms * 2 : RETRY_MAX_MS;
	}
	l->task = NULL;
	l->started = false;
}

bool
store_link_start(struct store_link *l)
{
	if (!l->started && !l->store->ending)
		l->started = task_start(link_main, l) == 0;
	return l->started;
}

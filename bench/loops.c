/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The CPU time that an event library needs for one event, used as base/task.c
 * uses it.  A tenth of the connections become readable at once, and each is
 * read.  bench/loops.sh compiles this once for each library: LOOP_EV,
 * LOOP_EVENT or LOOP_UV.
 *
 *	loops CONNECTIONS
 *
 * Prints ns an event for: watchers that stay (task_poll_again), watchers that
 * are made for each wait (task_poll), and watchers that stay with a timer that
 * is set again for each wait; then bytes a connection.
 */
#include "config.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#if defined LOOP_EV
#include <ev.h>
#elif defined LOOP_EVENT
#include <event2/event.h>
#else
#include <uv.h>
#endif

#define EVENTS 200000 /* in each measurement */
#define TIMEOUT_MS 30000

enum way { WAY_KEPT, WAY_ANEW, WAY_TIMER, WAYS };

struct connection {
#if defined LOOP_EV
	ev_io io;
	ev_timer timer;
#elif defined LOOP_EVENT
	struct event *io, *timer;
#else
	uv_poll_t io;
	uv_timer_t timer;
#endif
	int fd, other;
};

static struct connection *connections;
static unsigned nconnections, left;
static enum way way;

static void on_read(struct connection *);

/* ---- the libraries ------------------------------------------------------ */

#if defined LOOP_EV
static struct ev_loop *loop;

static void
on_io(struct ev_loop *l, ev_io *io, int events)
{
	(void)l;
	(void)events;
	on_read((struct connection *)io->data);
}

static void
on_timer(struct ev_loop *l, ev_timer *timer, int events)
{
	(void)l;
	(void)timer;
	(void)events;
}

static void
open_loop(void)
{
	loop = ev_loop_new(EVFLAG_AUTO);
}

static void
add(struct connection *c)
{
	ev_io_init(&c->io, on_io, c->fd, EV_READ);
	c->io.data = c;
	ev_timer_init(&c->timer, on_timer, 0, 0);
}

static void
watch(struct connection *c)
{
	ev_io_start(loop, &c->io);
}

static void
unwatch(struct connection *c)
{
	ev_io_stop(loop, &c->io);
}

static void
set_timer(struct connection *c)
{
	ev_timer_stop(loop, &c->timer);
	ev_timer_set(&c->timer, TIMEOUT_MS / 1000.0, 0);
	ev_timer_start(loop, &c->timer);
}

static void
run_once(void)
{
	ev_run(loop, EVRUN_ONCE);
}
#elif defined LOOP_EVENT
static struct event_base *loop;

static void
on_io(evutil_socket_t fd, short events, void *ctx)
{
	(void)fd;
	(void)events;
	on_read(ctx);
}

static void
on_timer(evutil_socket_t fd, short events, void *ctx)
{
	(void)fd;
	(void)events;
	(void)ctx;
}

static void
open_loop(void)
{
	loop = event_base_new();
}

static void
add(struct connection *c)
{
	c->io = event_new(loop, c->fd, EV_READ | EV_PERSIST, on_io, c);
	c->timer = event_new(loop, -1, 0, on_timer, c);
}

static void
watch(struct connection *c)
{
	event_add(c->io, NULL);
}

static void
unwatch(struct connection *c)
{
	event_del(c->io);
}

static void
set_timer(struct connection *c)
{
	static const struct timeval tv = { TIMEOUT_MS / 1000, 0 };

	event_add(c->timer, &tv);
}

static void
run_once(void)
{
	event_base_loop(loop, EVLOOP_ONCE);
}
#else
static uv_loop_t *loop;

static void
on_io(uv_poll_t *io, int status, int events)
{
	(void)status;
	(void)events;
	on_read(io->data);
}

static void
on_timer(uv_timer_t *timer)
{
	(void)timer;
}

static void
open_loop(void)
{
	loop = uv_default_loop();
}

static void
add(struct connection *c)
{
	uv_poll_init(loop, &c->io, c->fd);
	c->io.data = c;
	uv_timer_init(loop, &c->timer);
}

static void
watch(struct connection *c)
{
	uv_poll_start(&c->io, UV_READABLE, on_io);
}

static void
unwatch(struct connection *c)
{
	uv_poll_stop(&c->io);
}

static void
set_timer(struct connection *c)
{
	uv_timer_start(&c->timer, on_timer, TIMEOUT_MS, 0);
}

static void
run_once(void)
{
	uv_run(loop, UV_RUN_ONCE);
}
#endif

/* ---- the measurement ---------------------------------------------------- */

static void
on_read(struct connection *c)
{
	char byte;

	if (read(c->fd, &byte, 1) != 1)
		err(1, "read");
	left--;
	if (way == WAY_ANEW)
		unwatch(c);
	else if (way == WAY_TIMER)
		set_timer(c);
}

static int64_t
cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* One round: a tenth of the connections, the next tenth each time.  The
 * writer's time is not counted. */
static int64_t
round_ns(unsigned first, unsigned n)
{
	int64_t from;

	for (unsigned i = 0; i < n; i++)
		if (write(connections[(first + i * 10) % nconnections].other,
			"x", 1) != 1)
			err(1, "write");
	from = cpu_ns();
	if (way == WAY_ANEW)
		for (unsigned i = 0; i < n; i++)
			watch(&connections[(first + i * 10) % nconnections]);
	left = n;
	while (left > 0)
		run_once();
	return cpu_ns() - from;
}

static double
measure(enum way the_way)
{
	unsigned n = nconnections / 10, rounds = EVENTS / n;
	int64_t sum = 0;

	way = the_way;
	for (unsigned i = 0; i < nconnections; i++)
		if (way == WAY_ANEW)
			unwatch(&connections[i]);
		else
			watch(&connections[i]);
	for (unsigned i = 0; i < rounds; i++)
		sum += round_ns(i, n);
	return (double)sum / rounds / n;
}

static long
resident(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f == NULL || fscanf(f, "%*d %ld", &pages) != 1)
		err(1, "/proc/self/statm");
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static void
connect_all(void)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	connections = calloc(nconnections, sizeof(*connections));
	for (unsigned i = 0; i < nconnections; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) ==
		    -1)
			err(1, "socketpair");
		connections[i].fd = pair[0];
		connections[i].other = pair[1];
	}
}

int
main(int argc, char **argv)
{
	double ns[WAYS];
	long before;

	if (argc != 2 || (nconnections = (unsigned)atoi(argv[1])) < 10)
		errx(2, "usage: loops CONNECTIONS");
	connect_all();
	before = resident();
	open_loop();
	for (unsigned i = 0; i < nconnections; i++) {
		add(&connections[i]);
		watch(&connections[i]);
	}
	for (int i = 0; i < WAYS; i++)
		ns[i] = measure(i);
	printf("%.0f %.0f %.0f %ld\n", ns[WAY_KEPT], ns[WAY_ANEW],
	    ns[WAY_TIMER],
	    (resident() - before + (long)sizeof(*connections) * nconnections) /
		nconnections);
	return 0;
}

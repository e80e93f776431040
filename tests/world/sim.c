/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides what the kernel does for sockets: buffered bytes, ends, resets, and
 * what each descriptor refers to.  It makes no faults; calls.c does.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "world.h"

#ifndef POLLRDHUP
#define POLLRDHUP 0
#endif

#define LISTEN_CONN WORLD_CONNS_MAX /* the listening socket */

/* ---- connections ------------------------------------------------------- */

struct sim_conn *
sim_conn(int index)
{
	return &world->conns[index];
}

int
sim_conn_new(
    enum sim_peer peer, unsigned owner, size_t to_worker, size_t from_worker)
{
	struct sim_conn *c;

	if (world->nconns == WORLD_CONNS_MAX) {
		world_wrong("more connections than the world can hold");
		return -1;
	}
	c = &world->conns[world->nconns];
	memset(c, 0, sizeof(*c));
	c->peer = peer;
	c->owner = owner;
	c->request = c->passed_conn = -1;
	c->stream[0].size = (uint32_t)to_worker;
	c->stream[1].size = (uint32_t)from_worker;
	c->stream[0].p = world_alloc(to_worker);
	c->stream[1].p = world_alloc(from_worker);
	return (int)world->nconns++;
}

static size_t
stream_put(struct sim_stream *s, const char *p, size_t len)
{
	size_t at, part;

	if (len > s->size - s->len)
		len = s->size - s->len;
	at = (s->head + s->len) % s->size;
	part = len < s->size - at ? len : s->size - at;
	memcpy(s->p + at, p, part);
	memcpy(s->p, p + part, len - part);
	s->len += (uint32_t)len;
	s->written += len;
	return len;
}

static size_t
stream_get(struct sim_stream *s, char *p, size_t len)
{
	size_t part;

	if (len > s->len)
		len = s->len;
	part = len < s->size - s->head ? len : s->size - s->head;
	memcpy(p, s->p + s->head, part);
	memcpy(p + part, s->p, len - part);
	s->head = (s->head + (uint32_t)len) % s->size;
	s->len -= (uint32_t)len;
	s->read += len;
	if (s->len == 0)
		s->head = 0;
	return len;
}

size_t
sim_put(struct sim_conn *c, const char *p, size_t len)
{
	return c->closed[0] ? 0 : stream_put(&c->stream[0], p, len);
}

size_t
sim_get(struct sim_conn *c, char *p, size_t len)
{
	return stream_get(&c->stream[1], p, len);
}

/* The other end can still read what was sent, except after a reset.  A close
 * with unread bytes is a reset. */
void
sim_close(struct sim_conn *c, int end, bool reset)
{
	struct sim_stream *theirs = &c->stream[1 - end];

	if (c->closed[end])
		return;
	c->closed[end] = true;
	theirs->ended = true;
	if (reset || c->stream[end].len > 0) {
		theirs->broken = true;
		theirs->len = 0;
	}
	c->stream[end].len = 0;
}

/* ---- hidden from scripts ----------------------------------------------- */

ssize_t
sim_read(struct sim_conn *c, int end, char *p, size_t len)
{
	struct sim_stream *s = &c->stream[end];

	if (s->broken) {
		errno = ECONNRESET;
		return -1;
	}
	if (s->len > 0)
		return (ssize_t)stream_get(s, p, len);
	if (s->ended)
		return 0;
	errno = EAGAIN;
	return -1;
}

ssize_t
sim_write(struct sim_conn *c, int end, const char *p, size_t len)
{
	struct sim_stream *s = &c->stream[1 - end];

	if (c->closed[1 - end]) {
		errno = c->stream[end].broken ? ECONNRESET : EPIPE;
		return -1;
	}
	if (s->len == s->size) {
		errno = EAGAIN;
		return -1;
	}
	return (ssize_t)stream_put(s, p, len);
}

/* ---- descriptors ------------------------------------------------------- */

int
sim_fd_new(int conn, int end)
{
	for (int i = 0; i < WORLD_FDS_MAX; i++) {
		if (world->fds[i].conn != 0)
			continue;
		world->fds[i].conn = conn + 1;
		world->fds[i].end = end;
		if (conn < LISTEN_CONN)
			world->conns[conn].refs[end]++;
		return WORLD_FD_BASE + i;
	}
	errno = EMFILE;
	return -1;
}

static int desk_fd = -1;

void
sim_set_desk(int fd)
{
	desk_fd = fd;
}

static int
index_of(int fd)
{
	return (fd == SIM_DESK_FD ? desk_fd : fd) - WORLD_FD_BASE;
}

struct sim_conn *
sim_conn_of(int fd, int *end)
{
	int i = index_of(fd), conn;

	if (i < 0 || i >= WORLD_FDS_MAX ||
	    (conn = world->fds[i].conn - 1) < 0 || conn == LISTEN_CONN)
		return NULL;
	if (end != NULL)
		*end = world->fds[i].end;
	return &world->conns[conn];
}

bool
sim_is_listening(int fd)
{
	int i = fd - WORLD_FD_BASE;

	return i >= 0 && i < WORLD_FDS_MAX &&
	    world->fds[i].conn - 1 == LISTEN_CONN;
}

/* Each life gets descriptors of its own, like a forked child. */
int
sim_listen_fd(void)
{
	return sim_fd_new(LISTEN_CONN, 0);
}

unsigned
sim_open_fds(void)
{
	unsigned n = 0;

	for (int i = 0; i < WORLD_FDS_MAX; i++)
		n += world->fds[i].conn != 0;
	return n;
}

int
sim_fd_close(int fd)
{
	int i = index_of(fd), end;
	struct sim_conn *c = sim_conn_of(fd, &end);

	if (c == NULL && !sim_is_listening(fd)) {
		errno = EBADF;
		return -1;
	}
	world->fds[i].conn = 0;
	if (c != NULL)
		sim_unref(c, end);
	return 0;
}

void
sim_unref(struct sim_conn *c, int end)
{
	if (--c->refs[end] > 0)
		return;
	sim_close(c, end, c->reset_on_close);
	if (c->peer == SIM_CLIENT)
		client_poke(c);
	else if (c->peer == SIM_PROVIDER) {
		upstream_left(c);
		upstream_poke(c);
	}
}

void
sim_worker_died(void)
{
	for (int i = 0; i < WORLD_FDS_MAX; i++)
		if (world->fds[i].conn != 0)
			sim_fd_close(WORLD_FD_BASE + i);
}

short
sim_poll(int fd, short events)
{
	struct sim_stream *in;
	struct sim_conn *c;
	short got = 0;
	int end;

	if (sim_is_listening(fd))
		return world->nbacklog > 0 ? events & POLLIN : 0;
	if ((c = sim_conn_of(fd, &end)) == NULL)
		return POLLNVAL;
	in = &c->stream[end];
	if (in->len > 0 || in->ended || in->broken)
		got |= POLLIN;
	if (c->closed[1 - end] ||
	    c->stream[1 - end].len < c->stream[1 - end].size)
		got |= POLLOUT;
	if (in->ended)
		got |= POLLRDHUP;
	got &= events;
	if (in->broken)
		got |= POLLERR;
	if (in->ended)
		got |= POLLHUP;
	return got;
}

/* ---- connecting -------------------------------------------------------- */

int
sim_connect_client(unsigned request)
{
	size_t least = world->io_max != 0 ? 1 : 4096;
	size_t to = world_size(least, 212992), from = world_size(least, 212992);
	int conn;

	if (world->calm || world_chance(700))
		to = from = 65536;
	conn = sim_conn_new(SIM_CLIENT, request, to, from);
	if (conn != -1)
		world->backlog[world->nbacklog++] = conn;
	return conn;
}

int
sim_accept(void)
{
	int conn = world->backlog[0];

	world->nbacklog--;
	memmove(world->backlog, world->backlog + 1,
	    world->nbacklog * sizeof(world->backlog[0]));
	return conn;
}

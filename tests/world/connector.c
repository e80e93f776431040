/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Replaces wire/connector.c and libcurl: a connection is made after a while, or
 * fails.
 */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/task.h"
#include "wire/connector.h"
#include "world.h"

enum fate { FATE_COMES, FATE_REFUSED, FATE_NEVER, FATE_EXHAUSTED };

struct connector {
	const struct provider *provider;
	enum fate fate;
	int64_t due_ms;
	int fd; /* not handed out yet; -1: none */
};

int
connector_init(void)
{
	return 0;
}

bool
connector_tls(const struct provider *p)
{
	(void)p;
	return false;
}

struct connector *
connector_new(const struct provider *p)
{
	struct connector *c;

	(void)p;
	if (world_chance(world->descriptor_fault))
		return NULL;
	if ((c = calloc(1, sizeof(*c))) == NULL)
		abort();
	c->fd = -1;
	return c;
}

void
connector_free(struct connector *c)
{
	if (c != NULL)
		connector_end(c, false);
	free(c);
}

void
connector_begin(struct connector *c, const struct provider *p)
{
	c->provider = p;
	c->fate = FATE_COMES;
	c->due_ms = clock_now_ms();
	if (world->calm)
		return;
	if (world_chance(500))
		c->due_ms += (int64_t)world_size(1, 200);
	if (world_chance(30))
		c->fate = world_chance(700) ? FATE_REFUSED
		    : world_chance(512)     ? FATE_NEVER
					    : FATE_EXHAUSTED;
}

static size_t
buffer_size(void)
{
	return world->calm || world_chance(700)
	    ? 65536
	    : world_size(world->io_max != 0 ? 1 : 4096, 200000);
}

int
connector_advance(struct connector *c, int *fd, enum upstream_result *why)
{
	int conn;

	if (c->fate == FATE_NEVER || clock_now_ms() < c->due_ms)
		return 0;
	*why =
	    c->fate == FATE_EXHAUSTED ? UPSTREAM_EXHAUSTED : UPSTREAM_CONNECT;
	if (c->fate != FATE_COMES)
		return -1;
	conn = sim_conn_new(SIM_PROVIDER, upstream_of(c->provider->url),
	    buffer_size(), buffer_size());
	if (conn == -1)
		return -1;
	*fd = c->fd = sim_fd_new(conn, 0);
	return 1;
}

const char *
connector_error(const struct connector *c)
{
	return c->fate == FATE_REFUSED ? "refused" : "no connection";
}

bool
connector_wait(struct connector *c, int also, int timeout_ms)
{
	struct pollfd p = { .fd = also, .events = POLLIN };
	int64_t left_ms = c->due_ms - clock_now_ms();

	if (c->fate != FATE_NEVER && left_ms < timeout_ms)
		timeout_ms = left_ms < 1 ? 1 : (int)left_ms;
	return task_poll(&p, 1, timeout_ms) == 1 && p.revents != 0;
}

void
connector_leave(struct connector *c, int fd)
{
	(void)fd;
	c->fd = -1;
}

void
connector_end(struct connector *c, bool reset)
{
	if (c->fd != -1)
		connector_close(c->fd, reset);
	c->fd = -1;
}

ssize_t
connector_send(struct connector *c, const void *p, size_t len)
{
	(void)c;
	(void)p;
	(void)len;
	abort(); /* there is no TLS here */
}

ssize_t
connector_recv(struct connector *c, void *p, size_t len)
{
	(void)c;
	(void)p;
	(void)len;
	abort();
}

int
connector_close(int fd, bool reset)
{
	task_forget(fd);
	if (reset)
		sim_conn_of(fd, NULL)->reset_on_close = true;
	return sim_fd_close(fd);
}

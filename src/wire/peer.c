/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides when each client's connection is checked, and what follows from it
 * (peer_find.c: which connection belongs to whom).  Runs beside a request, from
 * its first wait to its end.
 */
#include "config.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/task.h"
#include "wire/peer_internal.h"

/* ---- whose connection ------------------------------------------------- */

static bool
parse_end(const char *address, const char *port, struct peer_end *out)
{
	const char *error;

	if (address == NULL || port == NULL ||
	    net_parse(address, &out->net) == -1 ||
	    out->net.prefix != 8 * sizeof(out->net.addr))
		return false;
	out->port = (uint16_t)strtonum(port, 1, UINT16_MAX, &error);
	return error == NULL;
}

/* "fe80::1%eth0" */
static unsigned
parse_scope(const char *address)
{
	const char *scope = strchr(address, '%');

	return scope == NULL ? 0 : if_nametoindex(scope + 1);
}

/* The user at the other end of a unix socket. */
static uid_t
user_of(int fd)
{
	struct sockaddr_un address;
	socklen_t len = sizeof(address);
	uid_t uid;
	gid_t gid;

	if (fd == -1 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) == -1 ||
	    address.sun_family != AF_UNIX || getpeereid(fd, &uid, &gid) == -1)
		return PEER_TABLE_ANYBODY;
	return uid;
}

/* False: nothing identifies the connection. */
static bool
name(struct peer_link *p, struct io *io)
{
	const char *remote = io_param(io, "REMOTE_ADDR");
	const char *server = io_param(io, "SERVER_ADDR");

	p->fd = io->fd;
	p->uid = PEER_TABLE_ANYBODY;
	if (!parse_end(remote, io_param(io, "REMOTE_PORT"), &p->there))
		return false;
	p->scope = parse_scope(remote);
	if (server != NULL && *server != '\0')
		return parse_end(server, io_param(io, "SERVER_PORT"), &p->here);
	p->uid = user_of(io->fd);
	return p->uid != PEER_TABLE_ANYBODY;
}

/* ---- looking ---------------------------------------------------------- */

struct peer_ask
peer_ask_of(const struct peer_link *p)
{
	return (struct peer_ask){ p->here, p->there, p->scope, PEER_UNKNOWN, 0,
		PEER_TABLE_ANYBODY };
}

/* The task ends with the last one. */
static void
leave(struct peer_board *b, struct peer_link *p)
{
	if (!p->listed)
		return;
	TAILQ_REMOVE(&b->peers, p, entry);
	p->listed = false;
	if (TAILQ_EMPTY(&b->peers) && b->task != NULL)
		task_wake(b->task);
}

/* Whoever waits for the web server's socket wakes; io_gone() is true. */
static void
set_gone(struct peer_board *b, struct peer_link *p)
{
	p->gone = true;
	leave(b, p);
	if (p->fd != -1)
		shutdown(p->fd, SHUT_RD);
}

void
peer_note(struct peer_board *b, struct peer_link *p, const struct peer_ask *ask)
{
	bool other = p->seen && ask->cookie != p->cookie;

	switch (ask->state) {
	case PEER_OPEN:
		if (other) /* has its ports already */
			set_gone(b, p);
		p->cookie = ask->cookie;
		p->seen = true;
		break;
	case PEER_CLOSED:
		set_gone(b, p);
		break;
	case PEER_ABSENT:
		if (p->seen)
			set_gone(b, p);
		break;
	case PEER_UNKNOWN:
		break;
	}
}

/* The next ones of this round; false: that was all. */
static bool
look_batch(struct peer_board *b)
{
	struct peer_ask asks[PEER_TABLE_BATCH];
	struct peer_link *looked[PEER_TABLE_BATCH], *p;
	size_t seen = 0, n = 0;

	while (seen < PEER_TABLE_BATCH &&
	    (p = TAILQ_FIRST(&b->peers)) != NULL && p->round != b->round) {
		TAILQ_REMOVE(&b->peers, p, entry);
		TAILQ_INSERT_TAIL(&b->peers, p, entry);
		p->round = b->round;
		seen++;
		if (!peer_is_named(p)) {
			if (p->tried != b->nremembered)
				peer_try_known(b, p);
			continue;
		}
		asks[n] = peer_ask_of(p);
		looked[n++] = p;
	}
	if (n > 0)
		peer_table_ask(b->table_fd, asks, n);
	for (size_t i = 0; i < n; i++)
		peer_note(b, looked[i], &asks[i]);
	return seen > 0;
}

/* ---- the task --------------------------------------------------------- */

/* Requests come and go between two batches. */
static void
look_at_all(struct peer_board *b, int64_t now_ms)
{
	if (++b->round == 0)
		b->round = 1;
	peer_find(b, now_ms);
	while (look_batch(b))
		task_yield();
}

/* While none of the web server's ends is known, the first look is at once: a
 * client that left before it would never have been seen. */
static int64_t
first_look_ms(const struct peer_board *b)
{
	const struct peer_link *p = TAILQ_FIRST(&b->peers);
	int64_t now_ms = clock_now_ms();

	return b->nknown == 0 && p != NULL && !peer_is_named(p)
	    ? now_ms
	    : now_ms + PEER_PERIOD_MS;
}

static void
board_main(void *ctx)
{
	struct peer_board *b = ctx;
	int64_t next_ms = first_look_ms(b), now_ms;

	b->task = task_self();
	while (!TAILQ_EMPTY(&b->peers)) {
		now_ms = clock_now_ms();
		if (now_ms < next_ms) {
			task_sleep((int)(next_ms - now_ms));
			continue;
		}
		next_ms = now_ms + PEER_PERIOD_MS;
		look_at_all(b, now_ms);
	}
	b->task = NULL;
	b->started = false;
}

/* False: there is none, as in CGI. */
static bool
start(struct peer_board *b)
{
	if (!b->started && task_self() != NULL)
		b->started = task_start(board_main, b) == 0;
	return b->started;
}

struct peer_board *
peer_board_new(void)
{
	struct peer_board *b = calloc(1, sizeof(*b));

	if (b == NULL)
		fatal("out of memory");
	b->table_fd = peer_table_open();
	b->find_fd = peer_table_open();
	if (b->table_fd == -1)
		log_info("clients that hang up are noticed only as the web "
			 "server tells: %s",
		    strerror(errno));
	TAILQ_INIT(&b->peers);
	b->find_every_ms = PEER_FIND_MS;
	return b;
}

void
peer_board_free(struct peer_board *b)
{
	if (b == NULL)
		return;
	if (b->table_fd != -1)
		close(b->table_fd);
	if (b->find_fd != -1)
		close(b->find_fd);
	free(b);
}

/* ---- one request ------------------------------------------------------ */

static void
look_now(struct peer_board *b, struct peer_link *p)
{
	struct peer_ask ask = peer_ask_of(p);

	if (!peer_is_named(p)) {
		peer_try_known(b, p);
		return;
	}
	peer_table_ask(b->table_fd, &ask, 1);
	peer_note(b, p, &ask);
}

/* The first check is immediate: only a connection that was seen can vanish. */
static void
begin(struct peer_link *p, struct peer_board *b, struct io *io)
{
	p->begun = true;
	if (b->table_fd == -1 || !name(p, io))
		return;
	p->board = b;
	p->round = b->round;
	look_now(b, p);
	if (!p->gone && p->fd != -1 && start(b)) {
		TAILQ_INSERT_TAIL(&b->peers, p, entry);
		p->listed = true;
	}
}

bool
peer_look(struct peer_link *p, struct peer_board *board, struct io *io)
{
	if (board == NULL)
		return false;
	if (!p->begun)
		begin(p, board, io);
	else if (p->board != NULL && !p->gone)
		look_now(board, p);
	return p->gone;
}

bool
peer_gone(struct peer_link *p, struct peer_board *board, struct io *io)
{
	if (board == NULL)
		return false;
	if (!p->begun || (p->board != NULL && !p->listed))
		return peer_look(p, board, io);
	return p->gone;
}

void
peer_end(struct peer_link *p)
{
	struct peer_board *b = p->board;

	if (b == NULL)
		return;
	leave(b, p);
	p->fd = -1;
}

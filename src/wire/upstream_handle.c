/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how connections are kept and lent: the LIFO list per provider, so that
 * a quiet gateway keeps using one warm connection.  Used by upstream.c.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "config/secrets.h"
#include "wire/upstream_handle.h"

/* Idle connections kept for each provider: a burst's worth is given back. */
#define HANDLES_IDLE_MAX 64
/* And idle connectors: they are large, and know TLS sessions. */
#define CONNECTORS_IDLE_MAX 4
/* How long the other end may acknowledge nothing of a request; and when a
 * silent one is asked whether it is still there, how soon again, how often. */
#define LOST_MS 10000
#define ASK_AFTER_S 30
#define ASK_AGAIN_S 10
#define ASKS 3

TAILQ_HEAD(handle_list, handle);

struct upstream_pool {
	struct {
		struct handle_list idle;
		unsigned nidle;
		struct connector *connectors[CONNECTORS_IDLE_MAX];
		unsigned nconnectors;
	} providers[CONFIG_PROVIDERS_MAX];
};

int
upstream_init(void)
{
	return connector_init();
}

void
upstream_prepare(void)
{
	connector_prepare();
}

struct upstream_pool *
upstream_pool_new(void)
{
	struct upstream_pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		fatal("out of memory");
	for (size_t i = 0; i < CONFIG_PROVIDERS_MAX; i++)
		TAILQ_INIT(&pool->providers[i].idle);
	return pool;
}

/* ---- connectors ------------------------------------------------------- */

static struct connector *
take_connector(struct upstream_pool *pool, const struct provider *p)
{
	struct connector *c = NULL;

	if (pool->providers[p->index].nconnectors > 0)
		c = pool->providers[p->index]
			.connectors[--pool->providers[p->index].nconnectors];
	return c != NULL ? c : connector_new(p);
}

static void
give_connector(struct upstream_pool *pool, struct handle *h)
{
	struct connector *c = h->connector;
	size_t i = h->provider->index;

	h->connector = NULL;
	if (c == NULL)
		return;
	if (pool->providers[i].nconnectors < CONNECTORS_IDLE_MAX) {
		pool->providers[i]
		    .connectors[pool->providers[i].nconnectors++] = c;
		c = NULL;
	}
	connector_free(c);
}

/* ---- lending ---------------------------------------------------------- */

static void
set_option(int fd, int option, int value)
{
	setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value));
}

/* Otherwise the kernel goes on for a quarter of an hour.  With this set, one
 * question that is lost ends a connection, and so does a peer that reads
 * nothing. */
static void
lose_unheard(struct handle *h, bool lose)
{
#ifdef TCP_USER_TIMEOUT
	set_option(h->fd, TCP_USER_TIMEOUT, lose ? LOST_MS : 0);
#endif
	h->loses = lose;
}

static struct handle *
handle_new(const struct provider *p)
{
	struct handle *h = memory_zero(sizeof(*h));

	h->fd = -1;
	h->tls = connector_tls(p);
	return h;
}

static void
handle_free(struct handle *h)
{
	handle_disconnect(h, false);
	connector_free(h->connector);
	free(h);
}

struct handle *
handle_borrow(struct upstream_pool *pool, const struct provider *p)
{
	struct handle *h;

	h = TAILQ_FIRST(&pool->providers[p->index].idle);
	if (h != NULL) {
		TAILQ_REMOVE(&pool->providers[p->index].idle, h, entry);
		pool->providers[p->index].nidle--;
	}
	if (h == NULL)
		h = handle_new(p);
	/* A probe asks the same provider under another url. */
	h->provider = p;
	return h;
}

void
handle_return(struct upstream_pool *pool, struct handle *h)
{
	size_t i = h->provider->index;
	int64_t now_ms = clock_now_ms();
	struct handle *oldest = NULL;

	if (h->fd == -1) {
		give_connector(pool, h);
		free(h);
		return;
	}
	if (!h->loses)
		lose_unheard(h, true);
	h->idle_since_ms = now_ms;
	TAILQ_INSERT_HEAD(&pool->providers[i].idle, h, entry);
	pool->providers[i].nidle++;
	oldest = TAILQ_LAST(&pool->providers[i].idle, handle_list);
	if (pool->providers[i].nidle > HANDLES_IDLE_MAX ||
	    oldest->idle_since_ms + h->provider->keepalive_ms < now_ms) {
		TAILQ_REMOVE(&pool->providers[i].idle, oldest, entry);
		pool->providers[i].nidle--;
	} else
		oldest = NULL;
	if (oldest != NULL)
		handle_free(oldest);
}

static void
forget(struct upstream_pool *pool, size_t i)
{
	struct handle *h;

	while ((h = TAILQ_FIRST(&pool->providers[i].idle)) != NULL) {
		TAILQ_REMOVE(&pool->providers[i].idle, h, entry);
		handle_free(h);
	}
	pool->providers[i].nidle = 0;
}

void
upstream_pool_forget(struct upstream_pool *pool, const struct provider *p)
{
	forget(pool, p->index);
}

void
upstream_pool_trim(struct upstream_pool *pool)
{
	for (size_t i = 0; i < CONFIG_PROVIDERS_MAX; i++) {
		forget(pool, i);
		while (pool->providers[i].nconnectors > 0)
			connector_free(
			    pool->providers[i]
				.connectors[--pool->providers[i].nconnectors]);
	}
}

void
upstream_pool_free(struct upstream_pool *pool)
{
	if (pool == NULL)
		return;
	upstream_pool_trim(pool);
	free(pool);
}

/* ---- the connection --------------------------------------------------- */

bool
handle_connect(struct upstream_pool *pool, struct handle *h)
{
	if (h->connector == NULL)
		h->connector = take_connector(pool, h->provider);
	if (h->connector == NULL)
		return false;
	connector_begin(h->connector, h->provider);
	return true;
}

/* A provider, or the network to it, may be gone without a word. */
static void
notice_silence(struct handle *h)
{
	lose_unheard(h, true);
#ifdef TCP_KEEPIDLE
	set_option(h->fd, TCP_KEEPIDLE, ASK_AFTER_S);
	set_option(h->fd, TCP_KEEPINTVL, ASK_AGAIN_S);
	set_option(h->fd, TCP_KEEPCNT, ASKS);
#endif
}

void
handle_look(struct handle *h)
{
	if (h->fd != -1 && h->loses && !handle_unheard(h))
		lose_unheard(h, false);
}

int
handle_connecting(
    struct upstream_pool *pool, struct handle *h, enum upstream_result *why)
{
	int rc = connector_advance(h->connector, &h->fd, why);

	if (rc == 1) {
		h->unheard = 0;
		notice_silence(h);
	}
	if (rc == 1 && !h->tls) {
		connector_leave(h->connector, h->fd);
		give_connector(pool, h);
	}
	return rc;
}

/* TLS takes one piece at a time.  Short ones leave in one record, together
 * with what the room has space for: a head and the key in it.  When a
 * connection takes nothing for now, the same bytes come from the same place
 * again, as OpenSSL wants it. */
static ssize_t
send_tls(struct handle *h, const struct iovec *iov, int n)
{
	size_t len = 0, part;
	char *room;
	ssize_t sent;

	if (n == 1 || iov->iov_len >= SECRETS_ROOM_BYTES)
		return connector_send(
		    h->connector, iov->iov_base, iov->iov_len);
	room = secrets_room();
	for (int i = 0; i < n && len < SECRETS_ROOM_BYTES; i++, len += part) {
		part = iov[i].iov_len < SECRETS_ROOM_BYTES - len
		    ? iov[i].iov_len
		    : SECRETS_ROOM_BYTES - len;
		memcpy(room + len, iov[i].iov_base, part);
	}
	sent = connector_send(h->connector, room, len);
	secrets_room_wipe(len);
	return sent;
}

ssize_t
handle_send(struct handle *h, const struct iovec *iov, int n)
{
	struct msghdr message = { .msg_iov = (struct iovec *)iov,
		.msg_iovlen = (size_t)n };
	ssize_t sent;

	if (h->tls)
		sent = send_tls(h, iov, n);
	else
		sent = sendmsg(h->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent > 0)
		h->unheard += (size_t)sent;
	return sent;
}

ssize_t
handle_recv(struct handle *h, void *p, size_t len)
{
	ssize_t n;

	if (h->tls)
		n = connector_recv(h->connector, p, len);
	else
		n = recv(h->fd, p, len, MSG_DONTWAIT);
	if (n > 0)
		h->unheard = 0;
	return n;
}

bool
handle_unheard(const struct handle *h)
{
/* Other systems' sockets do not tell, and pledge(2) ends who asks. */
#ifdef __linux__
	int queued = 0;

	return h->unheard > 0 && ioctl(h->fd, TIOCOUTQ, &queued) == 0 &&
	    queued > 0 && (size_t)queued >= h->unheard;
#else
	(void)h;
	return false;
#endif
}

/* Without a request, a provider has nothing to send: what can be read is the
 * end, or bytes that the next request would take for its response.  (Under
 * TLS it may be a session ticket.) */
bool
handle_alive(struct handle *h)
{
	char byte;

	if (h->fd == -1 ||
	    h->idle_since_ms + h->provider->keepalive_ms < clock_now_ms())
		return false;
	if (recv(h->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == -1)
		return errno == EAGAIN;
	return h->tls && handle_recv(h, &byte, 1) == -1 && errno == EAGAIN;
}

void
handle_disconnect(struct handle *h, bool reset)
{
	if (h->connector != NULL)
		connector_end(h->connector, reset);
	else if (h->fd != -1)
		connector_close(h->fd, reset);
	h->fd = -1;
}

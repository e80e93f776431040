/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how curl handles are made, kept and lent: the LIFO list per provider,
 * and the options that never change (TLS, addresses, proxies).
 */
#include "config.h"

#include <errno.h>
#include <glob.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/net.h"
#include "wire/pump.h"
#include "wire/upstream_handle.h"

/* Idle handles kept for each provider: a burst's worth is given back. */
#define HANDLES_IDLE_MAX 64

TAILQ_HEAD(handle_list, handle);

struct upstream_pool {
	struct pump *pump;
	pthread_mutex_t mutex;
	struct {
		struct handle_list idle;
		unsigned nidle;
	} providers[CONFIG_PROVIDERS_MAX];
};

/* The system's hashed CA directory, or NULL: take curl's default.  With
 * Debian's default of bundle and directory each new connection would parse
 * the whole bundle (FACTS §2: 23-37 ms). */
static const char *system_ca_path;

static const char *
find_ca_path(void)
{
	static const char *const dirs[] = { "/etc/ssl/certs",
		"/etc/openssl/certs" };
	char pattern[64];
	glob_t found;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(pattern, sizeof(pattern), "%s/????????.0", dirs[i]);
		if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
			globfree(&found);
			return dirs[i];
		}
	}
	return NULL;
}

int
upstream_init(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -1;
	system_ca_path = find_ca_path();
	return 0;
}

/* The gate: the address that connect(2) will really get. */
static curl_socket_t
open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct handle *h = ctx;
	struct net address;
	bool inside = h->provider->place == PLACE_EXTERNAL;

	(void)purpose;
	if (!inside && net_from_sockaddr(&to->addr, &address) == 0) {
		inside = net_is_private(&address);
		for (size_t i = 0; !inside && i < h->provider->naddresses; i++)
			inside =
			    net_contains(&h->provider->addresses[i], &address);
	}
	if (!inside) {
		h->forbidden = true;
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static int
close_socket(void *ctx, curl_socket_t fd)
{
	struct linger hard = { .l_onoff = 1 };
	struct handle *h = ctx;

	if (h->reset)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	return close(fd);
}

static void
set_tls(CURL *easy, const struct provider *p)
{
	const char *path = p->ca_path != NULL ? p->ca_path
	    : p->ca_file != NULL              ? NULL
					      : system_ca_path;

	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	if (p->ca_file == NULL && path == NULL)
		return;
	curl_easy_setopt(easy, CURLOPT_CAINFO, p->ca_file);
	curl_easy_setopt(easy, CURLOPT_CAPATH, path);
}

/* All that holds for each connection. */
static void
set_up(struct handle *h)
{
	const struct provider *p = h->provider;
	CURL *easy = h->easy;

	curl_easy_setopt(easy, CURLOPT_URL, p->url);
	curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Else to give up means to wait until getaddrinfo returns. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_NETRC, CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_PROXY, p->proxy != NULL ? p->proxy : "");
	curl_easy_setopt(
	    easy, CURLOPT_HTTPPROXYTUNNEL, p->proxy != NULL ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	/* For a proxy's answer only. */
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 1024L);
	/* Ours are shorter and know the phase (upstream.c). */
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 3600000L);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, h);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, h);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, h->error);
	set_tls(easy, p);
}

static void
handle_free(struct handle *h)
{
	handle_disconnect(h, false);
	curl_easy_cleanup(h->easy);
	curl_multi_cleanup(h->multi);
	free(h);
}

static struct handle *
handle_new(const struct provider *p)
{
	struct handle *h = calloc(1, sizeof(*h));

	if (h == NULL)
		fatal("out of memory");
	h->fd = -1;
	h->multi = curl_multi_init();
	h->easy = curl_easy_init();
	if (h->multi == NULL || h->easy == NULL) {
		handle_free(h);
		return NULL;
	}
	h->provider = p;
	h->tls = strncmp(p->url, "https:", 6) == 0;
	set_up(h);
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, 1L);
	return h;
}

struct upstream_pool *
upstream_pool_new(void)
{
	struct upstream_pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		fatal("out of memory");
	pool->pump = pump_new();
	pthread_mutex_init(&pool->mutex, NULL);
	for (size_t i = 0; i < CONFIG_PROVIDERS_MAX; i++)
		TAILQ_INIT(&pool->providers[i].idle);
	return pool;
}

void
upstream_pool_free(struct upstream_pool *pool)
{
	struct handle *h;

	if (pool == NULL)
		return;
	for (size_t i = 0; i < CONFIG_PROVIDERS_MAX; i++) {
		while ((h = TAILQ_FIRST(&pool->providers[i].idle)) != NULL) {
			TAILQ_REMOVE(&pool->providers[i].idle, h, entry);
			handle_free(h);
		}
	}
	pump_free(pool->pump);
	pthread_mutex_destroy(&pool->mutex);
	free(pool);
}

struct pump *
handle_pump(struct upstream_pool *pool)
{
	return pool->pump;
}

struct handle *
handle_borrow(struct upstream_pool *pool, const struct provider *p)
{
	struct handle *h;

	pthread_mutex_lock(&pool->mutex);
	h = TAILQ_FIRST(&pool->providers[p->index].idle);
	if (h != NULL) {
		TAILQ_REMOVE(&pool->providers[p->index].idle, h, entry);
		pool->providers[p->index].nidle--;
	}
	pthread_mutex_unlock(&pool->mutex);
	if (h == NULL)
		return handle_new(p);
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

	h->idle_since_ms = now_ms;
	pthread_mutex_lock(&pool->mutex);
	TAILQ_INSERT_HEAD(&pool->providers[i].idle, h, entry);
	pool->providers[i].nidle++;
	oldest = TAILQ_LAST(&pool->providers[i].idle, handle_list);
	if (pool->providers[i].nidle > HANDLES_IDLE_MAX ||
	    oldest->idle_since_ms + h->provider->keepalive_ms < now_ms) {
		TAILQ_REMOVE(&pool->providers[i].idle, oldest, entry);
		pool->providers[i].nidle--;
	} else
		oldest = NULL;
	pthread_mutex_unlock(&pool->mutex);
	if (oldest != NULL)
		handle_free(oldest);
}

/* ---- the connection --------------------------------------------------- */

void
handle_connect(struct handle *h)
{
	h->forbidden = false;
	h->error[0] = '\0';
	curl_multi_add_handle(h->multi, h->easy);
	h->added = true;
}

int
handle_connecting(struct handle *h, CURLcode *code)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	CURLMsg *message;
	int running, left;

	curl_multi_perform(h->multi, &running);
	message = curl_multi_info_read(h->multi, &left);
	if (message == NULL)
		return 0;
	*code = message->data.result;
	if (*code == CURLE_OK)
		curl_easy_getinfo(h->easy, CURLINFO_ACTIVESOCKET, &fd);
	if (fd == CURL_SOCKET_BAD)
		return -1;
	h->fd = fd;
	return 1;
}

bool
handle_wait(struct handle *h, int fd, int timeout_ms)
{
	struct curl_waitfd also = { fd, CURL_WAIT_POLLIN, 0 };

	curl_multi_poll(
	    h->multi, &also, fd != -1 ? 1 : 0, timeout_ms, NULL);
	return also.revents != 0;
}

static ssize_t
failed(CURLcode code)
{
	errno = code == CURLE_AGAIN ? EAGAIN : ECONNRESET;
	return -1;
}

ssize_t
handle_send(struct handle *h, const struct iovec *iov, int n)
{
	struct msghdr message = { .msg_iov = (struct iovec *)iov,
		.msg_iovlen = (size_t)n };
	CURLcode code;
	size_t sent;

	if (!h->tls)
		return sendmsg(h->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	code = curl_easy_send(h->easy, iov->iov_base, iov->iov_len, &sent);
	return code == CURLE_OK ? (ssize_t)sent : failed(code);
}

ssize_t
handle_recv(struct handle *h, void *p, size_t len)
{
	CURLcode code;
	size_t n;

	if (!h->tls)
		return recv(h->fd, p, len, MSG_DONTWAIT);
	code = curl_easy_recv(h->easy, p, len, &n);
	return code == CURLE_OK ? (ssize_t)n : failed(code);
}

/* A provider that has nothing to answer has nothing to say either: what can be
 * read is the end.  (Under TLS it may be a session ticket.) */
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

/* curl closes a connection of CONNECT_ONLY when its handle leaves the multi.
 * A FIN would queue behind what the provider has not read of the request, and
 * tell it nothing until then. */
void
handle_disconnect(struct handle *h, bool reset)
{
	if (!h->added)
		return;
	h->reset = reset;
	curl_multi_remove_handle(h->multi, h->easy);
	h->reset = h->added = false;
	h->fd = -1;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides libcurl.  upstream_handle.c keeps what it connected.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/task.h"
#include "wire/connector.h"
#include "wire/connector_internal.h"

/* OpenSSL accepts a write as a whole or not at all: a large one would show
 * no progress until its end. */
#define SEND_BYTES ((size_t)64 * 1024)

/* A name that was not found within this time is looked up again to learn why;
 * otherwise its server does not respond. */
#define LOOK_UP_MS 1000

struct connector {
	CURLM *multi;
	CURL *easy;
	const struct provider *provider;
	bool tls; /* with the provider or its proxy */
	bool added; /* to the multi: connecting or connected */
	bool forbidden; /* the last address was outside the place */
	bool starved; /* curl had no memory for its own lists */
	bool exhausted; /* no socket was to be had, or no memory for a name */
	bool looked_up; /* the name, by us */
	struct lookup *lookup; /* while it runs: curl waits */
	struct curl_slist *found; /* by it, for curl */
	bool reset; /* what is closed now, is reset */
	int leaving; /* this one is not closed */
	struct pollfd fds[TASK_FDS_MAX]; /* what curl waits for, the last one */
	unsigned nfds; /* is the caller's */
	int64_t due_ms; /* when curl wants to be called */
	int64_t begun_ms;
	CURLcode code; /* how it failed */
	char error[CURL_ERROR_SIZE];
};

/* ---- sockets ---------------------------------------------------------- */

/* Did it fail for lack of a resource of our own? */
static bool
was_exhausted(const struct connector *c)
{
	return c->exhausted ||
	    (!c->forbidden && connector_lacks(c->easy, c->code, c->error));
}

/* The check of the address that connect(2) will really get. */
static curl_socket_t
open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct connector *c = ctx;
	int fd;

	(void)purpose;
	if (!connector_may(c->provider, &to->addr)) {
		c->forbidden = true;
		return CURL_SOCKET_BAD;
	}
	fd = socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
	c->exhausted |= fd == -1 && connector_is_exhaustion(errno);
	return fd;
}

int
connector_close(int fd, bool reset)
{
	struct linger hard = { .l_onoff = 1 };

	task_forget(fd);
	if (reset)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	return close(fd);
}

static int
close_socket(void *ctx, curl_socket_t fd)
{
	struct connector *c = ctx;

	return fd == c->leaving ? 0 : connector_close(fd, c->reset);
}

/* curl's callback: the descriptors that it waits for. */
static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *of_socket)
{
	struct connector *c = ctx;
	unsigned i = 0;

	(void)easy;
	(void)of_socket;
	while (i < c->nfds && c->fds[i].fd != fd)
		i++;
	if (what == CURL_POLL_REMOVE) {
		if (i < c->nfds)
			c->fds[i] = c->fds[--c->nfds];
		return 0;
	}
	if (i == TASK_FDS_MAX - 1)
		return -1; /* more than it ever uses */
	if (i == c->nfds)
		c->nfds++;
	c->fds[i].fd = fd;
	c->fds[i].events = (short)((what & CURL_POLL_IN ? POLLIN : 0) |
	    (what & CURL_POLL_OUT ? POLLOUT : 0));
	return 0;
}

static int
on_timer(CURLM *multi, long ms, void *ctx)
{
	struct connector *c = ctx;

	(void)multi;
	c->due_ms = ms < 0 ? CLOCK_NEVER : clock_now_ms() + ms;
	return 0;
}

/* ---- made and freed --------------------------------------------------- */

static void
set_up(struct connector *c, const struct provider *p)
{
	CURL *easy = c->easy;

	connector_set_options(easy, p);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, c);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, c);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, c->error);
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, 1L);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
}

struct connector *
connector_new(const struct provider *p)
{
	struct connector *c;

	if (!memory_is_there(CONNECT_BYTES))
		return NULL;
	c = memory_zero(sizeof(*c));
	c->leaving = -1;
	c->multi = curl_multi_init();
	c->easy = curl_easy_init();
	if (c->multi == NULL || c->easy == NULL) {
		connector_free(c);
		return NULL;
	}
	set_up(c, p);
	return c;
}

void
connector_free(struct connector *c)
{
	if (c == NULL)
		return;
	connector_end(c, false);
	curl_easy_cleanup(c->easy);
	curl_multi_cleanup(c->multi);
	free(c);
}

/* ---- a name that curl did not find ------------------------------------ */

static bool
lacked(struct connector *c)
{
	c->exhausted = true;
	snprintf(c->error, sizeof(c->error),
	    "no memory, descriptor or thread to resolve its name");
	return false;
}

/* curl does not say whether the resolver lacked something of our own, for which
 * no provider is blamed.  False: it has failed. */
static bool
look_up(struct connector *c)
{
	bool of_proxy = c->code == CURLE_COULDNT_RESOLVE_PROXY;

	if (!connector_is_unresolved(c->code) || c->looked_up ||
	    clock_now_ms() - c->begun_ms > LOOK_UP_MS || was_exhausted(c) ||
	    !lookup_may_begin())
		return false;
	c->looked_up = true;
	curl_multi_remove_handle(c->multi, c->easy);
	c->lookup = lookup_begin(
	    of_proxy ? c->provider->proxy : c->provider->url, of_proxy);
	if (c->lookup == NULL)
		return lacked(c);
	c->fds[0] =
	    (struct pollfd){ .fd = lookup_fd(c->lookup), .events = POLLIN };
	c->nfds = 1;
	c->due_ms = CLOCK_NEVER;
	return true;
}

/* curl connects to what the look-up found, so that it has no other one to do.
 * False: it has failed. */
static bool
end_look_up(struct connector *c)
{
	enum lookup_result result = lookup_result(c->lookup);

	if (result == LOOKUP_RUNS)
		return true;
	if (result == LOOKUP_FOUND)
		c->found = lookup_entry(c->lookup);
	lookup_end(c->lookup);
	c->lookup = NULL;
	c->nfds = 0;
	if (result == LOOKUP_UNKNOWN)
		return false;
	if (c->found == NULL)
		return lacked(c);
	curl_easy_setopt(c->easy, CURLOPT_RESOLVE, c->found);
	c->due_ms = clock_now_ms();
	c->error[0] = '\0';
	c->starved = curl_multi_add_handle(c->multi, c->easy) != CURLM_OK;
	return true;
}

static void
forget_look_up(struct connector *c)
{
	if (c->lookup != NULL)
		lookup_end(c->lookup);
	c->lookup = NULL;
	c->looked_up = false;
	if (c->found == NULL)
		return;
	curl_easy_setopt(c->easy, CURLOPT_RESOLVE, NULL);
	curl_slist_free_all(c->found);
	c->found = NULL;
}

/* ---- connecting ------------------------------------------------------- */

void
connector_begin(struct connector *c, const struct provider *p)
{
	c->provider = p;
	c->tls = connector_tls(p);
	c->forbidden = c->exhausted = false;
	c->code = CURLE_OK;
	c->error[0] = '\0';
	c->nfds = 0;
	c->due_ms = c->begun_ms = clock_now_ms();
	c->starved = !memory_is_there(CONNECT_BYTES) ||
	    curl_multi_add_handle(c->multi, c->easy) != CURLM_OK;
	c->added = true;
}

static enum upstream_result
result_of(const struct connector *c)
{
	if (was_exhausted(c))
		return UPSTREAM_EXHAUSTED;
	switch (c->code) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return UPSTREAM_TLS;
	default:
		return c->forbidden ? UPSTREAM_FORBIDDEN : UPSTREAM_CONNECT;
	}
}

/* Lets curl continue with what has come or is due. */
static void
drive(void *ctx)
{
	struct connector *c = ctx;
	struct pollfd fds[TASK_FDS_MAX];
	unsigned n = c->nfds;
	int running;

	if (c->starved || !memory_is_there(CONNECT_BYTES)) {
		c->starved = true;
		return;
	}
	/* It changes the list meanwhile. */
	memcpy(fds, c->fds, n * sizeof(*fds));
	for (unsigned i = 0; i < n; i++)
		if (fds[i].revents != 0)
			c->starved |=
			    curl_multi_socket_action(c->multi, fds[i].fd,
				(fds[i].revents & POLLIN ? CURL_CSELECT_IN
							 : 0) |
				    (fds[i].revents & POLLOUT ? CURL_CSELECT_OUT
							      : 0),
				&running) == CURLM_OUT_OF_MEMORY;
	if (c->due_ms <= clock_now_ms()) {
		c->due_ms = CLOCK_NEVER;
		c->starved |=
		    curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0,
			&running) == CURLM_OUT_OF_MEMORY;
	}
	for (unsigned i = 0; i < c->nfds; i++)
		c->fds[i].revents = 0;
}

int
connector_advance(struct connector *c, int *fd, enum upstream_result *why)
{
	curl_socket_t active = CURL_SOCKET_BAD;
	CURLMsg *message;
	int left;

	if (c->lookup != NULL) {
		if (end_look_up(c))
			return 0;
		*why = result_of(c);
		return -1;
	}
	/* A handshake takes the processor for a millisecond. */
	if (c->tls)
		task_offload(drive, c);
	else
		task_aside(drive, c);
	message = curl_multi_info_read(c->multi, &left);
	if (message == NULL && c->starved) {
		c->code = CURLE_OUT_OF_MEMORY;
		*why = UPSTREAM_EXHAUSTED;
		return -1;
	}
	if (message == NULL)
		return 0;
	c->code = message->data.result;
	if (look_up(c))
		return 0;
	if (c->code == CURLE_OK)
		curl_easy_getinfo(c->easy, CURLINFO_ACTIVESOCKET, &active);
	if (active == CURL_SOCKET_BAD) {
		*why = result_of(c);
		return -1;
	}
	*fd = active;
	return 1;
}

const char *
connector_error(const struct connector *c)
{
	return c->error[0] != '\0' ? c->error : curl_easy_strerror(c->code);
}

bool
connector_wait(struct connector *c, int also, int timeout_ms)
{
	struct pollfd *own = &c->fds[c->nfds];
	int64_t left_ms = c->due_ms - clock_now_ms();

	*own = (struct pollfd){ .fd = also, .events = POLLIN };
	if (c->due_ms != CLOCK_NEVER && left_ms < timeout_ms)
		timeout_ms = left_ms > 0 ? (int)left_ms : 0;
	if (task_poll(c->fds, c->nfds + 1, timeout_ms) <= 0)
		return false;
	return own->revents != 0;
}

/* curl closes a connection of CONNECT_ONLY when its handle leaves the
 * multi. */
void
connector_end(struct connector *c, bool reset)
{
	if (!c->added)
		return;
	forget_look_up(c);
	c->reset = reset;
	curl_multi_remove_handle(c->multi, c->easy);
	c->reset = c->added = false;
}

void
connector_leave(struct connector *c, int fd)
{
	c->leaving = fd;
	connector_end(c, false);
	c->leaving = -1;
}

/* ---- speaking --------------------------------------------------------- */

static ssize_t
moved(CURLcode code, size_t n)
{
	if (code == CURLE_OK)
		return (ssize_t)n;
	/* If the libraries have not touched errno since, it is the kernel's. */
	if (code == CURLE_AGAIN)
		errno = EAGAIN;
	else if (errno != ETIMEDOUT)
		errno = ECONNRESET;
	return -1;
}

ssize_t
connector_send(struct connector *c, const void *p, size_t len)
{
	size_t n = 0;
	CURLcode code;

	errno = 0;
	code =
	    curl_easy_send(c->easy, p, len < SEND_BYTES ? len : SEND_BYTES, &n);
	return moved(code, n);
}

ssize_t
connector_recv(struct connector *c, void *p, size_t len)
{
	size_t n = 0;
	CURLcode code;

	errno = 0;
	code = curl_easy_recv(c->easy, p, len, &n);
	return moved(code, n);
}

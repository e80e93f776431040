/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Looks up a name that curl did not find: curl does not say whether there is no
 * such name, or whether getaddrinfo(3) lacked memory or descriptors.
 *
 * A thread does it, because getaddrinfo(3) can't be interrupted.  If nobody
 * waits any more, the thread frees what it leaves.
 */
#include "config.h"

#include <errno.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/thread.h"
#include "wire/connector_internal.h"

#define STACK_BYTES ((size_t)256 * 1024) /* getaddrinfo(3) needs a third */
#define NAME_BYTES 320 /* "+HOST:PORT:" */
#define ADDRESSES_MAX 16
#define ADDRESS_BYTES 64
/* Threads of a process.  So many wait only for a resolver that hangs, and they
 * wait on when nobody else does. */
#define LOOKUPS_MAX 64

struct lookup {
	_Atomic unsigned users; /* its owner and the thread */
	_Atomic(enum lookup_result) result;
	int wait_fd; /* the owner's; readable when the thread has ended */
	int thread_fd;
	char *host;
	size_t len; /* of entry, for which see CURLOPT_RESOLVE(3) */
	char entry[NAME_BYTES + ADDRESSES_MAX * ADDRESS_BYTES];
};

static atomic_uint nlookups;

static void
leave(struct lookup *l)
{
	if (atomic_fetch_sub(&l->users, 1) > 1)
		return;
	curl_free(l->host);
	free(l);
}

/* ---- the thread ------------------------------------------------------- */

static void
add_address(struct lookup *l, const struct addrinfo *a)
{
	const char *separator = l->entry[l->len - 1] == ':' ? "" : ",";
	char text[ADDRESS_BYTES - sizeof(",[]")];
	bool six = a->ai_family == AF_INET6;

	if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0,
		NI_NUMERICHOST) == 0)
		l->len += (size_t)snprintf(l->entry + l->len,
		    sizeof(l->entry) - l->len, "%s%s%s%s", separator,
		    six ? "[" : "", text, six ? "]" : "");
}

static void *
lookup_main(void *ctx)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct lookup *l = ctx;
	struct addrinfo *list = NULL, *a;
	unsigned n = 0;
	bool lacks;
	int code;

	pthread_detach(pthread_self());
	errno = 0;
	code = getaddrinfo(l->host, NULL, &hints, &list);
	lacks =
	    code == EAI_MEMORY || (code != 0 && connector_is_exhaustion(errno));
	for (a = list; a != NULL && n < ADDRESSES_MAX; a = a->ai_next, n++)
		add_address(l, a);
	if (list != NULL)
		freeaddrinfo(list);
	l->result = lacks ? LOOKUP_LACKS
	    : code == 0   ? LOOKUP_FOUND
			  : LOOKUP_UNKNOWN;
	close(l->thread_fd);
	leave(l);
	atomic_fetch_sub(&nlookups, 1);
	return NULL;
}

/* ---- from outside ----------------------------------------------------- */

/* Begins the entry with what curl will look for.  False: there is no memory. */
static bool
name(struct lookup *l, const char *url, bool is_proxy)
{
	const char *usual = strncmp(url, "https:", 6) == 0 ? "443"
	    : is_proxy                                     ? "1080"
							   : "80";
	CURLU *parts = curl_url();
	char *port = NULL;
	bool named = parts != NULL &&
	    curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) ==
		CURLUE_OK &&
	    curl_url_get(parts, CURLUPART_HOST, &l->host, 0) == CURLUE_OK;

	if (named) {
		CURLUcode code = curl_url_get(parts, CURLUPART_PORT, &port, 0);

		named = code == CURLUE_OK || code == CURLUE_NO_PORT;
		l->len = (size_t)snprintf(l->entry, NAME_BYTES,
		    "+%s:%s:", l->host, port != NULL ? port : usual);
	}
	curl_free(port);
	curl_url_cleanup(parts);
	return named && l->len < NAME_BYTES;
}

static bool
start(struct lookup *l)
{
	pthread_t thread;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == -1)
		return false;
	l->wait_fd = fds[0];
	l->thread_fd = fds[1];
	l->users = 2;
	atomic_fetch_add(&nlookups, 1);
	if (thread_start(&thread, STACK_BYTES, lookup_main, l))
		return true;
	atomic_fetch_sub(&nlookups, 1);
	l->users = 1;
	close(fds[0]);
	close(fds[1]);
	return false;
}

bool
lookup_may_begin(void)
{
	return atomic_load(&nlookups) < LOOKUPS_MAX;
}

struct lookup *
lookup_begin(const char *url, bool is_proxy)
{
	struct lookup *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->users = 1;
	if (name(l, url, is_proxy) && start(l))
		return l;
	leave(l);
	return NULL;
}

int
lookup_fd(const struct lookup *l)
{
	return l->wait_fd;
}

enum lookup_result
lookup_result(const struct lookup *l)
{
	char byte;

	if (recv(l->wait_fd, &byte, 1, MSG_DONTWAIT) != 0)
		return LOOKUP_RUNS;
	return l->result;
}

struct curl_slist *
lookup_entry(const struct lookup *l)
{
	return curl_slist_append(NULL, l->entry);
}

void
lookup_end(struct lookup *l)
{
	close(l->wait_fd);
	leave(l);
}

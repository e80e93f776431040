/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Between upstream.c and upstream_handle.c only: a curl handle that a thread
 * borrows for one exchange, with what holds for every exchange of its
 * provider already set.
 *
 * Handles belong to one provider, not to one host: a connection that was made
 * under an external provider's rules is never used for a local one.
 */
#ifndef WIRE_UPSTREAM_HANDLE_H
#define WIRE_UPSTREAM_HANDLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <curl/curl.h>

#include "wire/upstream.h"

/* One connection, two while address families race. */
#define HANDLE_FDS_MAX 4

struct handle {
	CURLM *multi;
	CURL *easy;
	const struct provider *provider;
	/* Of the connections that are open, kept or in use.  curl itself
	 * tells (CURLINFO_ACTIVESOCKET) only from the second exchange on. */
	curl_socket_t fds[HANDLE_FDS_MAX];
	unsigned nfds;
	bool
	    crowded; /* more than fit: fds tells nothing until all are closed */
	bool forbidden; /* the last address was outside the place */
	bool reset; /* what is closed now, is reset */
	bool opening; /* a socket that no request has gone to yet */
	char error[CURL_ERROR_SIZE];
	int64_t idle_since_ms;
	TAILQ_ENTRY(handle) entry;
};

/* Is it one of the handle's open connections? */
bool handle_has(const struct handle *, curl_socket_t fd);
/* The pool's pump, or NULL. */
struct pump *handle_pump(struct upstream_pool *);

/* The most recently used handle of the provider, or a new one; NULL when
 * curl cannot make one. */
struct handle *handle_borrow(struct upstream_pool *, const struct provider *);
/* Sets all that holds for each exchange anew.  Needed after curl has silently
 * started again on a new connection: it does so five times in the life of a
 * handle (7.88: data->state.retrycount), unless it is reset. */
void handle_reset(struct handle *);
/* Back on top of the list. */
void handle_return(struct upstream_pool *, struct handle *);

#endif

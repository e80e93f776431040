/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Between upstream.c and upstream_handle.c only: one connection to a provider,
 * made by libcurl (names, address families, proxies, TLS) and then written to
 * and read from without its HTTP (CURLOPT_CONNECT_ONLY).  A thread borrows it
 * for one exchange.
 *
 * Handles belong to one provider, not to one host: a connection that was made
 * under an external provider's rules is never used for a local one.
 */
#ifndef WIRE_UPSTREAM_HANDLE_H
#define WIRE_UPSTREAM_HANDLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <curl/curl.h>

#include "wire/upstream.h"

struct handle {
	CURLM *multi;
	CURL *easy;
	const struct provider *provider;
	int fd; /* of the connection, for poll(2); -1: there is none */
	bool tls;
	bool added; /* to the multi: connecting or connected */
	bool forbidden; /* the last address was outside the place */
	bool reset; /* what is closed now, is reset */
	char error[CURL_ERROR_SIZE];
	int64_t idle_since_ms;
	TAILQ_ENTRY(handle) entry;
};

/* The pool's pump, or NULL. */
struct pump *handle_pump(struct upstream_pool *);

/* The most recently used handle of the provider, or a new one; NULL when
 * curl cannot make one. */
struct handle *handle_borrow(struct upstream_pool *, const struct provider *);
/* Back on top of the list, with its connection if it has one. */
void handle_return(struct upstream_pool *, struct handle *);

/* Is there a connection that was kept, and can it be used still? */
bool handle_alive(struct handle *);

/* Begins to connect. */
void handle_connect(struct handle *);
/* Goes on: 0 it is not there yet, 1 it is (fd), -1 it failed (*code; error has
 * the words, or nothing). */
int handle_connecting(struct handle *, CURLcode *code);
/* Blocks until that can go on, fd is readable or the time is over; is it
 * fd? */
bool handle_wait(struct handle *, int fd, int timeout_ms);

/* As sendmsg(2) and recv(2), which never block (EAGAIN); n > 0. */
ssize_t handle_send(struct handle *, const struct iovec *, int n);
ssize_t handle_recv(struct handle *, void *, size_t len);

/* Closes what there is; reset: at once, by RST (handle_disconnect tells what
 * for). */
void handle_disconnect(struct handle *, bool reset);

#endif

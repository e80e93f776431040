/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Between upstream.c and upstream_handle.c only: one connection to a provider,
 * that a task borrows for one exchange.
 *
 * Connections belong to one provider, not to one host: one that was made under
 * an external provider's rules is never used for a local one.
 */
#ifndef WIRE_UPSTREAM_HANDLE_H
#define WIRE_UPSTREAM_HANDLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "wire/connector.h"
#include "wire/upstream.h"

struct handle {
	const struct provider *provider;
	int fd; /* of the connection, for poll(2); -1: there is none */
	bool tls;
	struct connector *connector; /* while connecting, and with TLS */
	int64_t idle_since_ms;
	size_t unheard; /* bytes sent since the last one came */
	bool loses; /* it ends if nothing is acknowledged for a while */
	TAILQ_ENTRY(handle) entry;
};

/* The provider's most recently used connection, or one that has to be
 * connected yet. */
struct handle *handle_borrow(struct upstream_pool *, const struct provider *);
/* Back on top of the list, if it is connected; else it ends here. */
void handle_return(struct upstream_pool *, struct handle *);

/* Is there a kept connection that can still be used? */
bool handle_alive(struct handle *);

/* Begins to connect; false: there is no connector for it. */
bool handle_connect(struct upstream_pool *, struct handle *);
/* Goes on, as connector_advance(). */
int handle_connecting(
    struct upstream_pool *, struct handle *, enum upstream_result *why);

/* As sendmsg(2) and recv(2), which never block (EAGAIN); n > 0. */
ssize_t handle_send(struct handle *, const struct iovec *, int n);
ssize_t handle_recv(struct handle *, void *, size_t len);
/* Has the other end acknowledged no byte of what was sent since it last sent
 * one?  false also if the system does not tell. */
bool handle_unheard(const struct handle *);
/* Called now and then during a request: once something of it is acknowledged,
 * a slow reader does not end the connection. */
void handle_look(struct handle *);
/* Closes the connection, if any; reset: by RST. */
void handle_disconnect(struct handle *, bool reset);

#endif

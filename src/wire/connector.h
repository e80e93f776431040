/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Makes connections, by libcurl: names, address families, proxies, TLS, which
 * is always verified.  A local provider is only ever connected at a private
 * address (or one of its `addresses`): the check sits on the address handed
 * to connect(2).
 *
 * upstream.c uses the connection itself, without curl's HTTP
 * (CURLOPT_CONNECT_ONLY).  A plain connection leaves its connector, which then
 * makes the next one; one with TLS needs its connector as long as it exists.
 */
#ifndef WIRE_CONNECTOR_H
#define WIRE_CONNECTOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "wire/upstream.h"

struct connector;

/* Once, before the first; -1: libcurl can't be used. */
int connector_init(void);
/* Does what is the same for all processes that are forked from this one. */
void connector_prepare(void);

/* Is TLS used, with the provider or with its proxy? */
bool connector_tls(const struct provider *);

/* NULL when curl cannot make one. */
struct connector *connector_new(const struct provider *);
void connector_free(struct connector *);

/* Begins to connect. */
void connector_begin(struct connector *, const struct provider *);
/* Continues: 0: not connected yet; 1: connected (*fd, for poll(2)); -1:
 * failed, *why and connector_error() say how. */
int connector_advance(struct connector *, int *fd, enum upstream_result *why);
/* Until the next connector_begin(). */
const char *connector_error(const struct connector *);
/* Blocks until that can go on, `also` (-1: none) is readable or the time is
 * over; is it `also`? */
bool connector_wait(struct connector *, int also, int timeout_ms);

/* A plain connection becomes the caller's, who closes it; the connector is
 * free again. */
void connector_leave(struct connector *, int fd);
/* Gives up connecting, or closes the connection; reset: by RST. */
void connector_end(struct connector *, bool reset);

/* Over TLS, as send(2) and recv(2), which never block (EAGAIN). */
ssize_t connector_send(struct connector *, const void *, size_t len);
ssize_t connector_recv(struct connector *, void *, size_t len);

/* close(2); reset: by RST.  A FIN would be queued after the unread part of
 * the request, and reach the provider too late. */
int connector_close(int fd, bool reset);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * One exchange with a provider over HTTP/1.1, on a connection by libcurl.
 *
 * A process keeps a LIFO list of connections; a task borrows one for an
 * exchange, so that a quiet gateway keeps reusing one warm connection.  A kept
 * connection that turns out to be closed is replaced silently.  TLS is always
 * verified; no redirects, no proxy from the environment, no .netrc, no cookies.
 * A response in a coding, although none was requested, is decoded.  A local
 * provider is only ever connected at a private address (or one of its
 * `addresses`): the check sits on the address handed to connect(2).
 */
#ifndef WIRE_UPSTREAM_H
#define WIRE_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/span.h"
#include "base/watch.h"
#include "config/settings.h"
#include "wire/http1.h"

struct upstream_pool;

#define UPSTREAM_PARTS_MAX 7

struct upstream_request {
	const struct provider *provider;
	const char *key; /* one of the provider's, or the client's own, or
			  * NULL: it has none */
	bool own_x_api_key; /* of AUTH_CLIENT: it goes in x-api-key */
	const char *method; /* "POST", "GET", "DELETE" */
	const char *path; /* after provider->url: "/chat/completions" */
	bool beside_v1; /* the path is beside the url's /v1, not below it */
	const char *query; /* raw, without '?'; or NULL */
	const struct http1_field *fields; /* to send; provider's own and
						   its key are added here */
	size_t nfields;
	struct span parts[UPSTREAM_PARTS_MAX]; /* the body, end to end */
	size_t nparts;
	struct timeouts timeouts;
};

enum upstream_result {
	UPSTREAM_OK, /* the response ended as HTTP says it should */
	UPSTREAM_STOPPED, /* a sink function said stop */
	UPSTREAM_CLIENT_GONE, /* the watch said so */
	UPSTREAM_CONNECT, /* no connection */
	UPSTREAM_FORBIDDEN, /* the address is outside the place */
	UPSTREAM_TLS, /* handshake or verification failed */
	UPSTREAM_EXHAUSTED, /* no descriptor, port, thread or memory left here;
			       nothing was sent */
	UPSTREAM_TIMEOUT_CONNECT,
	UPSTREAM_TIMEOUT_FIRST_BYTE,
	UPSTREAM_TIMEOUT_IDLE,
	UPSTREAM_TIMEOUT_TOTAL,
	UPSTREAM_CUT, /* closed in the middle */
	UPSTREAM_BAD, /* not HTTP, or a head over its cap */
};

struct upstream_report {
	enum upstream_result result;
	const char *detail; /* for the log; arena */
	bool connected; /* a connection was made */
	bool reused;
	bool sent; /* bytes of the request were sent */
	uint64_t bytes_out; /* of its body, by all connections tried */
	uint64_t bytes_in; /* of the response's body */
	int64_t connect_ns; /* 0: reused */
	int64_t first_byte_ns; /* from the start of the exchange; 0: none */
};

/* Where the response goes.  Functions return 0, or -1: stop. */
struct upstream_sink {
	int (*head)(void *ctx, const struct http1_head *);
	int (*body)(void *ctx, struct span);
	/* Everything available was given to body(): pass it on. */
	int (*pause)(void *ctx);
	void *ctx;
};

/* Before a process sends.  -1: libcurl can't be set up. */
int upstream_init(void);
/* The part of it that takes long, in a process whose children will send. */
void upstream_prepare(void);
struct upstream_pool *upstream_pool_new(void);
void upstream_pool_free(struct upstream_pool *);
/* Closes idle connections: descriptors have run out. */
void upstream_pool_trim(struct upstream_pool *);
/* Closes those to one provider. */
void upstream_pool_forget(struct upstream_pool *, const struct provider *);

/* Blocks until the exchange has ended.  The connection is closed at once
 * unless it ended UPSTREAM_OK. */
void upstream_send(struct upstream_pool *, const struct upstream_request *,
    const struct watch *, const struct upstream_sink *, struct arena *,
    struct upstream_report *);

/* Connects anew, within timeout_ms, and keeps the connection for the next
 * exchange.  UPSTREAM_OK, or as upstream_send() would have failed; *detail is
 * for the log. */
enum upstream_result upstream_reach(struct upstream_pool *,
    const struct provider *, const struct watch *, int64_t timeout_ms,
    struct arena *, const char **detail);

const char *upstream_result_name(enum upstream_result);

#endif

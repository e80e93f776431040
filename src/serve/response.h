/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The client's side of a request: the head once, then bytes, and how it really
 * ended.
 *
 * It keeps a waiting stream alive (its head after `commit`, signs of life every
 * `heartbeat`, only between events) and notices when the client has gone;
 * response_tick() is the watch that all waiting code calls.
 */
#ifndef SERVE_ANSWER_H
#define SERVE_ANSWER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/span.h"
#include "base/watch.h"
#include "config/settings.h"
#include "config/sieve.h"
#include "policy/refusal.h"
#include "serve/alive.h"
#include "state/budget.h"
#include "wire/io.h"
#include "wire/peer.h"
#include "wire/upstream.h"

/* What is recorded of a response (record.h). */
struct record {
	uint64_t recording; /* its number */
	struct buf response; /* charged, and bounded */
	bool cut; /* it is only the beginning */
	/* Copies of what is gone once the client has its response. */
	const char *path, *type, *place; /* in the request's arena, or NULL */
	struct redact_keys keys; /* with keys of its own, wiped at the end */
};

#define RESPONSE_FIELDS_MAX 24

struct response {
	struct io *io;
	const struct config *config;
	const struct endpoint_spec *spec; /* NULL: no such URL */
	enum endpoint_shape shape; /* whose errors the client reads */
	const char *request_id;
	const struct memory_hold *memory; /* of the request; or NULL */
	struct redact_keys keys; /* that no part of it may hold */
	const struct sieve *sieve; /* covers the long ones; NULL: there are
				    * none */
	struct sieve_held held; /* by the sieve */
	struct record *record; /* what is recorded of it, or NULL */
	atomic_bool *aborting;
	struct peer_board *peers; /* NULL: only the web server can tell */
	struct peer_link peer;
	bool head_only; /* HEAD: the body is not sent */
	bool streams; /* the client asked for events */
	bool relayed; /* for another gateway, which sends the signs of life */
	bool exposes; /* its fields to a web page of another origin */
	bool caddy; /* shows that the client has gone only by failed writes */

	/* x-tailgate-… and our other fields, sent with the head. */
	struct response_field {
		const char *name, *value;
	} extra[RESPONSE_FIELDS_MAX];
	unsigned nextra;

	bool head_sent;
	bool head_early; /* by the heartbeat, before any upstream's */
	bool is_events; /* and says that a stream follows */
	bool at_boundary; /* between two events */
	bool gone; /* the client has left */
	bool ended; /* its last byte has been written */
	int64_t ended_ms;
	bool cut; /* it must not look whole */
	int status;
	uint64_t bytes_out;
	int64_t start_ms;
	int64_t last_write_ms;
	int burst; /* comments that must soon follow the last sign */
	struct alive alive;
};

/* start_ms: when the request began. */
void response_init(
    struct response *, struct io *, const struct config *, int64_t start_ms);
/* Adds one of our headers; kept by reference; too many are dropped. */
void response_add(struct response *, const char *name, const char *value);

/* What the client's budget leaves, as x-ratelimit-* in OpenAI's form, for
 * the bounds that it has. */
void
response_room(struct response *, const struct budget_room *, struct arena *);

/* Writes the head.  Of the upstream's fields, those on the allow-list pass.
 * length -1: not known.  -1: the client can't be reached. */
int response_head(struct response *, int status, const char *content_type,
    const struct http1_field *, size_t nfields, int64_t length);
int response_body(struct response *, struct span);
int response_flush(struct response *);
/* The response is complete; a client that leaves now has not left early. */
void response_end(struct response *);

/* A whole response of our own. */
void response_json(struct response *, int status, struct span body);
/* Refuses: as a status and JSON, or, if the head was sent, as an event in
 * the stream, or by cutting the response short. */
void response_refuse(struct response *, const struct refused *);
/* The upstream's own error as the client should see it: its JSON as it is,
 * anything else wrapped. */
void response_upstream_error(struct response *, int status,
    const struct http1_field *, size_t nfields, struct span body,
    const struct refused *wrapped);

/* struct watch's tick; ctx is the response. */
int response_tick(void *response);
/* Has the client gone?  Asks the kernel now: before a failure is blamed on a
 * provider, or work is begun for the client. */
bool response_gone(struct response *);
enum watch_out response_out(void *response);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What the files of the echo provider share: one exchange of it.
 */
#ifndef WIRE_ECHO_INTERNAL_H
#define WIRE_ECHO_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/jspan.h"
#include "base/span.h"
#include "config/endpoint.h"
#include "wire/upstream.h"

/* The members of a request that matter. */
enum {
	ECHO_MESSAGES,
	ECHO_PROMPT,
	ECHO_INPUT,
	ECHO_STREAM,
	ECHO_OPTIONS,
	ECHO_MAX,
	ECHO_MAX_COMPLETION,
	ECHO_DIMENSIONS,
	ECHO_FORMAT,
	ECHO_WANTS,
};

struct echo {
	enum endpoint endpoint;
	const char *model;
	struct jspan_want request[ECHO_WANTS];
	const struct upstream_sink *sink;
	const struct watch *watch;
	struct upstream_report *report;
	struct buf text; /* of the request, decoded */
	struct buf out; /* what is sent next */
	char id[40];
	int64_t created;
};

uint64_t echo_count_tokens(struct span text);
bool echo_is_number(struct span value);
/* The string's text; what does not fit into the buffer is left out. */
void echo_add_string(struct buf *, struct span value);

/* These return -1 when the exchange is over.  length -1: not known yet. */
int echo_send_head(struct echo *, int status, bool events, int64_t length);
/* Sends what is in `out`, which is empty then. */
int echo_send_out(struct echo *);
/* A whole response; nothing was sent before. */
void echo_send_error(struct echo *, const char *message, const char *param);

/* echo_vectors.c: the response to a request for embeddings. */
void echo_vectors(struct echo *);

#endif

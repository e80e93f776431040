/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A provider's response as its bytes come: framing (http1.h), content coding,
 * and how it ended.  No I/O: upstream.c pushes what it reads; so does a test.
 */
#ifndef WIRE_INCOMING_H
#define WIRE_INCOMING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/span.h"
#include "wire/coding.h"
#include "wire/http1.h"
#include "wire/upstream.h"

struct incoming {
	const struct upstream_sink *sink;
	struct arena *arena;
	struct http1 http;
	struct coding *coding; /* or NULL */
	uint64_t bytes; /* of the body, decoded */
	bool body_seen; /* a byte of the body has come */
	bool dirty; /* body bytes were given since this was set to false */
	bool stopped; /* a sink function said stop */
	bool over; /* it has ended: */
	enum upstream_result ended;
	const char *detail; /* for the log, when it did not end well */
};

void
incoming_init(struct incoming *, const struct upstream_sink *, struct arena *);
void incoming_free(struct incoming *);
void incoming_push(struct incoming *, struct span bytes);
/* The connection has ended.  clean: properly, and all that we had to send was
 * sent. */
void incoming_end(struct incoming *, bool clean);
/* It has ended for another reason. */
void incoming_fail(struct incoming *, enum upstream_result, const char *detail);

#endif

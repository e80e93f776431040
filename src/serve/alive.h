/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How a stream that waits shows that it is alive: a comment with one newline
 * (a second one would end an event for decoders that remember an id), `ping`
 * for Messages, and a repeated `response.in_progress` for Responses, whose
 * clients count events.
 *
 * It outlives the attempts of a request, because a client gets
 * `response.created` only once, and its numbers go on.
 */
#ifndef SERVE_ALIVE_H
#define SERVE_ALIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "bridge/bridge.h"
#include "config/endpoint.h"

#define ALIVE_COMMENT ": waiting\n"
#define ALIVE_ID_BYTES 192

struct alive {
	enum endpoint endpoint; /* the client's */
	const char *request_id, *model;
	struct bridge_run *run; /* its events are the stream; or NULL */
	/* Of a Responses stream: */
	bool begun; /* `response.created` was sent */
	bool ours; /* by the gateway, with an id of its own */
	bool numbered; /* an event has a number */
	uint64_t number; /* the last one's */
	char id[ALIVE_ID_BYTES]; /* of the response; empty: not known yet */
};

/* The texts must stay valid as long as the request. */
void alive_init(
    struct alive *, enum endpoint, const char *request_id, const char *model);

/* From now on this run makes the events; it continues the stream. */
void alive_bridge(struct alive *, struct bridge_run *);
/* The run has ended (or the attempt had none). */
void alive_unbridge(struct alive *);

/* Records an event of a Responses stream that passes unchanged. */
void alive_note(struct alive *, struct span data);

/* The id that such an event gives the response, if the client already knows
 * another one: the SDKs do not accept two.  p NULL: nothing to change. */
struct span alive_foreign_id(struct alive *, struct span data);

/* Writes a sign of life. */
void alive_write(struct alive *, struct buf *out);

/* The number of the next event that the gateway adds at the stream's end. */
uint64_t alive_next_number(struct alive *);
/* The id of the response. */
const char *alive_id(struct alive *);

#endif

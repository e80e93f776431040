/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Server-sent events (WHATWG HTML §9.2) as they pass: bytes in, events out.
 *
 * The relay never rewrites what passes; it needs to know where an event ends
 * (a comment may go there and nowhere else), what its name and data are, and
 * whether the stream stopped in the middle of one.  Framing by LF, CRLF and
 * CR, a BOM at the start, and events split anywhere are handled.  An event's
 * data is gathered up to a cap; a longer one still passes, marked `cut`.
 */
#ifndef WIRE_SSE_H
#define WIRE_SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

struct sse_event {
	struct span name; /* of "event:", empty if none */
	struct span data; /* lines joined by LF */
	bool cut; /* data was longer than the cap */
	/* Its position in the stream: from its first line, including
	 * comments above it, to the end of its blank line.  It does not
	 * depend on how the bytes were split. */
	uint64_t begin, end;
};

struct sse {
	struct buf line; /* of a line split between pushes */
	struct buf name, data;
	struct span held; /* data so far, if it needs no copy */
	size_t max_event_bytes;
	bool starved; /* there was no memory for a part of an event */
	bool has_data;
	bool cut;
	uint64_t total; /* bytes pushed */
	uint64_t begin; /* of the event that is open */
	bool after_cr; /* an LF here belongs to a line that ended */
	bool pending_cr; /* a line ends, here or after an LF */
	bool bare_cr; /* the last line ended in CR alone */
	bool at_start; /* of the stream */
	bool in_event; /* bytes since the last boundary */
	bool line_cut;
};

/* What is kept of an event is charged to hold; NULL: not charged. */
void sse_init(struct sse *, size_t max_event_bytes, struct memory_hold *hold);
void sse_free(struct sse *);
/* Feeds bytes; calls event() at the end of each event that has data.  Its
 * return other than 0 ends the push and is returned; the rest of the bytes
 * is then lost.  The event's spans are valid until event() returns.  A CR at
 * the end of the bytes waits for the next ones, unless lines end in CR
 * alone: the end of an event is after its LF then, in every packing. */
int sse_push(struct sse *, struct span bytes,
    int (*event)(void *ctx, const struct sse_event *), void *ctx);
/* The stream has ended: hands out the event that lacks only its blank line
 * (or its last line end).  Strict clients drop such an event. */
int sse_finish(
    struct sse *, int (*event)(void *ctx, const struct sse_event *), void *ctx);
/* Between two events: a comment may be written here. */
bool sse_at_boundary(const struct sse *);
/* The length of the stream's whole events (and what is between them). */
uint64_t sse_open_at(const struct sse *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Between the files relay*.c only.
 */
#ifndef SERVE_RELAY_INTERNAL_H
#define SERVE_RELAY_INTERNAL_H

#include "serve/relay.h"

/* A JSON response up to this size is checked as a whole before it passes. */
#define RELAY_PEEK_BYTES (64 * 1024)

/* What the first bytes of a body show. */
enum relay_beginning {
	RELAY_BEGINS_OTHER,
	RELAY_BEGINS_EVENTS,
	RELAY_BEGINS_JSON,
	RELAY_BEGINS_UNSAID, /* not enough of them yet */
};

/* Does the client get an event stream, whatever the upstream sends? */
bool relay_must_stream(const struct relay *);
/* Decides what the response is: by its first bytes if events were asked for
 * or are announced, otherwise by its Content-Type.  -1: the client can't get
 * that. */
int relay_decide(struct relay *, enum relay_beginning);
/* Sends the client its head; from now on no other target can be tried. */
int relay_commit(struct relay *, int64_t length);

/* Bytes of an event stream: to the client, or to the bridge.  -1: stop. */
int relay_push_events(struct relay *, struct span bytes);
int relay_push_bridged(struct relay *, struct span bytes);
/* Bytes of a stream that the client gets: keys outside of the events' fields
 * are covered.  -1: stop. */
int relay_pass_lines(struct relay *, struct span bytes);
/* The stream has ended properly for HTTP: handles an event that lacks only
 * its blank line. */
void relay_end_events(struct relay *);

/* relay_complaint.c.  An event of a chat stream: is it a complaint, or does
 * the response go on?  choices: it has some. */
void relay_note_complaint(struct relay *, struct span data, bool choices);
/* Is the first meaningful event an error inside of a 200?  last: it also
 * ends the stream. */
bool relay_begins_as_error(struct relay *, const struct sse_event *, bool last);
/* The stream is over, and a complaint came last. */
void relay_end_complaint(struct relay *);
/* Did a complaint come last, before the bridge had a reason for the end? */
bool relay_bridge_complains(const struct relay *);
/* Ends the bridge's response with this error. */
void relay_bridge_fail(struct relay *, struct span data);

/* Sends the client what the bridge has made so far. */
int relay_pass_bridged(struct relay *, int64_t length);
void relay_bridge_result(struct relay *, enum bridge_result);
/* Gives the bridge's client the ledger's usage, if the upstream has reported
 * it. */
void relay_tell_usage(struct relay *);

#endif

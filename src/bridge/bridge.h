/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The bridges: Responses and Messages for targets that speak only chat
 * completions.  Pure translators, pushed by the relay: bodies and events in,
 * bodies and events out, no I/O, no clock.
 *
 * One request, in order:
 *
 * 	run = bridge_new(candidate->bridge, &ask);
 * 	bridge_request(run, body, &chat, &refused)	-> /chat/completions
 * 	name bridge_dropped(run) in a response header and the log
 * 	whole response:	bridge_response(run, response, &out)
 * 	stream:		bridge_event(run, data, &out) for each SSE event;
 * 			bridge_end(run, &out) when the upstream has ended,
 * 			bridge_fail(run, &refused, &out) when it was cut, or a
 * 			refusal comes after the head was sent
 * 	usage:		bridge_set_usage(run, &used) before each of these, if
 * 			the upstream has reported it
 * 	error status:	bridge_error_body(run, status, body, &out)
 * 	bridge_free(run);
 *
 * A run is made anew for each target that is tried.  doc/bridges.md says what
 * the bridges map and what they refuse.
 */
#ifndef BRIDGE_BRIDGE_H
#define BRIDGE_BRIDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/span.h"
#include "policy/plan.h"
#include "policy/refusal.h"

struct bridge_run;

/* All of it is copied. */
struct bridge_ask {
	const char *request_id; /* part of the response's ids */
	const char *model; /* as the client wrote it */
	const char *upstream_model;
	bool stream;
	bool ask_usage; /* add stream_options.include_usage */
	struct dialect dialect; /* of the target; all zero: the default */
	uint64_t input_tokens; /* our estimate, if the upstream reports none */
	int64_t wall_ms; /* created_at */
	size_t max_bytes; /* of a response in memory; 0: 64 MiB */
	struct memory_share *memory; /* that is charged; NULL: the budget */
};

/* BRIDGE_RESPONSES or BRIDGE_MESSAGES. */
struct bridge_run *bridge_new(enum bridge, const struct bridge_ask *);
void bridge_free(struct bridge_run *);

/* The client's body as a chat completions body in out: what is only carried
 * (schemas, arguments, texts, numbers) byte for byte as written.  -1: it
 * asks for something that no chat upstream has, or is malformed; *refused
 * says what (its texts live as long as the run) and out is useless.  Besides
 * the body it needs at most three times its memory. */
int bridge_request(
    struct bridge_run *, struct span body, struct buf *out, struct refused *);

/* What was left out because a chat upstream cannot have it (hosted tools and
 * their items), as a header's value: "web_search, mcp_call"; NULL: nothing.
 * After bridge_request(). */
const char *bridge_dropped(const struct bridge_run *);

enum bridge_result {
	BRIDGE_MORE,
	BRIDGE_DONE, /* the response is whole; end the body now */
	BRIDGE_FAILED, /* upstream's error or nonsense: out has the end for the
		        * client, bridge_why() the text; end the body now */
};

/* A whole chat response: the client's object, or, if the client asked for a
 * stream, all of its events.  BRIDGE_FAILED (not streaming): out is empty;
 * the caller refuses with REFUSE_UPSTREAM. */
enum bridge_result
bridge_response(struct bridge_run *, struct span response, struct buf *out);

/* The data of one event of the chat stream ("[DONE]" too).  What the client
 * gets for it, perhaps nothing, is added to out. */
enum bridge_result
bridge_event(struct bridge_run *, struct span data, struct buf *out);

/* The upstream's stream has ended without an error.  BRIDGE_DONE: complete.
 * BRIDGE_FAILED: it was incomplete, and out says so to the client. */
enum bridge_result bridge_end(struct bridge_run *, struct buf *out);

/* Ends the client's stream with an error, also if it has not begun.  Does
 * nothing if it has ended. */
void bridge_fail(struct bridge_run *, const struct refused *, struct buf *out);
/* The same with an upstream's error body (as for bridge_error_body). */
void bridge_fail_upstream(
    struct bridge_run *, int status, struct span body, struct buf *out);

/* Has the upstream said why its response ends? */
bool bridge_is_finished(const struct bridge_run *);

/* Writes the API's sign of life: `ping`, or `response.in_progress` (before it,
 * if the stream has not begun, `response.created`).  The number of the next
 * event; 0: the API does not number them. */
unsigned bridge_alive(struct bridge_run *, struct buf *out);
/* The client's stream has begun before this run: its next event has this
 * number.  Before any event. */
void bridge_resume(struct bridge_run *, unsigned sequence);

/* Was there memory for what it has gathered?  If not, its output is useless. */
enum memory_lack bridge_lack(const struct bridge_run *);

/* Why the last call failed: a sentence, perhaps the upstream's own; NULL: it
 * did not. */
const char *bridge_why(const struct bridge_run *);

/* The body of an upstream's error response in the client's shape: unchanged
 * for Responses if it has that shape, otherwise its words in a new one. */
void bridge_error_body(
    struct bridge_run *, int status, struct span body, struct buf *out);

/* Tokens, as in the ledger: input includes what was cached or written to a
 * cache, output includes reasoning. */
struct bridge_usage {
	bool known;
	uint64_t input, cached, cache_write, output, reasoning;
};

/* What the upstream has reported so far, for the client. */
void bridge_set_usage(struct bridge_run *, const struct bridge_usage *);
/* The output's tokens by the upstream's texts and arguments so far, which
 * the client gets if nothing was reported. */
uint64_t bridge_estimate(const struct bridge_run *);

/* The response to count_tokens: call->input_tokens, an estimate. */
void bridge_count_tokens(uint64_t input_tokens, struct buf *out);

#endif

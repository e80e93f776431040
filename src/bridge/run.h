/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What the files of the bridges share among themselves; nobody else includes
 * it.
 *
 *	bridge.c		the interface, errors
 *	{responses,messages}_request.c	client's body -> chat body
 *	{responses,messages}_input.c	its conversation -> messages
 *	responses_tools.c	tools wherever they stand -> functions
 *	fields.c		the members of a body
 *	talk.c, pairs.c, pieces.c	messages in the order that chat wants
 *	names.c			the client's tools by their upstream names
 *	attribution.c		Claude Code's billing line
 *	chat.c			chat answer -> parts and calls, in order
 *	{responses,messages}_stream.c	parts and calls -> client
 *	json.c			small things about Jansson
 *
 * On the way there everything is a span of the client's body, on the way back
 * an upstream's event is small enough for a tree.
 *
 * chat.c sees to it that one thing is open at a time: a part (text, refusal,
 * reasoning) or a call is opened, gets its deltas and is closed before the
 * next is opened.
 */
#ifndef BRIDGE_RUN_H
#define BRIDGE_RUN_H

#include <jansson.h>

#include "bridge/bridge.h"
#include "bridge/names.h"

#define BRIDGE_CALLS_MAX 256

enum bridge_part {
	BRIDGE_PART_NONE,
	BRIDGE_PART_TEXT,
	BRIDGE_PART_REFUSAL,
	BRIDGE_PART_REASONING,
};

enum bridge_finish {
	BRIDGE_FINISH_NONE, /* not said yet */
	BRIDGE_FINISH_STOP,
	BRIDGE_FINISH_CALLS,
	BRIDGE_FINISH_LENGTH,
	BRIDGE_FINISH_FILTER,
};

struct bridge_call {
	long long index; /* upstream's, -1: it gave none */
	char *id, *name;
	struct buf args;
	size_t sent; /* of args, as deltas */
	enum {
		BRIDGE_CALL_WAITING,
		BRIDGE_CALL_OPEN,
		BRIDGE_CALL_CLOSED
	} state;
	const struct name *tool; /* the client's, or NULL; once it is open */
	bool custom; /* a Responses custom tool */
};

/* Error as the client is told it. */
struct bridge_error {
	const char *code; /* OpenAI's */
	const char *anthropic; /* Anthropic's error.type */
	const char *message;
	const char *type; /* OpenAI's; NULL: server_error */
};

/* One dialect.  slot is the index of the item or block that is open. */
struct bridge_ops {
	/* The members of the chat body after the model, each with a comma
	 * before it.  -1: refused. */
	int (*request)(struct bridge_run *, struct span body, struct buf *out);
	void (*begin)(struct bridge_run *, struct buf *out);
	void (*part_open)(struct bridge_run *, struct buf *out);
	void (*part_delta)(struct bridge_run *, struct span, struct buf *out);
	void (*part_close)(struct bridge_run *, struct buf *out);
	void (*call_open)(
	    struct bridge_run *, struct bridge_call *, struct buf *out);
	void (*call_delta)(struct bridge_run *, struct bridge_call *,
	    struct span, struct buf *out);
	void (*call_close)(
	    struct bridge_run *, struct bridge_call *, struct buf *out);
	void (*end)(struct bridge_run *, struct buf *out);
	void (*fail)(
	    struct bridge_run *, const struct bridge_error *, struct buf *out);
	/* The whole object, not streamed. */
	void (*object)(struct bridge_run *, struct buf *out);
};

struct bridge_usage {
	bool known;
	uint64_t input, cached, output, reasoning;
};

struct bridge_run {
	const struct bridge_ops *ops;
	enum bridge kind;
	char *request_id, *model, *upstream_model;
	bool stream, ask_usage;
	struct dialect dialect;
	uint64_t input_tokens;
	int64_t wall_ms;

	/* Of the request. */
	struct refused *refused;
	char message[256], param[128]; /* of a refusal */
	struct buf dropped;
	struct buf echo; /* members that a Responses object repeats */
	struct names *names; /* the tools, and those of earlier calls */

	/* Of the answer. */
	bool begun, ended;
	enum bridge_step last; /* what the end was */
	const char *why;
	enum bridge_part part;
	unsigned slot; /* of what is open, or comes next */
	unsigned sequence;
	struct buf text; /* of the part so far */
	struct bridge_call *calls;
	size_t ncalls;
	struct bridge_call *call; /* the open one */
	enum bridge_finish finish;
	struct bridge_usage usage;
	uint64_t output_estimate;
	struct buf items; /* closed items or blocks, comma-separated */
};

extern const struct bridge_ops bridge_responses, bridge_messages;
int bridge_responses_request(
    struct bridge_run *, struct span body, struct buf *out);
int bridge_messages_request(
    struct bridge_run *, struct span body, struct buf *out);
/* An error's message as JSON, in Anthropic's words where clients look for
 * them. */
void bridge_messages_text(const struct bridge_error *, struct buf *out);
/* `system` and `messages` as chat messages, comma-separated. */
int bridge_messages_input(struct bridge_run *, struct span system,
    struct span messages, struct buf *out);

/* The tools of a Responses request, wherever they stand in it. */
struct responses_tools {
	struct responses_tool *list;
	size_t n, size;
};
/* `instructions` and `input` as chat messages. */
int bridge_responses_input(struct bridge_run *, struct span instructions,
    struct span input, struct responses_tools *, struct buf *out);
/* Gathers the tools of a list; -1: refused. */
int bridge_responses_gather(
    struct bridge_run *, struct responses_tools *, struct span list);
/* tool_choice, the tools themselves and parallel_tool_calls. */
int bridge_responses_tools(struct bridge_run *, struct responses_tools *,
    struct span choice, struct span parallel, struct buf *out);

/* bridge.c: fills *refused from a format; returns -1. */
int bridge_refuse(struct bridge_run *, enum refusal, const char *param,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Names something in bridge_dropped(), once. */
void bridge_drop(struct bridge_run *, struct span name);
/* `,"key":` */
void bridge_key(struct buf *, const char *key);
/* What the client calls the tool of this upstream name, custom or in a
 * namespace; NULL: it offered none, the name is the model's own. */
const struct name *bridge_tool(const struct bridge_run *, struct span upstream);
/* What the client is told: its own name of the tool. */
struct span bridge_call_name(const struct bridge_call *);
/* The entry of a tool; NULL: there are too many, refused. */
struct name *bridge_name(struct bridge_run *, struct span space,
    struct span name, bool custom);
/* {"type":"function","function":{…}}; the spans are JSON values, the
 * description may be p NULL, a schema that is no object counts as none. */
void bridge_function(struct bridge_run *, const struct name *,
    struct span description, struct span schema, bool strict, struct buf *out);
/* `,"tool_choice":` that names a function. */
void bridge_choice(const struct name *, struct buf *out);
/* Ends the run as failed and tells the client. */
void bridge_break(struct bridge_run *, const char *why,
    const struct bridge_error *, struct buf *out);

/* chat.c: a chunk, or a whole answer. */
void bridge_take(struct bridge_run *, json_t *chunk, struct buf *out);
/* Closes what is open and ends it. */
void bridge_finish(struct bridge_run *, struct buf *out);
/* What it used, reported or estimated. */
struct bridge_usage bridge_used(const struct bridge_run *);
/* An upstream's error in either of its shapes; texts live in the tree. */
struct bridge_error bridge_error_of(json_t *error);

/* json.c.  Out of memory is fatal in all of them. */
/* NULL: no JSON object or list, or deeper than JSCAN_DEPTH_MAX; *at, if
 * asked for, is about where. */
json_t *bridge_parse(struct span, size_t *at);
void bridge_dump(struct buf *, const json_t *);
/* Member that is there and not null; else NULL. */
json_t *bridge_member(const json_t *object, const char *key);
/* Member that is a string: its bytes; else p NULL. */
struct span bridge_span(const json_t *object, const char *key);
struct span bridge_string_span(const json_t *);
/* Is the member this string? */
bool bridge_is(const json_t *object, const char *key, const char *text);
uint64_t bridge_count(const json_t *object, const char *key);
#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Shared by the files of the bridges only.
 *
 * 	bridge.c		the interface
 * 	{responses,messages}_request.c	client's body -> chat body
 * 	{responses,messages}_input.c, input.c	its conversation -> messages
 * 	responses_parts.c	texts, pictures and files of an item
 * 	responses_tools.c	tools wherever they stand -> functions
 * 	fields.c		the members of a body
 * 	talk.c, pairs.c, pieces.c	messages in the order that chat wants
 * 	talk_carried.c		what an upstream wants back, in a turn
 * 	names.c			the client's tools by their upstream names
 * 	ids.c			the calls that the conversation has
 * 	attribution.c		Claude Code's billing line
 * 	extras.c, carry.c	what an upstream wants back, there and back
 * 	chat.c, chat_extras.c	chat response -> parts and calls, in order
 * 	chunk.c, chunk_decode.c	a chat chunk
 * 	calls.c			tool calls, however they are packed
 * 	arguments.c		how far a call's arguments have come
 * 	finish.c		finish reasons
 * 	errors.c, words.c	an upstream's errors, and their words
 * 	{responses,messages}_stream.c	parts and calls -> client
 * 	responses_calls.c	the calls of a Responses stream
 *
 * Everything is a span of the client's body on the way there, and of the
 * upstream's on the way back.
 *
 * chat.c and calls.c make sure that one thing is open at a time: a part (text,
 * refusal, reasoning) or a call is opened, gets its deltas and is closed before
 * the next is opened.
 */
#ifndef BRIDGE_RUN_H
#define BRIDGE_RUN_H

#include "base/jput.h"
#include "bridge/arguments.h"
#include "bridge/bridge.h"
#include "bridge/chunk.h"
#include "bridge/extras.h"
#include "bridge/finish.h"
#include "bridge/ids.h"
#include "bridge/names.h"

#define BRIDGE_CALLS_MAX 256

struct bridge_call {
	long long index; /* upstream's, -1: it gave none */
	char *upstream_id; /* NULL: it gave none (yet) */
	char *id; /* the client's; once it is open */
	char *name;
	struct arguments args;
	struct chunk_half half; /* of args */
	size_t sent; /* of args, as deltas */
	enum {
		BRIDGE_CALL_WAITING,
		BRIDGE_CALL_OPEN,
		BRIDGE_CALL_CLOSED
	} state;
	const struct name *tool; /* the client's, or NULL; once it is open */
	uint64_t chunk; /* the last one that brought some of it */
	struct extras extras; /* the upstream's own members of it, */
	struct extras function; /* and in its function; not yet carried */
	bool carried; /* some were */
};

/* The error as the client gets it. */
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
	/* A separate part, in which the client keeps what the upstream wants
	 * back: a JSON string (carry.h). */
	void (*carry)(struct bridge_run *, struct span text, struct buf *out);
	void (*call_open)(
	    struct bridge_run *, struct bridge_call *, struct buf *out);
	void (*call_delta)(struct bridge_run *, struct bridge_call *,
	    struct span, struct buf *out);
	void (*call_close)(
	    struct bridge_run *, struct bridge_call *, struct buf *out);
	void (*end)(struct bridge_run *, struct buf *out);
	void (*fail)(
	    struct bridge_run *, const struct bridge_error *, struct buf *out);
	/* The response ends, but the arguments of the open call are
	 * incomplete: it must not look like a call that can be run. */
	void (*call_leave)(
	    struct bridge_run *, struct bridge_call *, struct buf *out);
	void (*alive)(struct bridge_run *, struct buf *out);
	/* The whole object, not streamed. */
	void (*object)(struct bridge_run *, struct buf *out);
};

struct bridge_run {
	const struct bridge_ops *ops;
	struct memory_hold memory; /* of all its buffers and lists */
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
	struct ids ids; /* of the earlier calls */
	struct buf stops; /* the client's stop sequences: a JSON list */

	/* Of the response. */
	bool begun, ended; /* its first and last events are written */
	bool answered; /* a chunk with choices has come */
	enum bridge_result last; /* what the end was */
	const char *why;
	struct chunk chunk;
	uint64_t chunks; /* so far */
	enum chunk_part part; /* the open one */
	struct chunk_half halves[4]; /* of each kind of part */
	struct buf late[4]; /* text that waits for a call's end */
	unsigned slot; /* of what is open, or comes next */
	unsigned sequence;
	struct buf text; /* of the part so far */
	struct buf piece; /* as it is decoded */
	struct extras extras; /* of the message, not yet carried */
	bool text_last; /* a text has been closed, and no call since */
	uint64_t gathered; /* bytes of texts and arguments */
	struct bridge_call *calls;
	size_t ncalls;
	size_t first_call; /* those before it are closed */
	struct bridge_call *touched; /* the last one that got something */
	enum finish finish;
	char reason[64]; /* of a failure, as the upstream calls it */
	struct buf stop_sequence; /* the one that was met, if told */
	struct bridge_usage usage;
	uint64_t output_estimate;
	struct buf items; /* closed items or blocks, comma-separated */
	struct buf words; /* an upstream's error */
	char code[64]; /* of it */
};

extern const struct bridge_ops bridge_responses, bridge_messages;
int bridge_responses_request(
    struct bridge_run *, struct span body, struct buf *out);
int
bridge_messages_request(struct bridge_run *, struct span body, struct buf *out);
/* An error's message as JSON, in Anthropic's words if clients look for them. */
void bridge_messages_text(const struct bridge_error *, struct buf *out);
/* `system` and `messages` as chat messages, comma-separated. */
int bridge_messages_input(struct bridge_run *, struct span system,
    struct span messages, struct buf *out);

/* The tools of a Responses request, wherever they are in it. */
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
/* The client's tool of this upstream name, custom or in a namespace; NULL:
 * the client offered none, the model invented the name. */
const struct name *bridge_tool(const struct bridge_run *, struct span upstream);
enum name_kind bridge_call_kind(const struct bridge_call *);
/* The client's own name of the tool. */
struct span bridge_call_name(const struct bridge_call *);
/* The entry of a tool; NULL: there are too many, refused. */
struct name *bridge_name(
    struct bridge_run *, struct span space, struct span name, enum name_kind);
/* {"type":"function","function":{…}}; the spans are JSON values, the
 * description may be p NULL, a schema that is no object counts as none. */
void bridge_function(struct bridge_run *, const struct name *,
    struct span description, struct span schema, bool strict, struct buf *out);
/* `,"tool_choice":` that names a function. */
void bridge_choice(const struct name *, struct buf *out);
/* Ends the run as failed, with an error for the client. */
void bridge_break(struct bridge_run *, const char *why,
    const struct bridge_error *, struct buf *out);

/* Ends it because of an upstream that violates its API. */
void
bridge_break_upstream(struct bridge_run *, const char *why, struct buf *out);

/* chat.c: a chunk, or a whole response. */
void bridge_take(struct bridge_run *, struct span chunk, struct buf *out);
/* Closes what is open and ends it. */
void bridge_finish(struct bridge_run *, struct buf *out);
/* What it used, reported or estimated. */
struct bridge_usage bridge_used(const struct bridge_run *);
void bridge_close_part(struct bridge_run *, struct buf *out);
/* Text that waited for the end of a call. */
void bridge_put_late(struct bridge_run *, struct buf *out);

/* chat_extras.c: the chunk's members besides the API's: of the message, of a
 * text (of as in chunk.h; true: it has some) under this name, of a call. */
void bridge_take_extras(struct bridge_run *);
bool bridge_take_part_extras(struct bridge_run *, size_t of, const char *name);
void
bridge_take_call_extras(struct bridge_run *, size_t of, struct bridge_call *);
/* Gives the client what has been gathered, if it matters: before the text
 * that follows, because some clients take the last part for the response. */
void bridge_put_extras(struct bridge_run *, struct buf *out);
/* The same at the end.  After a text the Messages API has no place for it:
 * Claude Code (-p) takes the last block for the response. */
void bridge_put_last_extras(struct bridge_run *, struct buf *out);
void bridge_put_call_extras(
    struct bridge_run *, struct bridge_call *, struct buf *out);

/* calls.c: the call with this number of the chunk. */
void bridge_take_call(struct bridge_run *, size_t number, struct buf *out);
/* Closes the open call if it is complete.  False: it is open still. */
bool bridge_settle_call(struct bridge_run *, struct buf *out);
/* The response has ended: every call is closed or, if the response was cut
 * short by its length or a filter, perhaps left. */
void bridge_finish_calls(struct bridge_run *, struct buf *out);
void bridge_free_calls(struct bridge_run *);

/* errors.c: an upstream's error body, or the `error` member of one.  status
 * 0: not known.  Its texts live in the run until the next one. */
struct bridge_error
bridge_error_of(struct bridge_run *, int status, struct span body);

#endif

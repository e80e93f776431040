/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What the files of the bridges share among themselves; nobody else includes
 * it.
 *
 *	bridge.c			the interface, errors
 *	bridge_chat.c			chat answer -> parts and calls, in order
 *	bridge_json.c			small things about Jansson
 *	bridge_talk.c			messages in the order that chat wants
 *	bridge_{responses,messages}_request.c	client's body -> chat body
 *	bridge_{responses,messages}_input.c	its conversation -> messages
 *	bridge_{responses,messages}_stream.c	parts and calls -> client
 *
 * bridge_chat.c sees to it that one thing is open at a time: a part (text,
 * refusal, reasoning) or a call is opened, gets its deltas and is closed
 * before the next is opened.
 */
#ifndef BRIDGE_RUN_H
#define BRIDGE_RUN_H

#include <jansson.h>

#include "bridge/bridge.h"

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
	int (*request)(struct bridge_run *, json_t *body, json_t *chat);
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
	uint64_t input_tokens;
	int64_t wall_ms;

	/* Of the request. */
	struct refused *refused;
	char message[256], param[128]; /* of a refusal */
	struct buf dropped;
	struct buf echo; /* members that a Responses object repeats */
	json_t *customs; /* set of the custom tools' names */

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
int bridge_responses_request(struct bridge_run *, json_t *body, json_t *chat);
/* The messages of `instructions` and `input`. */
int bridge_responses_input(struct bridge_run *, json_t *body, json_t *messages);
int bridge_messages_request(struct bridge_run *, json_t *body, json_t *chat);
/* An error's message as JSON, in Anthropic's words where clients look for
 * them. */
void bridge_messages_text(const struct bridge_error *, struct buf *out);
/* The messages of `system` and `messages`. */
int bridge_messages_input(struct bridge_run *, json_t *body, json_t *messages);

/* bridge.c: fills *refused from a format; returns -1. */
int bridge_refuse(struct bridge_run *, enum refusal, const char *param,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Names something in bridge_dropped(), once. */
void bridge_drop(struct bridge_run *, const char *name);
/* Ends the run as failed and tells the client. */
void bridge_break(struct bridge_run *, const char *why,
    const struct bridge_error *, struct buf *out);

/* bridge_chat.c: a chunk, or a whole answer. */
void bridge_take(struct bridge_run *, json_t *chunk, struct buf *out);
/* Closes what is open and ends it. */
void bridge_finish(struct bridge_run *, struct buf *out);
/* What it used, reported or estimated. */
struct bridge_usage bridge_used(const struct bridge_run *);
/* An upstream's error in either of its shapes; texts live in the tree. */
struct bridge_error bridge_error_of(json_t *error);

/* bridge_json.c.  Out of memory is fatal in all of them. */
/* NULL: no JSON object or list, or deeper than JSCAN_DEPTH_MAX; *at, if
 * asked for, is about where. */
json_t *bridge_parse(struct span, size_t *at);
void bridge_dump(struct buf *, const json_t *);
/* Sets; takes over the value. */
void bridge_set(json_t *object, const char *key, json_t *value);
void bridge_append(json_t *array, json_t *value);
json_t *bridge_string(struct span);
json_t *bridge_text_of(const struct buf *);
/* Member that is there and not null; else NULL. */
json_t *bridge_member(const json_t *object, const char *key);
/* Member that is a string: its bytes; else p NULL. */
struct span bridge_span(const json_t *object, const char *key);
struct span bridge_string_span(const json_t *);
/* Is the member this string? */
bool bridge_is(const json_t *object, const char *key, const char *text);
uint64_t bridge_count(const json_t *object, const char *key);
/* {"role": role, "content": content}; takes over content. */
json_t *bridge_message(const char *role, json_t *content);
/* {"type":"function","function":{…}} of a chat body's tools. */
json_t *bridge_tool(json_t *name, json_t *description, json_t *parameters);
/* The content of a chat message from its parts: a string where all are text
 * (an empty line between them), else the list itself.  Takes over parts. */
json_t *bridge_content(json_t *parts);
/* {"type":"text","text":…} */
json_t *bridge_text_part(struct span);
/* {"type":"image_url",…}; detail may be NULL. */
json_t *bridge_image_part(json_t *url, json_t *detail);
/* {"type":"file",…} */
json_t *bridge_file_part(json_t *data, json_t *filename);
/* Moves the parts that are no text from one list to the end of another:
 * a tool's result can hold none. */
void bridge_move_media(json_t *parts, json_t *media);
/* Appends a call to an assistant message's tool_calls. */
void bridge_add_call(
    json_t *message, json_t *id, json_t *name, struct span arguments);

/* bridge_talk.c: the messages as they grow.  All take over the parts. */
struct bridge_talk {
	json_t *messages; /* the chat body's, borrowed */
	json_t *system, *user, *media; /* parts that are not put yet */
	json_t *assistant; /* the last message, borrowed; NULL:
					   calls begin a new one */
};

void bridge_talk_init(struct bridge_talk *, json_t *messages);
void bridge_talk_free(struct bridge_talk *);
void bridge_talk_system(struct bridge_talk *, json_t *parts);
void bridge_talk_user(struct bridge_talk *, json_t *parts);
/* The message, for calls; parts may be NULL: none yet. */
json_t *bridge_talk_assistant(struct bridge_talk *, json_t *parts);
void bridge_talk_tool(struct bridge_talk *, json_t *id, json_t *parts);
void bridge_talk_end(struct bridge_talk *);

#endif

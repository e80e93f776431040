/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how each API writes a whole response as events.  The end of the "relay"
 * step, for upstreams that do not stream.
 */
#include "config.h"

#include <stdio.h>

#include "base/jput.h"
#include "base/jscan.h"
#include "base/jspan.h"
#include "serve/restream.h"

bool
restream_can(enum endpoint endpoint)
{
	return endpoint == ENDPOINT_CHAT || endpoint == ENDPOINT_COMPLETIONS ||
	    endpoint == ENDPOINT_RESPONSES || endpoint == ENDPOINT_MESSAGES;
}

/* An event's data is one line: a JSON text contains line ends only as blanks
 * between its values. */
static void
put_line(struct buf *out, struct span json)
{
	while (json.len > 0) {
		size_t n = 0;

		while (n < json.len && json.p[n] != '\n' && json.p[n] != '\r')
			n++;
		buf_add(out, json.p, n);
		n += n < json.len;
		json.p += n;
		json.len -= n;
	}
}

static void
begin(struct buf *out, const char *name)
{
	if (name != NULL)
		buf_printf(out, "event: %s\n", name);
	buf_puts(out, "data: {");
	if (name != NULL)
		jput_text(out, "type", name);
}

static void
end(struct buf *out)
{
	buf_puts(out, "}\n\n");
}

static void
put_member(struct buf *out, const char *name, struct span value)
{
	jput_name(out, name);
	put_line(out, value);
}

/* The object's members except these. */
static void
put_others(struct buf *out, struct span object, const char *const but[])
{
	struct jspan_walk w = jspan_walk(object);

	while (jspan_next(&w)) {
		bool skip = false;

		for (size_t i = 0; but[i] != NULL; i++)
			skip |= jspan_key_is(w.key, but[i]);
		if (skip)
			continue;
		jput_key(out, w.key);
		put_line(out, w.value);
	}
}

/* ---- chat, completions ------------------------------------------------ */

/* In a stream each call has its index. */
static void
put_calls(struct buf *out, struct span calls)
{
	static const char *const but[] = { "index", NULL };
	struct jspan_walk w = jspan_walk(calls);
	unsigned n = 0;

	jput_name_open(out, "tool_calls", '[');
	while (jspan_next(&w)) {
		jput_open(out, '{');
		jput_u64(out, "index", n++);
		put_others(out, w.value, but);
		buf_puts(out, "}");
	}
	buf_puts(out, "]");
}

static void
put_choice(struct buf *out, struct span choice)
{
	static const char *const but[] = { "message", NULL };
	static const char *const but_calls[] = { "tool_calls", NULL };
	struct span message = jspan_member(choice, "message");
	struct span calls = jspan_member(message, "tool_calls");

	jput_open(out, '{');
	if (message.p != NULL) {
		jput_name_open(out, "delta", '{');
		put_others(out, message, but_calls);
		if (jspan_is_array(calls) && !jspan_is_empty(calls))
			put_calls(out, calls);
		buf_puts(out, "}");
	}
	put_others(out, choice, but);
	buf_puts(out, "}");
}

static void
put_chunk_head(struct buf *out, enum endpoint endpoint, struct span json)
{
	static const char *const but[] = { "choices", "usage", "object", NULL };

	buf_puts(out, "data: {");
	put_others(out, json, but);
	jput_text(out, "object",
	    endpoint == ENDPOINT_CHAT ? "chat.completion.chunk"
				      : "text_completion");
	jput_name_open(out, "choices", '[');
}

static int
restream_chat(
    enum endpoint endpoint, struct span json, bool drop_usage, struct buf *out)
{
	struct span choices = jspan_member(json, "choices");
	struct span usage = jspan_member(json, "usage");
	struct jspan_walk w = jspan_walk(choices);

	if (!jspan_is_array(choices) || jspan_is_empty(choices))
		return -1;
	put_chunk_head(out, endpoint, json);
	while (jspan_next(&w))
		put_choice(out, w.value);
	buf_puts(out, "]");
	end(out);
	if (!drop_usage && usage.p != NULL) {
		put_chunk_head(out, endpoint, json);
		buf_puts(out, "]");
		put_member(out, "usage", usage);
		end(out);
	}
	buf_puts(out, "data: [DONE]\n\n");
	return 0;
}

/* ---- responses -------------------------------------------------------- */

static void
put_item(struct buf *out, const char *name, unsigned sequence, unsigned at,
    struct span item)
{
	begin(out, name);
	jput_u64(out, "sequence_number", sequence);
	jput_u64(out, "output_index", at);
	put_member(out, "item", item);
	end(out);
}

/* The items come whole: clients take them from their `done` events, and the
 * whole response from the last one. */
static int
restream_responses(struct span json, struct buf *out)
{
	static const char *const but[] = { "output", "status", "usage", NULL };
	struct span output = jspan_member(json, "output");
	struct jspan_walk w = jspan_walk(output);
	const char *last = "response.completed";
	unsigned sequence = 0, at = 0;

	if (!jspan_is_array(output))
		return -1;
	if (jspan_member_says(json, "status", "incomplete"))
		last = "response.incomplete";
	if (jspan_member_says(json, "status", "failed"))
		last = "response.failed";
	begin(out, "response.created");
	jput_u64(out, "sequence_number", sequence++);
	jput_name_open(out, "response", '{');
	put_others(out, json, but);
	jput_text(out, "status", "in_progress");
	jput_raw(out, "output", "[]");
	buf_puts(out, "}");
	end(out);
	while (jspan_next(&w)) {
		put_item(
		    out, "response.output_item.added", sequence, at, w.value);
		put_item(out, "response.output_item.done", sequence + 1, at,
		    w.value);
		sequence += 2;
		at++;
	}
	begin(out, last);
	jput_u64(out, "sequence_number", sequence);
	put_member(out, "response", json);
	end(out);
	return 0;
}

/* ---- messages --------------------------------------------------------- */

/* Which part of a block comes as a delta, and under which name. */
static const struct {
	const char *member, *delta, *empty;
	bool as_text; /* the value's JSON is itself the delta's text */
} deltas[] = {
	{ "text", "text_delta", "\"\"", false },
	{ "thinking", "thinking_delta", "\"\"", false },
	{ "signature", "signature_delta", "\"\"", false },
	{ "input", "input_json_delta", "{}", true },
};
#define DELTAS (sizeof(deltas) / sizeof(deltas[0]))

static void
put_delta(struct buf *out, unsigned index, size_t which, struct span value)
{
	begin(out, "content_block_delta");
	jput_u64(out, "index", index);
	jput_name_open(out, "delta", '{');
	jput_text(out, "type", deltas[which].delta);
	jput_name(
	    out, deltas[which].as_text ? "partial_json" : deltas[which].member);
	if (deltas[which].as_text)
		buf_json(out, value);
	else
		put_line(out, value);
	buf_puts(out, "}");
	end(out);
}

static void
put_block(struct buf *out, unsigned index, struct span block)
{
	static const char *const but[] = { "text", "thinking", "signature",
		"input", NULL };
	struct span value;

	begin(out, "content_block_start");
	jput_u64(out, "index", index);
	jput_name_open(out, "content_block", '{');
	put_others(out, block, but);
	for (size_t i = 0; i < DELTAS; i++)
		if (jspan_member(block, deltas[i].member).p != NULL)
			jput_raw(out, deltas[i].member, deltas[i].empty);
	buf_puts(out, "}");
	end(out);
	for (size_t i = 0; i < DELTAS; i++) {
		value = jspan_member(block, deltas[i].member);
		if (value.p != NULL)
			put_delta(out, index, i, value);
	}
	begin(out, "content_block_stop");
	jput_u64(out, "index", index);
	end(out);
}

static void
put_or_null(struct buf *out, const char *name, struct span value)
{
	put_member(out, name, value.p != NULL ? value : span_of("null"));
}

static int
restream_messages(struct span json, struct buf *out)
{
	static const char *const but[] = { "content", "stop_reason",
		"stop_sequence", NULL };
	struct span content = jspan_member(json, "content");
	struct span usage = jspan_member(json, "usage");
	struct jspan_walk w = jspan_walk(content);
	unsigned index = 0;

	if (!jspan_is_array(content) || !jspan_is_object(usage))
		return -1;
	begin(out, "message_start");
	jput_name_open(out, "message", '{');
	put_others(out, json, but);
	jput_raw(out, "content", "[]");
	jput_raw(out, "stop_reason", "null");
	jput_raw(out, "stop_sequence", "null");
	buf_puts(out, "}");
	end(out);
	while (jspan_next(&w))
		put_block(out, index++, w.value);
	begin(out, "message_delta");
	jput_name_open(out, "delta", '{');
	put_or_null(out, "stop_reason", jspan_member(json, "stop_reason"));
	put_or_null(out, "stop_sequence", jspan_member(json, "stop_sequence"));
	buf_puts(out, "}");
	put_member(out, "usage", usage);
	end(out);
	begin(out, "message_stop");
	end(out);
	return 0;
}

static int
nothing(void *ctx, const struct jscan_value *v)
{
	(void)ctx;
	(void)v;
	return 0;
}

int
restream(enum endpoint endpoint, struct span response, bool drop_usage,
    struct buf *out)
{
	struct span json = jspan_document(response);
	struct jscan_error error;

	if (jscan(json, JSCAN_DEPTH_MAX, nothing, NULL, &error) != 0 ||
	    !jspan_is_object(json))
		return -1;
	switch (endpoint) {
	case ENDPOINT_CHAT:
	case ENDPOINT_COMPLETIONS:
		return restream_chat(endpoint, json, drop_usage, out);
	case ENDPOINT_RESPONSES:
		return restream_responses(json, out);
	case ENDPOINT_MESSAGES:
		return restream_messages(json, out);
	default:
		return -1;
	}
}

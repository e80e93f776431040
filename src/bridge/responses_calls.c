/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how the Responses API has a tool call: as an item of its own, of a
 * function or a custom tool; and that what an upstream wants back becomes a
 * reasoning item.
 */
#include "config.h"

#include "base/jscan.h"
#include "bridge/responses.h"

/* A reasoning item without a text; text: what the client keeps, JSON. */
static void
add_carrying(const struct bridge_run *run, const char *status, struct span text,
    struct buf *out)
{
	char id[RESPONSES_ID_SIZE];

	responses_id(run, "rs", id);
	buf_puts(out, "{\"id\":");
	buf_json(out, span_of(id));
	buf_printf(out,
	    ",\"type\":\"reasoning\",\"status\":\"%s\",\"summary\":[],"
	    "\"encrypted_content\":",
	    status);
	buf_add(out, text.p, text.len);
	buf_puts(out, "}");
}

void
responses_carry(struct bridge_run *run, struct span text, struct buf *out)
{
	size_t from;

	responses_event(run, out, "response.output_item.added");
	buf_printf(out, ",\"output_index\":%u,\"item\":", run->slot);
	add_carrying(run, "in_progress", span_of("null"), out);
	responses_event_end(out);
	from = responses_item_begin(run);
	add_carrying(run, "completed", text, &run->items);
	responses_item_done(run, from, out);
}

/* By enum name_kind. */
static const struct {
	const char *prefix, *type;
} kinds[] = {
	[NAME_FUNCTION] = { "fc", "function_call" },
	[NAME_CUSTOM] = { "ctc", "custom_tool_call" },
	[NAME_SEARCH] = { "tsc", "tool_search_call" },
};

static const char *
call_prefix(const struct bridge_call *c)
{
	return kinds[bridge_call_kind(c)].prefix;
}

/* A search has no name, and its arguments as JSON. */
static void
add_search(struct span arguments, struct buf *out)
{
	buf_puts(out, ",\"execution\":\"client\"");
	jput_name(out, "arguments");
	if (arguments_is_object(arguments)) {
		buf_add(out, arguments.p, arguments.len);
	} else if (arguments.len == 0) {
		buf_puts(out, "{}");
	} else {
		buf_puts(out, "{\"query\":");
		buf_json(out, arguments);
		buf_puts(out, "}");
	}
}

static void
add_call_item(const struct bridge_run *run, const struct bridge_call *c,
    const char *status, struct span input, struct buf *out)
{
	enum name_kind kind = bridge_call_kind(c);
	char id[RESPONSES_ID_SIZE];

	responses_id(run, call_prefix(c), id);
	buf_puts(out, "{\"id\":");
	buf_json(out, span_of(id));
	buf_printf(out, ",\"type\":\"%s\",\"status\":\"%s\"", kinds[kind].type,
	    status);
	jput_span(out, "call_id", span_of(c->id));
	if (kind == NAME_SEARCH) {
		add_search(input, out);
	} else {
		jput_span(out, "name", bridge_call_name(c));
		if (c->tool != NULL && c->tool->space.len > 0)
			jput_span(out, "namespace", c->tool->space);
		jput_span(
		    out, kind == NAME_CUSTOM ? "input" : "arguments", input);
	}
	buf_puts(out, "}");
}

void
responses_call_open(
    struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	responses_event(run, out, "response.output_item.added");
	buf_printf(out, ",\"output_index\":%u,\"item\":", run->slot);
	add_call_item(run, c, "in_progress", span_of(""), out);
	responses_event_end(out);
}

static void
call_event(struct bridge_run *run, const struct bridge_call *c,
    const char *type, const char *key, struct span value, struct buf *out)
{
	responses_event(run, out, type);
	responses_place(run, out, call_prefix(c));
	jput_span(out, key, value);
}

/* A custom tool's input is inside the JSON that comes, and is sent when that
 * is complete, like a search's arguments. */
void
responses_call_delta(struct bridge_run *run, struct bridge_call *c,
    struct span delta, struct buf *out)
{
	if (bridge_call_kind(c) != NAME_FUNCTION)
		return;
	call_event(run, c, "response.function_call_arguments.delta", "delta",
	    delta, out);
	responses_event_end(out);
}

static void
close_function(struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	struct span arguments = buf_span(&c->args.text);
	size_t from = responses_item_begin(run);

	call_event(run, c, "response.function_call_arguments.done", "arguments",
	    arguments, out);
	jput_span(out, "name", bridge_call_name(c));
	responses_event_end(out);
	add_call_item(run, c, "completed", arguments, &run->items);
	responses_item_done(run, from, out);
}

struct custom_input {
	struct span raw; /* p NULL: there is none */
	unsigned members;
};

static int
on_input(void *ctx, const struct jscan_value *v)
{
	struct custom_input *input = ctx;

	if (v->depth != 1 || v->begin)
		return 0;
	input->members++;
	if (v->type == JSCAN_STRING && jscan_key_is(&v->path[0], "input"))
		input->raw = (struct span){ v->raw.p + 1, v->raw.len - 2 };
	return 0;
}

/* The text inside {"input":…}.  A model that left out the wrapping means the
 * text itself. */
static void
add_input(const struct bridge_call *c, struct buf *out)
{
	struct span args = buf_span(&c->args.text);
	struct chunk_half half = { 0 };
	struct custom_input input = { .members = 0 };
	struct jscan_error error;
	bool object = arguments_is_object(args);

	if (object)
		jscan(args, JSCAN_DEPTH_MAX, on_input, &input, &error);
	if (input.raw.p != NULL) {
		chunk_decode(&half, input.raw, out);
		chunk_decode_end(&half, out);
	} else if (!object || input.members > 0)
		buf_add(out, args.p, args.len);
}

static void
close_custom(struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	size_t from = responses_item_begin(run);
	struct span input;

	buf_reset(&run->piece);
	add_input(c, &run->piece);
	input = buf_span(&run->piece);
	call_event(run, c, "response.custom_tool_call_input.delta", "delta",
	    input, out);
	responses_event_end(out);
	call_event(run, c, "response.custom_tool_call_input.done", "input",
	    input, out);
	responses_event_end(out);
	add_call_item(run, c, "completed", input, &run->items);
	responses_item_done(run, from, out);
}

static void
close_search(struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	size_t from = responses_item_begin(run);

	add_call_item(
	    run, c, "completed", buf_span(&c->args.text), &run->items);
	responses_item_done(run, from, out);
}

/* Codex runs a tool when its item is done: this one never is, and is
 * incomplete in the response's output. */
void
responses_call_leave(
    struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	(void)out;
	responses_item_begin(run);
	add_call_item(run, c, "incomplete",
	    bridge_call_kind(c) == NAME_FUNCTION ? buf_span(&c->args.text)
						 : span_of(""),
	    &run->items);
}

void
responses_call_close(
    struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	switch (bridge_call_kind(c)) {
	case NAME_CUSTOM:
		close_custom(run, c, out);
		break;
	case NAME_SEARCH:
		close_search(run, c, out);
		break;
	default:
		close_function(run, c, out);
	}
}

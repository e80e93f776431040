/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a tool call is told in the Responses API: as an item of its own,
 * of a function or a custom tool, and before it a reasoning item if the
 * upstream wants something back with the call.
 */
#include "config.h"

#include "base/jscan.h"
#include "bridge/carry.h"
#include "bridge/responses.h"

/* A reasoning item without a text; done: with what the client keeps. */
static void
add_carrying(const struct bridge_run *run, const struct bridge_call *c,
    bool done, struct buf *out)
{
	char id[RESPONSES_ID_SIZE];

	responses_id(run, "rs", id);
	buf_puts(out, "{\"id\":");
	buf_json(out, span_of(id));
	buf_printf(out,
	    ",\"type\":\"reasoning\",\"status\":\"%s\",\"summary\":[],"
	    "\"encrypted_content\":",
	    done ? "completed" : "in_progress");
	if (done)
		carry_write(span_of(run->upstream_model), span_of(c->id),
		    span_of(c->extra), out);
	else
		buf_puts(out, "null");
	buf_puts(out, "}");
}

void
responses_carry(
    struct bridge_run *run, const struct bridge_call *c, struct buf *out)
{
	size_t from;

	responses_event(run, out, "response.output_item.added");
	buf_printf(out, ",\"output_index\":%u,\"item\":", run->slot);
	add_carrying(run, c, false, out);
	responses_event_end(out);
	from = responses_item_begin(run);
	add_carrying(run, c, true, &run->items);
	responses_item_done(run, from, out);
}

static const char *
call_prefix(const struct bridge_call *c)
{
	return c->custom ? "ctc" : "fc";
}

static void
add_call_item(const struct bridge_run *run, const struct bridge_call *c,
    const char *status, struct span input, struct buf *out)
{
	char id[RESPONSES_ID_SIZE];

	responses_id(run, call_prefix(c), id);
	buf_puts(out, "{\"id\":");
	buf_json(out, span_of(id));
	buf_printf(out, ",\"type\":\"%s\",\"status\":\"%s\"",
	    c->custom ? "custom_tool_call" : "function_call", status);
	bridge_string(out, "call_id", span_of(c->id));
	bridge_string(out, "name", bridge_call_name(c));
	if (c->tool != NULL && c->tool->space.len > 0)
		bridge_string(out, "namespace", c->tool->space);
	bridge_string(out, c->custom ? "input" : "arguments", input);
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
	bridge_string(out, key, value);
}

/* A custom tool's input stands inside the JSON that comes, and is told at
 * once when that is whole. */
void
responses_call_delta(struct bridge_run *run, struct bridge_call *c,
    struct span delta, struct buf *out)
{
	if (c->custom)
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
	bridge_string(out, "name", bridge_call_name(c));
	responses_event_end(out);
	add_call_item(run, c, "completed", arguments, &run->items);
	responses_item_done(run, from, out);
}

struct input {
	struct span raw; /* p NULL: there is none */
	unsigned members;
};

static int
on_input(void *ctx, const struct jscan_value *v)
{
	struct input *input = ctx;

	if (v->depth != 1 || v->begin)
		return 0;
	input->members++;
	if (v->type == JSCAN_STRING && jscan_key_is(&v->path[0], "input"))
		input->raw = (struct span){ v->raw.p + 1, v->raw.len - 2 };
	return 0;
}

/* The text inside {"input":…}.  A model that forgot the wrapping meant the
 * text itself. */
static void
add_input(const struct bridge_call *c, struct buf *out)
{
	struct span args = buf_span(&c->args.text);
	struct chunk_half half = { 0 };
	struct input input = { .members = 0 };
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

/* Codex runs a tool when its item is done: this one never is, and stands
 * incomplete in the response's output. */
void
responses_call_leave(
    struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	(void)out;
	responses_item_begin(run);
	add_call_item(run, c, "incomplete",
	    c->custom ? span_of("") : buf_span(&c->args.text), &run->items);
}

void
responses_call_close(
    struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	if (c->custom)
		close_custom(run, c, out);
	else
		close_function(run, c, out);
}

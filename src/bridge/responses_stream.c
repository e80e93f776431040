/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the Responses API's way of answering: items with ids and indexes,
 * each of its events numbered, everything told again when it is done.
 * Reasoning is given as a summary, which every client shows.
 *
 * Source: the OpenAI API reference, "Streaming events" of Responses; what
 * parsers insist on was read from the Vercel AI SDK and Codex.
 */
#include "config.h"

#include <stdio.h>

#include "base/jscan.h"
#include "bridge/carry.h"
#include "bridge/pulse.h"
#include "bridge/run.h"

#define ID_SIZE 160

static void
event(struct bridge_run *run, struct buf *out, const char *type)
{
	buf_printf(out,
	    "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%u", type,
	    type, run->sequence++);
}

static void
event_end(struct buf *out)
{
	buf_puts(out, "}\n\n");
}

static void
add_string(struct buf *out, const char *key, struct span value)
{
	buf_printf(out, ",\"%s\":", key);
	buf_json(out, value);
}

static void
make_id(const struct bridge_run *run, const char *prefix, char out[ID_SIZE])
{
	snprintf(
	    out, ID_SIZE, "%s_%.100s_%u", prefix, run->request_id, run->slot);
}

/* ,"item_id":…,"output_index":… */
static void
add_place(const struct bridge_run *run, struct buf *out, const char *prefix)
{
	char id[ID_SIZE];

	make_id(run, prefix, id);
	add_string(out, "item_id", span_of(id));
	buf_printf(out, ",\"output_index\":%u", run->slot);
}

static const char *
part_prefix(const struct bridge_run *run)
{
	return run->part == CHUNK_REASONING ? "rs" : "msg";
}

/* --- The response object --- */

static void
add_usage(const struct bridge_run *run, struct buf *out)
{
	struct bridge_usage u = bridge_used(run);

	buf_printf(out,
	    ",\"usage\":{\"input_tokens\":%llu,\"input_tokens_details\":"
	    "{\"cached_tokens\":%llu},\"output_tokens\":%llu,"
	    "\"output_tokens_details\":{\"reasoning_tokens\":%llu},"
	    "\"total_tokens\":%llu}",
	    (unsigned long long)u.input, (unsigned long long)u.cached,
	    (unsigned long long)u.output, (unsigned long long)u.reasoning,
	    (unsigned long long)(u.input + u.output));
}

static const char *
incomplete_reason(const struct bridge_run *run)
{
	switch (run->finish) {
	case FINISH_LENGTH:
		return "max_output_tokens";
	case FINISH_FILTER:
		return "content_filter";
	default:
		return NULL;
	}
}

static const char *
final_status(const struct bridge_run *run)
{
	return incomplete_reason(run) == NULL ? "completed" : "incomplete";
}

static void
add_response(const struct bridge_run *run, const char *status,
    const struct bridge_error *error, bool with_usage, struct buf *out)
{
	const char *reason = with_usage ? incomplete_reason(run) : NULL;
	char id[ID_SIZE];

	snprintf(id, sizeof(id), "resp_%.100s", run->request_id);
	buf_puts(out, "{\"id\":");
	buf_json(out, span_of(id));
	buf_printf(out, ",\"object\":\"response\",\"created_at\":%lld",
	    (long long)(run->wall_ms / 1000));
	buf_printf(out, ",\"status\":\"%s\",\"background\":false", status);
	buf_puts(out, ",\"error\":");
	if (error == NULL) {
		buf_puts(out, "null");
	} else {
		buf_puts(out, "{\"code\":");
		buf_json(out, span_of(error->code));
		add_string(out, "message", span_of(error->message));
		buf_puts(out, "}");
	}
	buf_puts(out, ",\"incomplete_details\":");
	if (reason == NULL)
		buf_puts(out, "null");
	else
		buf_printf(out, "{\"reason\":\"%s\"}", reason);
	add_string(out, "model", span_of(run->model));
	buf_add(out, run->echo.p, run->echo.len);
	buf_puts(out, ",\"output\":[");
	buf_add(out, run->items.p, run->items.len);
	buf_puts(out, "]");
	if (with_usage)
		add_usage(run, out);
	else
		buf_puts(out, ",\"usage\":null");
	buf_puts(out, "}");
}

static void
state_event(struct bridge_run *run, const char *type, const char *status,
    const struct bridge_error *error, bool with_usage, struct buf *out)
{
	event(run, out, type);
	buf_puts(out, ",\"response\":");
	add_response(run, status, error, with_usage, out);
	event_end(out);
}

static void
begin(struct bridge_run *run, struct buf *out)
{
	state_event(run, "response.created", "in_progress", NULL, false, out);
	state_event(
	    run, "response.in_progress", "in_progress", NULL, false, out);
}

static void
alive(struct bridge_run *run, struct buf *out)
{
	char id[ID_SIZE];

	if (!run->begun) {
		run->begun = true;
		begin(run, out);
		return;
	}
	snprintf(id, sizeof(id), "resp_%.100s", run->request_id);
	pulse_responses(out, "in_progress", run->sequence++,
	    &(struct pulse_response){ id, run->model, run->wall_ms / 1000 });
}

static void
end(struct bridge_run *run, struct buf *out)
{
	bool whole = incomplete_reason(run) == NULL;

	state_event(run, whole ? "response.completed" : "response.incomplete",
	    final_status(run), NULL, true, out);
}

/* Twice: by the first event the SDKs raise, by the second Codex ends. */
static void
fail(struct bridge_run *run, const struct bridge_error *error, struct buf *out)
{
	event(run, out, "error");
	buf_puts(out, ",\"error\":{\"type\":");
	buf_json(
	    out, span_of(error->type == NULL ? "server_error" : error->type));
	add_string(out, "code", span_of(error->code));
	add_string(out, "message", span_of(error->message));
	buf_puts(out, ",\"param\":null}");
	event_end(out);
	state_event(run, "response.failed", "failed", error, false, out);
}

static void
object(struct bridge_run *run, struct buf *out)
{
	add_response(run, final_status(run), NULL, true, out);
}

/* --- Items --- */

/* Tells of the item that was written behind `from` in items. */
static void
item_done(struct bridge_run *run, size_t from, struct buf *out)
{
	event(run, out, "response.output_item.done");
	buf_printf(out, ",\"output_index\":%u,\"item\":", run->slot);
	if (from < run->items.len)
		buf_add(out, run->items.p + from, run->items.len - from);
	else
		buf_puts(out, "null");
	event_end(out);
}

static size_t
item_begin(struct bridge_run *run)
{
	if (run->items.len > 0)
		buf_puts(&run->items, ",");
	return run->items.len;
}

/* The message's one content part. */
static void
add_content(const struct bridge_run *run, struct span text, struct buf *out)
{
	bool refusal = run->part == CHUNK_REFUSAL;

	buf_printf(
	    out, "{\"type\":\"%s\"", refusal ? "refusal" : "output_text");
	if (!refusal)
		buf_puts(out, ",\"annotations\":[],\"logprobs\":[]");
	add_string(out, refusal ? "refusal" : "text", text);
	buf_puts(out, "}");
}

static void
add_summary(struct span text, struct buf *out)
{
	buf_puts(out, "{\"type\":\"summary_text\"");
	add_string(out, "text", text);
	buf_puts(out, "}");
}

/* A message or reasoning item; text NULL: as it begins. */
static void
add_part_item(
    const struct bridge_run *run, const struct span *text, struct buf *out)
{
	bool reasoning = run->part == CHUNK_REASONING;
	char id[ID_SIZE];

	make_id(run, part_prefix(run), id);
	buf_puts(out, "{\"id\":");
	buf_json(out, span_of(id));
	buf_printf(out, ",\"type\":\"%s\",\"status\":\"%s\"",
	    reasoning ? "reasoning" : "message",
	    text == NULL ? "in_progress" : final_status(run));
	if (reasoning)
		buf_puts(out, ",\"encrypted_content\":null,\"summary\":[");
	else
		buf_puts(out, ",\"role\":\"assistant\",\"content\":[");
	if (text != NULL && reasoning)
		add_summary(*text, out);
	else if (text != NULL)
		add_content(run, *text, out);
	buf_puts(out, "]}");
}

/* A part event up to where its own member stands. */
static void
part_event(struct bridge_run *run, const char *type, struct buf *out)
{
	event(run, out, type);
	add_place(run, out, part_prefix(run));
	buf_puts(out,
	    run->part == CHUNK_REASONING ? ",\"summary_index\":0"
					 : ",\"content_index\":0");
}

static void
part_frame(
    struct bridge_run *run, const char *type, struct span text, struct buf *out)
{
	part_event(run, type, out);
	buf_puts(out, ",\"part\":");
	if (run->part == CHUNK_REASONING)
		add_summary(text, out);
	else
		add_content(run, text, out);
	event_end(out);
}

static void
part_open(struct bridge_run *run, struct buf *out)
{
	event(run, out, "response.output_item.added");
	buf_printf(out, ",\"output_index\":%u,\"item\":", run->slot);
	add_part_item(run, NULL, out);
	event_end(out);
	part_frame(run,
	    run->part == CHUNK_REASONING
		? "response.reasoning_summary_part.added"
		: "response.content_part.added",
	    span_of(""), out);
}

static void
part_delta(struct bridge_run *run, struct span text, struct buf *out)
{
	static const char *const types[] = {
		[CHUNK_TEXT] = "response.output_text.delta",
		[CHUNK_REFUSAL] = "response.refusal.delta",
		[CHUNK_REASONING] = "response.reasoning_summary_text.delta",
	};

	part_event(run, types[run->part], out);
	add_string(out, "delta", text);
	if (run->part == CHUNK_TEXT)
		buf_puts(out, ",\"logprobs\":[]");
	event_end(out);
}

static void
part_close(struct bridge_run *run, struct buf *out)
{
	static const char *const types[] = {
		[CHUNK_TEXT] = "response.output_text.done",
		[CHUNK_REFUSAL] = "response.refusal.done",
		[CHUNK_REASONING] = "response.reasoning_summary_text.done",
	};
	struct span text = buf_span(&run->text);
	size_t from;

	part_event(run, types[run->part], out);
	add_string(out, run->part == CHUNK_REFUSAL ? "refusal" : "text", text);
	if (run->part == CHUNK_TEXT)
		buf_puts(out, ",\"logprobs\":[]");
	event_end(out);
	part_frame(run,
	    run->part == CHUNK_REASONING
		? "response.reasoning_summary_part.done"
		: "response.content_part.done",
	    text, out);
	from = item_begin(run);
	add_part_item(run, &text, &run->items);
	item_done(run, from, out);
}

/* --- Calls --- */

/* A reasoning item without a text; done: with what the client keeps. */
static void
add_carrying(const struct bridge_run *run, const struct bridge_call *c,
    bool done, struct buf *out)
{
	char id[ID_SIZE];

	make_id(run, "rs", id);
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

static void
carry(struct bridge_run *run, const struct bridge_call *c, struct buf *out)
{
	size_t from;

	event(run, out, "response.output_item.added");
	buf_printf(out, ",\"output_index\":%u,\"item\":", run->slot);
	add_carrying(run, c, false, out);
	event_end(out);
	from = item_begin(run);
	add_carrying(run, c, true, &run->items);
	item_done(run, from, out);
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
	char id[ID_SIZE];

	make_id(run, call_prefix(c), id);
	buf_puts(out, "{\"id\":");
	buf_json(out, span_of(id));
	buf_printf(out, ",\"type\":\"%s\",\"status\":\"%s\"",
	    c->custom ? "custom_tool_call" : "function_call", status);
	add_string(out, "call_id", span_of(c->id));
	add_string(out, "name", bridge_call_name(c));
	if (c->tool != NULL && c->tool->space.len > 0)
		add_string(out, "namespace", c->tool->space);
	add_string(out, c->custom ? "input" : "arguments", input);
	buf_puts(out, "}");
}

static void
call_open(struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	event(run, out, "response.output_item.added");
	buf_printf(out, ",\"output_index\":%u,\"item\":", run->slot);
	add_call_item(run, c, "in_progress", span_of(""), out);
	event_end(out);
}

static void
call_event(struct bridge_run *run, const struct bridge_call *c,
    const char *type, const char *key, struct span value, struct buf *out)
{
	event(run, out, type);
	add_place(run, out, call_prefix(c));
	add_string(out, key, value);
}

/* A custom tool's input stands inside the JSON that comes, and is told at
 * once when that is whole. */
static void
call_delta(struct bridge_run *run, struct bridge_call *c, struct span delta,
    struct buf *out)
{
	if (c->custom)
		return;
	call_event(run, c, "response.function_call_arguments.delta", "delta",
	    delta, out);
	event_end(out);
}

static void
close_function(struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	struct span arguments = buf_span(&c->args);
	size_t from = item_begin(run);

	call_event(run, c, "response.function_call_arguments.done", "arguments",
	    arguments, out);
	add_string(out, "name", bridge_call_name(c));
	event_end(out);
	add_call_item(run, c, "completed", arguments, &run->items);
	item_done(run, from, out);
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
	struct span args = buf_span(&c->args);
	struct chunk_half half = { 0 };
	struct input input = { .members = 0 };
	struct jscan_error error;
	bool object = bridge_is_object(args);

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
	size_t from = item_begin(run);
	struct span input;

	buf_reset(&run->piece);
	add_input(c, &run->piece);
	input = buf_span(&run->piece);
	call_event(run, c, "response.custom_tool_call_input.delta", "delta",
	    input, out);
	event_end(out);
	call_event(run, c, "response.custom_tool_call_input.done", "input",
	    input, out);
	event_end(out);
	add_call_item(run, c, "completed", input, &run->items);
	item_done(run, from, out);
}

/* Codex runs a tool when its item is done: this one never is, and stands
 * incomplete in the response's output. */
static void
call_leave(struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	(void)out;
	item_begin(run);
	add_call_item(run, c, "incomplete",
	    c->custom ? span_of("") : buf_span(&c->args), &run->items);
}

static void
call_close(struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	if (c->custom)
		close_custom(run, c, out);
	else
		close_function(run, c, out);
}

const struct bridge_ops bridge_responses = {
	.request = bridge_responses_request,
	.begin = begin,
	.part_open = part_open,
	.part_delta = part_delta,
	.part_close = part_close,
	.carry = carry,
	.call_open = call_open,
	.call_delta = call_delta,
	.call_close = call_close,
	.call_leave = call_leave,
	.end = end,
	.fail = fail,
	.alive = alive,
	.object = object,
};

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the responses of the Messages API: one message of numbered content
 * blocks, whose stop reason and usage come last.
 *
 * Source: the Anthropic API reference, "Messages" and "Streaming messages".
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "bridge/pulse.h"
#include "bridge/run.h"

static void
event(struct buf *out, const char *type)
{
	buf_printf(out, "event: %s\ndata: {\"type\":\"%s\"", type, type);
}

static void
event_end(struct buf *out)
{
	buf_puts(out, "}\n\n");
}

/* Anthropic's input_tokens are those that no cache had or got. */
static void
add_usage(struct bridge_usage u, struct buf *out)
{
	buf_printf(out,
	    ",\"usage\":{\"input_tokens\":%llu,"
	    "\"cache_creation_input_tokens\":%llu,"
	    "\"cache_read_input_tokens\":%llu,\"output_tokens\":%llu}",
	    (unsigned long long)(u.input - u.cached - u.cache_write),
	    (unsigned long long)u.cache_write, (unsigned long long)u.cached,
	    (unsigned long long)u.output);
}

static const char *
stop_reason(const struct bridge_run *run)
{
	switch (run->finish) {
	case FINISH_CALLS:
		return "tool_use";
	case FINISH_LENGTH:
		return "max_tokens";
	case FINISH_FILTER:
		return "refusal";
	default:
		return run->stop_sequence.len > 0 ? "stop_sequence"
						  : "end_turn";
	}
}

static void
add_stop(const struct bridge_run *run, struct buf *out)
{
	const char *reason = stop_reason(run);

	buf_printf(out, "\"stop_reason\":\"%s\",\"stop_sequence\":", reason);
	if (strcmp(reason, "stop_sequence") == 0)
		buf_json(out, buf_span(&run->stop_sequence));
	else
		buf_puts(out, "null");
}

/* {"id":… up to and with its content. */
static void
add_message(const struct bridge_run *run, struct buf *out)
{
	char id[160];

	snprintf(id, sizeof(id), "msg_%.100s", run->request_id);
	buf_puts(out, "{\"id\":");
	buf_json(out, span_of(id));
	buf_puts(out, ",\"type\":\"message\",\"role\":\"assistant\"");
	jput_span(out, "model", span_of(run->model));
	buf_puts(out, ",\"content\":[");
	buf_add(out, run->items.p, run->items.len);
	buf_puts(out, "]");
}

static void
begin(struct bridge_run *run, struct buf *out)
{
	struct bridge_usage u = { .input = run->input_tokens };

	event(out, "message_start");
	buf_puts(out, ",\"message\":");
	add_message(run, out);
	buf_puts(out, ",\"stop_reason\":null,\"stop_sequence\":null");
	add_usage(u, out);
	buf_puts(out, "}");
	event_end(out);
	pulse_messages(out);
}

/* Also before message_start: the SDKs leave it out. */
static void
alive(struct bridge_run *run, struct buf *out)
{
	(void)run;
	pulse_messages(out);
}

static void
end(struct bridge_run *run, struct buf *out)
{
	event(out, "message_delta");
	buf_puts(out, ",\"delta\":{");
	add_stop(run, out);
	buf_puts(out, "}");
	add_usage(bridge_used(run), out);
	event_end(out);
	event(out, "message_stop");
	event_end(out);
}

/* These words make Claude Code compact. */
void
bridge_messages_text(const struct bridge_error *error, struct buf *out)
{
	struct buf text;

	buf_init(&text, (size_t)1 << 20);
	if (strcmp(error->code, "context_length_exceeded") == 0)
		buf_puts(&text, "prompt is too long: ");
	buf_puts(&text, error->message);
	buf_json(out, buf_span(&text));
	buf_free(&text);
}

static void
fail(struct bridge_run *run, const struct bridge_error *error, struct buf *out)
{
	event(out, "error");
	buf_puts(out, ",\"error\":{\"type\":");
	buf_json(out, span_of(error->anthropic));
	buf_puts(out, ",\"message\":");
	bridge_messages_text(error, out);
	buf_puts(out, "}");
	jput_span(out, "request_id", span_of(run->request_id));
	event_end(out);
}

static void
object(struct bridge_run *run, struct buf *out)
{
	add_message(run, out);
	buf_puts(out, ",");
	add_stop(run, out);
	add_usage(bridge_used(run), out);
	buf_puts(out, "}");
}

/* --- Blocks --- */

static bool
is_thinking(const struct bridge_run *run)
{
	return run->part == CHUNK_REASONING;
}

static void
block_start(const struct bridge_run *run, struct buf *out)
{
	event(out, "content_block_start");
	buf_printf(out, ",\"index\":%u,\"content_block\":", run->slot);
}

static void
block_delta(const struct bridge_run *run, const char *type, const char *key,
    struct span delta, struct buf *out)
{
	event(out, "content_block_delta");
	buf_printf(
	    out, ",\"index\":%u,\"delta\":{\"type\":\"%s\"", run->slot, type);
	jput_span(out, key, delta);
	buf_puts(out, "}");
	event_end(out);
}

static void
block_stop(const struct bridge_run *run, struct buf *out)
{
	event(out, "content_block_stop");
	buf_printf(out, ",\"index\":%u", run->slot);
	event_end(out);
}

static void
add_part(const struct bridge_run *run, struct span text, struct buf *out)
{
	if (is_thinking(run)) {
		buf_puts(out, "{\"type\":\"thinking\"");
		jput_span(out, "thinking", text);
		buf_puts(out, ",\"signature\":\"\"}");
	} else {
		buf_puts(out, "{\"type\":\"text\"");
		jput_span(out, "text", text);
		buf_puts(out, "}");
	}
}

static void
part_open(struct bridge_run *run, struct buf *out)
{
	block_start(run, out);
	add_part(run, span_of(""), out);
	event_end(out);
}

static void
part_delta(struct bridge_run *run, struct span text, struct buf *out)
{
	block_delta(run, is_thinking(run) ? "thinking_delta" : "text_delta",
	    is_thinking(run) ? "thinking" : "text", text, out);
}

static void
part_close(struct bridge_run *run, struct buf *out)
{
	block_stop(run, out);
	if (run->stream)
		return;
	if (run->items.len > 0)
		buf_puts(&run->items, ",");
	add_part(run, buf_span(&run->text), &run->items);
}

/* A thinking block without a text: its signature is the client's to keep. */
static void
carry(struct bridge_run *run, struct span text, struct buf *out)
{
	block_start(run, out);
	buf_puts(out,
	    "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}");
	event_end(out);
	event(out, "content_block_delta");
	buf_printf(out,
	    ",\"index\":%u,\"delta\":{\"type\":\"signature_delta\","
	    "\"signature\":",
	    run->slot);
	buf_add(out, text.p, text.len);
	buf_puts(out, "}");
	event_end(out);
	block_stop(run, out);
	if (!run->stream) {
		buf_puts(&run->items, run->items.len > 0 ? "," : "");
		buf_puts(&run->items,
		    "{\"type\":\"thinking\",\"thinking\":\"\","
		    "\"signature\":");
		buf_add(&run->items, text.p, text.len);
		buf_puts(&run->items, "}");
	}
}

/* A tool_use block up to its input. */
static void
add_call(const struct bridge_call *c, struct buf *out)
{
	buf_puts(out, "{\"type\":\"tool_use\"");
	jput_span(out, "id", span_of(c->id));
	jput_span(out, "name", bridge_call_name(c));
	buf_puts(out, ",\"input\":");
}

static void
call_open(struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	block_start(run, out);
	add_call(c, out);
	buf_puts(out, "{}}");
	event_end(out);
}

static void
call_delta(struct bridge_run *run, struct bridge_call *c, struct span delta,
    struct buf *out)
{
	(void)c;
	block_delta(run, "input_json_delta", "partial_json", delta, out);
}

/* `input` must be an object: what the model wrote instead is given as text. */
static void
call_close(struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	block_stop(run, out);
	if (run->stream)
		return;
	if (run->items.len > 0)
		buf_puts(&run->items, ",");
	add_call(c, &run->items);
	if (arguments_is_object(buf_span(&c->args.text))) {
		buf_add(&run->items, c->args.text.p, c->args.text.len);
	} else {
		buf_puts(&run->items, "{\"arguments\":");
		buf_json(&run->items, buf_span(&c->args.text));
		buf_puts(&run->items, "}");
	}
	buf_puts(&run->items, "}");
}

/* Claude Code runs a tool when its block stops, with {} if the input is no
 * JSON: this block does not. */
static void
call_leave(struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	(void)run;
	(void)c;
	(void)out;
}

const struct bridge_ops bridge_messages = {
	.request = bridge_messages_request,
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

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the responses of the Responses API: items with ids and indexes,
 * numbered events, everything repeated when it is done.  Reasoning is given as
 * a summary, which every client shows.
 *
 * Source: the OpenAI API reference, "Streaming events" of Responses; what
 * parsers require was read from the Vercel AI SDK and Codex.
 */
#include "config.h"

#include <stdio.h>

#include "bridge/pulse.h"
#include "bridge/responses.h"

void
responses_event(struct bridge_run *run, struct buf *out, const char *type)
{
	buf_printf(out,
	    "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%u", type,
	    type, run->sequence++);
}

void
responses_event_end(struct buf *out)
{
	buf_puts(out, "}\n\n");
}

void
responses_id(const struct bridge_run *run, const char *prefix,
    char out[RESPONSES_ID_SIZE])
{
	snprintf(out, RESPONSES_ID_SIZE, "%s_%.100s_%u", prefix,
	    run->request_id, run->slot);
}

/* ,"item_id":…,"output_index":… */
void
responses_place(
    const struct bridge_run *run, struct buf *out, const char *prefix)
{
	char id[RESPONSES_ID_SIZE];

	responses_id(run, prefix, id);
	jput_span(out, "item_id", span_of(id));
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
	char id[RESPONSES_ID_SIZE];

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
		jput_span(out, "message", span_of(error->message));
		buf_puts(out, "}");
	}
	buf_puts(out, ",\"incomplete_details\":");
	if (reason == NULL)
		buf_puts(out, "null");
	else
		buf_printf(out, "{\"reason\":\"%s\"}", reason);
	jput_span(out, "model", span_of(run->model));
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
	responses_event(run, out, type);
	buf_puts(out, ",\"response\":");
	add_response(run, status, error, with_usage, out);
	responses_event_end(out);
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
	char id[RESPONSES_ID_SIZE];

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
	responses_event(run, out, "error");
	buf_puts(out, ",\"error\":{\"type\":");
	buf_json(
	    out, span_of(error->type == NULL ? "server_error" : error->type));
	jput_span(out, "code", span_of(error->code));
	jput_span(out, "message", span_of(error->message));
	buf_puts(out, ",\"param\":null}");
	responses_event_end(out);
	state_event(run, "response.failed", "failed", error, false, out);
}

static void
object(struct bridge_run *run, struct buf *out)
{
	add_response(run, final_status(run), NULL, true, out);
}

/* --- Items --- */

/* Writes the events of the item that begins at `from` in items. */
void
responses_item_done(struct bridge_run *run, size_t from, struct buf *out)
{
	responses_event(run, out, "response.output_item.done");
	buf_printf(out, ",\"output_index\":%u,\"item\":", run->slot);
	if (from < run->items.len)
		buf_add(out, run->items.p + from, run->items.len - from);
	else
		buf_puts(out, "null");
	responses_event_end(out);
}

size_t
responses_item_begin(struct bridge_run *run)
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
	jput_span(out, refusal ? "refusal" : "text", text);
	buf_puts(out, "}");
}

static void
add_summary(struct span text, struct buf *out)
{
	buf_puts(out, "{\"type\":\"summary_text\"");
	jput_span(out, "text", text);
	buf_puts(out, "}");
}

/* A message or reasoning item; text NULL: as it begins. */
static void
add_part_item(
    const struct bridge_run *run, const struct span *text, struct buf *out)
{
	bool reasoning = run->part == CHUNK_REASONING;
	char id[RESPONSES_ID_SIZE];

	responses_id(run, part_prefix(run), id);
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

/* A part event up to where its own member is. */
static void
part_event(struct bridge_run *run, const char *type, struct buf *out)
{
	responses_event(run, out, type);
	responses_place(run, out, part_prefix(run));
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
	responses_event_end(out);
}

static void
part_open(struct bridge_run *run, struct buf *out)
{
	responses_event(run, out, "response.output_item.added");
	buf_printf(out, ",\"output_index\":%u,\"item\":", run->slot);
	add_part_item(run, NULL, out);
	responses_event_end(out);
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
	jput_span(out, "delta", text);
	if (run->part == CHUNK_TEXT)
		buf_puts(out, ",\"logprobs\":[]");
	responses_event_end(out);
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
	jput_span(out, run->part == CHUNK_REFUSAL ? "refusal" : "text", text);
	if (run->part == CHUNK_TEXT)
		buf_puts(out, ",\"logprobs\":[]");
	responses_event_end(out);
	part_frame(run,
	    run->part == CHUNK_REASONING
		? "response.reasoning_summary_part.done"
		: "response.content_part.done",
	    text, out);
	from = responses_item_begin(run);
	add_part_item(run, &text, &run->items);
	responses_item_done(run, from, out);
}

const struct bridge_ops bridge_responses = {
	.request = bridge_responses_request,
	.begin = begin,
	.part_open = part_open,
	.part_delta = part_delta,
	.part_close = part_close,
	.carry = responses_carry,
	.call_open = responses_call_open,
	.call_delta = responses_call_delta,
	.call_close = responses_call_close,
	.call_leave = responses_call_leave,
	.end = end,
	.fail = fail,
	.alive = alive,
	.object = object,
};

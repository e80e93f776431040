/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides a provider that needs no network: it replaces upstream_send() and feeds
 * the same sink, so its requests use plan, slots, relay and ledger like any
 * other.
 *
 * It makes no tree of the request and none of the response: it keeps one text
 * of at most ECHO_TEXT_MAX, whatever the request is like.
 */
#include "config.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/jput.h"
#include "base/jspan.h"
#include "wire/echo.h"
#include "wire/echo_internal.h"

#define ECHO_TEXT_MAX (1024 * 1024)
/* Size of a text with each byte escaped, and what is around it. */
#define ECHO_OUT_MAX (6 * ECHO_TEXT_MAX + 4096)

/* ---- counting --------------------------------------------------------- */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
is_letter(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* The length of the next token: a word with the space before it, or one
 * mark. */
static size_t
token_len(struct span text)
{
	size_t n = 0;

	while (n < text.len && is_blank(text.p[n]))
		n++;
	if (n == text.len)
		return n;
	if (!is_letter(text.p[n]))
		return n + 1;
	while (n < text.len && is_letter(text.p[n]))
		n++;
	return n;
}

static struct span
after(struct span text, size_t n)
{
	return (struct span){ text.p + n, text.len - n };
}

uint64_t
echo_count_tokens(struct span text)
{
	uint64_t n = 0;

	for (size_t len; (len = token_len(text)) > 0; text = after(text, len))
		n++;
	return n;
}

/* ---- the texts of a request ------------------------------------------- */

/* What does not fit is left out. */
void
echo_add_string(struct buf *b, struct span value)
{
	struct span inside = jspan_inside(value);

	if (inside.len == 0 || !buf_room(b, inside.len))
		return;
	b->len += jscan_decode(inside, b->p + b->len);
	b->p[b->len] = '\0';
}

static void
add_content(struct buf *b, struct span content)
{
	struct jspan_walk w = jspan_walk(content);

	echo_add_string(b, content);
	while (jspan_is_array(content) && jspan_next(&w)) {
		if (jspan_is_object(w.value))
			echo_add_string(b, jspan_member(w.value, "text"));
	}
}

/* What is echoed: the last message, or the prompt. */
static struct span
last_text(struct echo *e, uint64_t *prompt_tokens)
{
	struct span messages = e->request[ECHO_MESSAGES].value;
	struct jspan_walk w = jspan_walk(messages);

	*prompt_tokens = 0;
	while (jspan_is_array(messages) && jspan_next(&w)) {
		buf_reset(&e->text);
		add_content(&e->text, jspan_member(w.value, "content"));
		*prompt_tokens += echo_count_tokens(buf_span(&e->text));
	}
	if (messages.p == NULL) {
		add_content(&e->text, e->request[ECHO_PROMPT].value);
		*prompt_tokens = echo_count_tokens(buf_span(&e->text));
	}
	return buf_span(&e->text);
}

bool
echo_is_number(struct span value)
{
	return value.len > 0 &&
	    (*value.p == '-' || isdigit((unsigned char)*value.p));
}

/* As much of the text as max_tokens allows. */
static struct span
limited(struct echo *e, struct span text, uint64_t *tokens, bool *cut)
{
	struct span max = e->request[ECHO_MAX_COMPLETION].value, rest = text;
	uint64_t left;

	if (!echo_is_number(max))
		max = e->request[ECHO_MAX].value;
	left = echo_is_number(max) ? jspan_count(max) : UINT64_MAX;
	*tokens = 0;
	for (size_t len; left > 0 && (len = token_len(rest)) > 0; left--) {
		rest = after(rest, len);
		(*tokens)++;
	}
	*cut = rest.len > 0;
	return (struct span){ text.p, text.len - rest.len };
}

/* ---- sending ---------------------------------------------------------- */

/* The relay keeps the fields as long as the request. */
int
echo_send_head(struct echo *e, int status, bool events, int64_t length)
{
	static const struct http1_field fields[2][2] = {
		{ { { "content-type", 12 }, { "application/json", 16 } },
		    { { "transfer-encoding", 17 }, { "chunked", 7 } } },
		{ { { "content-type", 12 }, { "text/event-stream", 17 } },
		    { { "transfer-encoding", 17 }, { "chunked", 7 } } },
	};
	struct http1_head head = { status, fields[events], 2, length };

	e->report->connected = e->report->sent = true;
	e->report->first_byte_ns = 1;
	return e->sink->head(e->sink->ctx, &head);
}

/* Sends what is in `out`, which is empty then. */
int
echo_send_out(struct echo *e)
{
	struct span bytes = buf_span(&e->out);
	int rc;

	if (buf_starved(&e->out) || buf_starved(&e->text)) {
		e->report->result = UPSTREAM_EXHAUSTED;
		return -1;
	}
	e->report->bytes_in += bytes.len;
	rc = e->sink->body(e->sink->ctx, bytes);
	buf_reset(&e->out);
	return rc;
}

static void
send_json(struct echo *e, int status)
{
	e->report->result = UPSTREAM_STOPPED;
	if (echo_send_head(e, status, false, (int64_t)e->out.len) == 0 &&
	    echo_send_out(e) == 0)
		e->report->result = UPSTREAM_OK;
}

void
echo_send_error(struct echo *e, const char *message, const char *param)
{
	buf_reset(&e->out);
	buf_puts(&e->out, "{");
	jput_name_open(&e->out, "error", '{');
	jput_text(&e->out, "message", message);
	jput_text(&e->out, "type", "invalid_request_error");
	jput_text(&e->out, "param", param);
	jput_text(&e->out, "code", "invalid_value");
	buf_puts(&e->out, "}}");
	send_json(e, 400);
}

/* Ends the event in `out`, sends it, and checks the client. */
static int
send_event(struct echo *e)
{
	int rc;

	buf_puts(&e->out, "\n\n");
	rc = echo_send_out(e);
	if (rc == 0)
		rc = e->sink->pause(e->sink->ctx);
	if (rc == 0 && e->watch->tick(e->watch->ctx) == WATCH_GONE) {
		e->report->result = UPSTREAM_CLIENT_GONE;
		return -1;
	}
	return rc;
}

/* ---- chat and completions --------------------------------------------- */

static void
add_usage(struct buf *b, uint64_t input, uint64_t output)
{
	jput_name_open(b, "usage", '{');
	jput_u64(b, "prompt_tokens", input);
	jput_u64(b, "completion_tokens", output);
	jput_u64(b, "total_tokens", input + output);
	buf_puts(b, "}");
}

/* Up to the choices' content. */
static void
begin_object(struct echo *e, const char *object)
{
	buf_puts(&e->out, "{");
	jput_text(&e->out, "id", e->id);
	jput_text(&e->out, "object", object);
	jput_i64(&e->out, "created", e->created);
	jput_text(&e->out, "model", e->model);
	jput_name_open(&e->out, "choices", '[');
}

static void
begin_choice(struct buf *b)
{
	jput_open(b, '{');
	jput_u64(b, "index", 0);
}

static void
end_choice(struct buf *b, const char *finish)
{
	jput_raw(b, "logprobs", "null");
	jput_text(b, "finish_reason", finish);
	buf_puts(b, "}");
}

static void
add_completion(struct buf *b, struct span text, const char *finish)
{
	begin_choice(b);
	jput_span(b, "text", text);
	end_choice(b, finish);
}

static void
add_message(struct buf *b, struct span text, const char *finish)
{
	begin_choice(b);
	jput_name_open(b, "message", '{');
	jput_text(b, "role", "assistant");
	jput_span(b, "content", text);
	jput_raw(b, "refusal", "null");
	buf_puts(b, "}");
	end_choice(b, finish);
}

/* text p NULL: none. */
static void
add_delta(struct buf *b, struct span text, bool first, const char *finish)
{
	begin_choice(b);
	jput_name_open(b, "delta", '{');
	if (text.p != NULL)
		jput_span(b, "content", text);
	if (first)
		jput_text(b, "role", "assistant");
	buf_puts(b, "}");
	end_choice(b, finish);
}

static const char *
object_name(const struct echo *e, bool chunk)
{
	return e->endpoint == ENDPOINT_COMPLETIONS ? "text_completion"
	    : chunk                                ? "chat.completion.chunk"
						   : "chat.completion";
}

static int
send_chunk(struct echo *e, struct span text, bool first, const char *finish)
{
	buf_puts(&e->out, "data: ");
	begin_object(e, object_name(e, true));
	if (e->endpoint == ENDPOINT_COMPLETIONS)
		add_completion(&e->out, text, finish);
	else
		add_delta(&e->out, text, first, finish);
	buf_puts(&e->out, "]}");
	return send_event(e);
}

static int
stream_text(struct echo *e, struct span text, const char *finish)
{
	static const struct span none = { NULL, 0 };
	bool first = true;

	for (size_t len; (len = token_len(text)) > 0; text = after(text, len)) {
		if (send_chunk(e, (struct span){ text.p, len }, first, NULL) ==
		    -1)
			return -1;
		first = false;
	}
	return send_chunk(e, none, first, finish);
}

static int
stream_usage(struct echo *e, uint64_t input, uint64_t output)
{
	buf_puts(&e->out, "data: ");
	begin_object(e, object_name(e, true));
	buf_puts(&e->out, "]");
	add_usage(&e->out, input, output);
	buf_puts(&e->out, "}");
	return send_event(e);
}

static void
stream_response(struct echo *e, struct span text, const char *finish,
    uint64_t input, uint64_t output)
{
	e->report->result = UPSTREAM_STOPPED;
	if (echo_send_head(e, 200, true, -1) == -1 ||
	    stream_text(e, text, finish) == -1)
		return;
	if (jspan_is_true(jspan_member(
		e->request[ECHO_OPTIONS].value, "include_usage")) &&
	    stream_usage(e, input, output) == -1)
		return;
	buf_puts(&e->out, "data: [DONE]\n\n");
	if (echo_send_out(e) == 0)
		e->report->result = UPSTREAM_OK;
}

static void
response_text(struct echo *e)
{
	uint64_t input, output;
	bool cut;
	struct span text = limited(e, last_text(e, &input), &output, &cut);
	const char *finish = cut ? "length" : "stop";

	if (jspan_is_true(e->request[ECHO_STREAM].value)) {
		stream_response(e, text, finish, input, output);
		return;
	}
	begin_object(e, object_name(e, false));
	if (e->endpoint == ENDPOINT_COMPLETIONS)
		add_completion(&e->out, text, finish);
	else
		add_message(&e->out, text, finish);
	buf_puts(&e->out, "]");
	add_usage(&e->out, input, output);
	buf_puts(&e->out, "}");
	send_json(e, 200);
}

static void
make_id(struct echo *e)
{
	unsigned char random[8];

	arc4random_buf(random, sizeof(random));
	snprintf(e->id, sizeof(e->id), "%s-%02x%02x%02x%02x%02x%02x%02x%02x",
	    e->endpoint == ENDPOINT_COMPLETIONS ? "cmpl" : "chatcmpl",
	    random[0], random[1], random[2], random[3], random[4], random[5],
	    random[6], random[7]);
}

void
echo_send(enum endpoint endpoint, const char *model, struct span body,
    const struct watch *watch, const struct upstream_sink *sink,
    struct memory_hold *memory, struct upstream_report *report)
{
	struct echo e = { .endpoint = endpoint,
		.model = model,
		.request = { [ECHO_MESSAGES] = { "messages", { NULL, 0 } },
		    [ECHO_PROMPT] = { "prompt", { NULL, 0 } },
		    [ECHO_INPUT] = { "input", { NULL, 0 } },
		    [ECHO_STREAM] = { "stream", { NULL, 0 } },
		    [ECHO_OPTIONS] = { "stream_options", { NULL, 0 } },
		    [ECHO_MAX] = { "max_tokens", { NULL, 0 } },
		    [ECHO_MAX_COMPLETION] = { "max_completion_tokens",
			{ NULL, 0 } },
		    [ECHO_DIMENSIONS] = { "dimensions", { NULL, 0 } },
		    [ECHO_FORMAT] = { "encoding_format", { NULL, 0 } } },
		.sink = sink,
		.watch = watch,
		.report = report,
		.created = clock_wall_ms() / 1000 };

	memset(report, 0, sizeof(*report));
	report->bytes_out = body.len;
	make_id(&e);
	buf_init_charged(&e.text, ECHO_TEXT_MAX, memory);
	buf_init_charged(&e.out, ECHO_OUT_MAX, memory);
	jspan_pick(jspan_document(body), e.request, ECHO_WANTS);
	if (endpoint == ENDPOINT_EMBEDDINGS)
		echo_vectors(&e);
	else
		response_text(&e);
	buf_free(&e.text);
	buf_free(&e.out);
	report->detail = upstream_result_name(report->result);
}

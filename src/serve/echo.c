/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides a provider that needs no network: it stands where upstream_send()
 * does, speaks its sink's language, and so takes the same way through plan,
 * slots, relay and account as any other.
 */
#include "config.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "serve/echo.h"

#define ECHO_DIMENSIONS 64
#define ECHO_DIMENSIONS_MAX 4096
#define ECHO_TEXT_MAX (1024 * 1024)
#define ECHO_INPUTS_MAX 2048

struct echo {
	enum endpoint endpoint;
	const char *model;
	json_t *request;
	const struct upstream_sink *sink;
	const struct watch *watch;
	struct arena *arena;
	struct upstream_report *report;
	char id[40];
	int64_t created;
};

/* ---- counting --------------------------------------------------------- */

/* The length of the next token: a word with the space before it, or one
 * mark. */
static size_t
token_len(const char *p)
{
	size_t n = strspn(p, " \t\r\n");

	if (p[n] == '\0')
		return n;
	if (!isalnum((unsigned char)p[n]) && (unsigned char)p[n] < 0x80)
		return n + 1;
	while (isalnum((unsigned char)p[n]) || (unsigned char)p[n] >= 0x80)
		n++;
	return n;
}

static uint64_t
count_tokens(const char *text)
{
	uint64_t n = 0;

	for (size_t len; (len = token_len(text)) > 0; text += len)
		n++;
	return n;
}

/* ---- the texts of a request ------------------------------------------- */

static void
add_content(struct buf *b, const json_t *content)
{
	const json_t *part;
	size_t i;

	if (json_is_string(content))
		buf_puts(b, json_string_value(content));
	json_array_foreach(content, i, part)
	{
		const json_t *text = json_object_get(part, "text");

		if (json_is_string(text))
			buf_puts(b, json_string_value(text));
	}
}

/* What is echoed: the last message, or the prompt. */
static const char *
last_text(struct echo *e, uint64_t *prompt_tokens)
{
	json_t *messages = json_object_get(e->request, "messages");
	json_t *message;
	struct buf b;
	char *text;
	size_t i;

	buf_init(&b, ECHO_TEXT_MAX);
	*prompt_tokens = 0;
	json_array_foreach(messages, i, message)
	{
		buf_reset(&b);
		add_content(&b, json_object_get(message, "content"));
		*prompt_tokens += count_tokens(b.p == NULL ? "" : b.p);
	}
	if (messages == NULL) {
		add_content(&b, json_object_get(e->request, "prompt"));
		*prompt_tokens = count_tokens(b.p == NULL ? "" : b.p);
	}
	text = arena_text(e->arena, buf_span(&b));
	buf_free(&b);
	return text;
}

/* As much of the text as max_tokens allows. */
static char *
limited(struct echo *e, const char *text, uint64_t *tokens, bool *cut)
{
	json_t *max = json_object_get(e->request, "max_completion_tokens");
	const char *p = text;
	int64_t left;

	if (!json_is_integer(max))
		max = json_object_get(e->request, "max_tokens");
	left = json_is_integer(max) ? json_integer_value(max) : INT64_MAX;
	*tokens = 0;
	for (size_t len; left > 0 && (len = token_len(p)) > 0; left--) {
		p += len;
		(*tokens)++;
	}
	*cut = *p != '\0';
	return arena_text(e->arena, (struct span){ text, (size_t)(p - text) });
}

/* ---- sending ---------------------------------------------------------- */

static int
send_head(struct echo *e, int status, const char *type, int64_t length)
{
	struct http1_field *field = arena_alloc(e->arena, 2 * sizeof(*field));
	struct http1_head head = { status, field, 2, length };

	field[0].name = span_of("content-type");
	field[0].value = span_of(type);
	field[1].name = span_of("transfer-encoding");
	field[1].value = span_of("chunked");
	e->report->connected = e->report->sent = true;
	e->report->first_byte_ns = 1;
	return e->sink->head(e->sink->ctx, &head);
}

static int
send_bytes(struct echo *e, const char *p, size_t len)
{
	e->report->bytes_in += len;
	return e->sink->body(e->sink->ctx, (struct span){ p, len });
}

static void
send_json(struct echo *e, int status, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	e->report->result = UPSTREAM_OK;
	if (text != NULL &&
	    (send_head(e, status, "application/json", (int64_t)strlen(text)) ==
		    -1 ||
		send_bytes(e, text, strlen(text)) == -1))
		e->report->result = UPSTREAM_STOPPED;
	free(text);
	json_decref(json);
}

static void
send_error(struct echo *e, const char *message, const char *param)
{
	send_json(e, 400,
	    json_pack("{s:{s:s,s:s,s:s,s:s}}", "error", "message", message,
		"type", "invalid_request_error", "param", param, "code",
		"invalid_value"));
}

static int
send_event(struct echo *e, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);
	char *event = arena_printf(e->arena, "data: %s\n\n", text);
	int rc = send_bytes(e, event, strlen(event));

	free(text);
	json_decref(json);
	if (rc == 0)
		rc = e->sink->pause(e->sink->ctx);
	if (rc == 0 && e->watch->tick(e->watch->ctx) == WATCH_GONE) {
		e->report->result = UPSTREAM_CLIENT_GONE;
		return -1;
	}
	return rc;
}

/* ---- chat and completions --------------------------------------------- */

static json_t *
make_usage(uint64_t input, uint64_t output)
{
	return json_pack("{s:I,s:I,s:I}", "prompt_tokens", (json_int_t)input,
	    "completion_tokens", (json_int_t)output, "total_tokens",
	    (json_int_t)(input + output));
}

static json_t *
make_object(struct echo *e, const char *object, json_t *choices)
{
	return json_pack("{s:s,s:s,s:I,s:s,s:o}", "id", e->id, "object", object,
	    "created", (json_int_t)e->created, "model", e->model, "choices",
	    choices);
}

static json_t *
make_choice(struct echo *e, const char *text, const char *finish)
{
	if (e->endpoint == ENDPOINT_COMPLETIONS)
		return json_pack("{s:i,s:s,s:n,s:s?}", "index", 0, "text", text,
		    "logprobs", "finish_reason", finish);
	return json_pack("{s:i,s:{s:s,s:s,s:n},s:n,s:s?}", "index", 0,
	    "message", "role", "assistant", "content", text, "refusal",
	    "logprobs", "finish_reason", finish);
}

static json_t *
make_delta(struct echo *e, const char *text, bool first, const char *finish)
{
	json_t *delta;

	if (e->endpoint == ENDPOINT_COMPLETIONS)
		return make_choice(e, text, finish);
	delta = finish != NULL ? json_object()
			       : json_pack("{s:s}", "content", text);
	if (first)
		json_object_set_new(delta, "role", json_string("assistant"));
	return json_pack("{s:i,s:o,s:n,s:s?}", "index", 0, "delta", delta,
	    "logprobs", "finish_reason", finish);
}

static int
stream_text(
    struct echo *e, const char *object, const char *text, const char *finish)
{
	bool first = true;

	for (size_t len; (len = token_len(text)) > 0; text += len) {
		char *token = arena_text(e->arena, (struct span){ text, len });

		if (send_event(e,
			make_object(e, object,
			    json_pack("[o]",
				make_delta(e, token, first, NULL)))) == -1)
			return -1;
		first = false;
	}
	return send_event(e,
	    make_object(
		e, object, json_pack("[o]", make_delta(e, "", first, finish))));
}

static void
stream_answer(struct echo *e, const char *text, const char *finish,
    uint64_t input, uint64_t output)
{
	const char *object = e->endpoint == ENDPOINT_COMPLETIONS
	    ? "text_completion"
	    : "chat.completion.chunk";
	json_t *options = json_object_get(e->request, "stream_options");
	json_t *last;

	e->report->result = UPSTREAM_STOPPED;
	if (send_head(e, 200, "text/event-stream", -1) == -1 ||
	    stream_text(e, object, text, finish) == -1)
		return;
	if (json_is_true(json_object_get(options, "include_usage"))) {
		last = make_object(e, object, json_array());
		json_object_set_new(last, "usage", make_usage(input, output));
		if (send_event(e, last) == -1)
			return;
	}
	if (send_bytes(e, "data: [DONE]\n\n", 14) == 0)
		e->report->result = UPSTREAM_OK;
}

static void
answer_text(struct echo *e)
{
	uint64_t input, output;
	bool cut;
	const char *text = last_text(e, &input), *finish;
	json_t *answer;

	text = limited(e, text, &output, &cut);
	finish = cut ? "length" : "stop";
	if (json_is_true(json_object_get(e->request, "stream"))) {
		stream_answer(e, text, finish, input, output);
		return;
	}
	answer = make_object(e,
	    e->endpoint == ENDPOINT_COMPLETIONS ? "text_completion"
						: "chat.completion",
	    json_pack("[o]", make_choice(e, text, finish)));
	json_object_set_new(answer, "usage", make_usage(input, output));
	send_json(e, 200, answer);
}

/* ---- embeddings ------------------------------------------------------- */

/* A unit-free vector that depends on nothing but the text: equal texts are
 * equal, others are far apart. */
static void
embed(const char *text, float *out, size_t n)
{
	unsigned char digest[DIGEST_BYTES];
	size_t at = DIGEST_BYTES;

	digest_make(text, strlen(text), digest);
	for (size_t i = 0; i < n; i++) {
		if (at == DIGEST_BYTES) {
			digest_make(digest, DIGEST_BYTES, digest);
			at = 0;
		}
		out[i] = ((float)digest[at++] - 127.5F) / 1024.0F;
	}
}

static void
add_base64(struct buf *b, const unsigned char *p, size_t len)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		unsigned v = (unsigned)p[i] << 16 |
		    (i + 1 < len ? (unsigned)p[i + 1] << 8 : 0) |
		    (i + 2 < len ? p[i + 2] : 0);
		char four[4] = { set[v >> 18], set[v >> 12 & 63],
			i + 1 < len ? set[v >> 6 & 63] : '=',
			i + 2 < len ? set[v & 63] : '=' };

		buf_add(b, four, 4);
	}
}

static json_t *
make_vector(struct echo *e, const char *text, size_t n, bool base64)
{
	float *vector = arena_alloc(e->arena, n * sizeof(*vector));
	json_t *json;
	struct buf b;

	embed(text, vector, n);
	if (base64) {
		buf_init(&b, n * 8);
		add_base64(
		    &b, (const unsigned char *)vector, n * sizeof(*vector));
		json = json_stringn(b.p, b.len);
		buf_free(&b);
		return json;
	}
	json = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(json, json_real((double)vector[i]));
	return json;
}

static void
answer_embeddings(struct echo *e)
{
	json_t *input = json_object_get(e->request, "input"), *one;
	json_t *want = json_object_get(e->request, "dimensions");
	json_t *form = json_object_get(e->request, "encoding_format");
	json_t *list = json_array(), *data = json_array();
	bool base64 = json_is_string(form) &&
	    strcmp(json_string_value(form), "base64") == 0;
	json_int_t n =
	    json_is_integer(want) ? json_integer_value(want) : ECHO_DIMENSIONS;
	uint64_t tokens = 0;
	size_t i;

	if (json_is_array(input))
		json_array_extend(list, input);
	else if (input != NULL)
		json_array_append(list, input);
	json_array_foreach(list, i, one)
	{
		const char *text = json_string_value(one);

		if (text == NULL || n < 1 || n > ECHO_DIMENSIONS_MAX ||
		    i == ECHO_INPUTS_MAX) {
			json_decref(data);
			data = NULL;
			break;
		}
		tokens += count_tokens(text);
		json_array_append_new(data,
		    json_pack("{s:s,s:I,s:o}", "object", "embedding", "index",
			(json_int_t)i, "embedding",
			make_vector(e, text, (size_t)n, base64)));
	}
	json_decref(list);
	if (data == NULL || json_array_size(data) == 0) {
		json_decref(data);
		send_error(e,
		    "`input` is a string or an array of up to 2048 strings, "
		    "`dimensions` at most 4096.",
		    "input");
		return;
	}
	send_json(e, 200,
	    json_pack("{s:s,s:o,s:s,s:{s:I,s:I}}", "object", "list", "data",
		data, "model", e->model, "usage", "prompt_tokens",
		(json_int_t)tokens, "total_tokens", (json_int_t)tokens));
}

void
echo_send(enum endpoint endpoint, const char *model, struct span body,
    const struct watch *watch, const struct upstream_sink *sink,
    struct arena *arena, struct upstream_report *report)
{
	struct echo e = { .endpoint = endpoint,
		.model = model,
		.sink = sink,
		.watch = watch,
		.arena = arena,
		.report = report };
	unsigned char random[8];

	memset(report, 0, sizeof(*report));
	report->bytes_out = body.len;
	arc4random_buf(random, sizeof(random));
	e.created = clock_wall_ms() / 1000;
	snprintf(e.id, sizeof(e.id), "%s-%02x%02x%02x%02x%02x%02x%02x%02x",
	    endpoint == ENDPOINT_COMPLETIONS ? "cmpl" : "chatcmpl", random[0],
	    random[1], random[2], random[3], random[4], random[5], random[6],
	    random[7]);
	e.request = json_loadb(body.p, body.len, JSON_ALLOW_NUL, NULL);
	if (e.request == NULL)
		send_error(&e, "The body holds a value that echo can't read.",
		    "model");
	else if (endpoint == ENDPOINT_EMBEDDINGS)
		answer_embeddings(&e);
	else
		answer_text(&e);
	json_decref(e.request);
	report->detail = upstream_result_name(report->result);
}

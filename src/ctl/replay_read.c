/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Reads chat completions, Responses and Messages alike: hides that each has
 * names of its own for the same things.  Members that only one API has tell
 * which one it is.
 */
#include "config.h"

#include <jansson.h>
#include <string.h>

#include "base/jspan.h"
#include "ctl/replay_read.h"
#include "wire/sse.h"

#define TEXT_MAX ((size_t)16 << 20)

static void
add(struct buf *b, const json_t *text)
{
	if (json_is_string(text))
		buf_add(b, json_string_value(text), json_string_length(text));
}

static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text == NULL ? "" : text;
}

/* Adds a whole call; its arguments are JSON, or a string of JSON. */
static void
add_call(struct replayed *r, const json_t *name, const json_t *arguments)
{
	char *spelled = NULL;

	if (!json_is_string(name))
		return;
	r->ncalls++;
	add(&r->calls, name);
	buf_puts(&r->calls, " ");
	if (json_is_string(arguments))
		add(&r->calls, arguments);
	else if ((spelled = json_dumps(arguments, JSON_COMPACT)) != NULL)
		buf_puts(&r->calls, spelled);
	free(spelled);
	buf_puts(&r->calls, "\n");
}

/* Begins a call whose pieces follow. */
static void
begin_call(struct replayed *r, const json_t *name)
{
	if (!json_is_string(name))
		return;
	if (r->ncalls++ > 0)
		buf_puts(&r->calls, "\n");
	add(&r->calls, name);
	buf_puts(&r->calls, " ");
}

static void
take_number(const json_t *object, const char *name, int64_t *to)
{
	const json_t *value = json_object_get(object, name);

	if (json_is_integer(value))
		*to = json_integer_value(value);
}

/* Each API has two of these members. */
static void
take_usage(struct replayed *r, const json_t *usage)
{
	take_number(usage, "prompt_tokens", &r->in);
	take_number(usage, "input_tokens", &r->in);
	take_number(usage, "completion_tokens", &r->out);
	take_number(usage, "output_tokens", &r->out);
}

/* ---- chat completions --------------------------------------------------- */

static void
take_choice(struct replayed *r, const json_t *choice)
{
	const json_t *message = json_object_get(choice, "message");
	const json_t *delta = json_object_get(choice, "delta");
	const json_t *call, *function;
	size_t i;

	add(&r->text, json_object_get(message, "content"));
	add(&r->text, json_object_get(delta, "content"));
	add(&r->text, json_object_get(choice, "text"));
	json_array_foreach (json_object_get(message, "tool_calls"), i, call) {
		function = json_object_get(call, "function");
		add_call(r, json_object_get(function, "name"),
		    json_object_get(function, "arguments"));
	}
	json_array_foreach (json_object_get(delta, "tool_calls"), i, call) {
		function = json_object_get(call, "function");
		begin_call(r, json_object_get(function, "name"));
		add(&r->calls, json_object_get(function, "arguments"));
	}
}

/* ---- Responses ---------------------------------------------------------- */

static void
take_item(struct replayed *r, const json_t *item)
{
	const json_t *part;
	size_t i;

	if (strcmp(text_of(item, "type"), "function_call") == 0)
		add_call(r, json_object_get(item, "name"),
		    json_object_get(item, "arguments"));
	json_array_foreach (json_object_get(item, "content"), i, part)
		if (strcmp(text_of(part, "type"), "output_text") == 0)
			add(&r->text, json_object_get(part, "text"));
}

static void
take_response(struct replayed *r, const json_t *response)
{
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(response, "output"), i, item)
		take_item(r, item);
	take_usage(r, json_object_get(response, "usage"));
}

/* ---- Messages ----------------------------------------------------------- */

static void
take_block(struct replayed *r, const json_t *block, bool whole)
{
	if (strcmp(text_of(block, "type"), "text") == 0)
		add(&r->text, json_object_get(block, "text"));
	if (strcmp(text_of(block, "type"), "tool_use") != 0)
		return;
	if (whole)
		add_call(r, json_object_get(block, "name"),
		    json_object_get(block, "input"));
	else
		begin_call(r, json_object_get(block, "name"));
}

/* ---- one object --------------------------------------------------------- */

/* Takes an event of a stream, by its type; false: it is of no such type. */
static bool
take_event(struct replayed *r, const json_t *o)
{
	const char *type = text_of(o, "type");
	const json_t *delta = json_object_get(o, "delta");

	/* At its end, a stream repeats the whole response. */
	if (strcmp(type, "response.completed") == 0 ||
	    strcmp(type, "response.incomplete") == 0)
		take_response(r, json_object_get(o, "response"));
	else if (strcmp(type, "response.failed") == 0)
		add(&r->error,
		    json_object_get(
			json_object_get(
			    json_object_get(o, "response"), "error"),
			"message"));
	else if (strcmp(type, "message_start") == 0)
		take_usage(
		    r, json_object_get(json_object_get(o, "message"), "usage"));
	else if (strcmp(type, "content_block_start") == 0)
		take_block(r, json_object_get(o, "content_block"), false);
	else if (strcmp(type, "content_block_delta") == 0) {
		add(&r->text, json_object_get(delta, "text"));
		add(&r->calls, json_object_get(delta, "partial_json"));
	} else if (strcmp(type, "message_delta") == 0)
		take_usage(r, json_object_get(o, "usage"));
	else
		return strncmp(type, "response.", 9) == 0;
	return true;
}

static void
take_object(struct replayed *r, const json_t *o)
{
	const json_t *block;
	size_t i;

	if (take_event(r, o))
		return;
	add(&r->error, json_object_get(json_object_get(o, "error"), "message"));
	take_choice(r, json_array_get(json_object_get(o, "choices"), 0));
	json_array_foreach (json_object_get(o, "content"), i, block)
		take_block(r, block, true);
	take_response(r, o);
}

static int
on_event(void *ctx, const struct sse_event *event)
{
	json_t *o = jspan_is_deep(event->data)
	    ? NULL
	    : json_loadb(event->data.p, event->data.len, 0, NULL);

	if (o != NULL)
		take_object(ctx, o);
	json_decref(o);
	return 0;
}

void
replayed_read(struct replayed *r, struct span body)
{
	struct sse_event whole = { .data = body };
	struct sse sse;

	*r = (struct replayed){ .in = -1, .out = -1 };
	buf_init(&r->text, TEXT_MAX);
	buf_init(&r->calls, TEXT_MAX);
	buf_init(&r->error, TEXT_MAX);
	if (body.len > 0 && body.p[0] == '{') {
		on_event(r, &whole);
		return;
	}
	sse_init(&sse, TEXT_MAX, NULL);
	sse_push(&sse, body, on_event, r);
	sse_finish(&sse, on_event, r);
	sse_free(&sse);
	if (r->calls.len > 0 && r->calls.p[r->calls.len - 1] != '\n')
		buf_puts(&r->calls, "\n");
}

void
replayed_free(struct replayed *r)
{
	buf_free(&r->text);
	buf_free(&r->calls);
	buf_free(&r->error);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The shapes of an error on the wire.  Each of our own error responses is
 * written here, whole or as an event of a stream, so that only one place spells
 * error objects.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "wire/reply.h"

static void
add_or_null(struct buf *b, const char *text)
{
	if (text == NULL)
		buf_puts(b, "null");
	else
		buf_json(b, span_of(text));
}

static void
add_openai(struct buf *b, const struct refusal_spec *spec,
    const struct refused *r, const char *message)
{
	buf_puts(b, "{\"error\":{\"message\":");
	buf_json(b, span_of(message));
	buf_puts(b, ",\"type\":");
	buf_json(b, span_of(spec->type));
	buf_puts(b, ",\"param\":");
	add_or_null(b, r->param);
	buf_puts(b, ",\"code\":");
	add_or_null(b, spec->code);
	buf_puts(b, "}}");
}

/* Anthropic's words make Claude Code compact. */
static void
add_too_long(struct buf *b, const char *message)
{
	char text[1024];

	snprintf(text, sizeof(text), "prompt is too long: %s", message);
	buf_json(b, span_of(text));
}

/* These tell Anthropic's SDK that no thread is kept here: its tool runner
 * then sends the whole conversation each time (sdk 1.12, ThreadState). */
static void
add_details(struct buf *b, const struct refusal_spec *spec, const char *param)
{
	if (spec->id == REFUSE_UNSUPPORTED && param != NULL &&
	    strcmp(param, "thread") == 0)
		buf_puts(b,
		    ",\"details\":{\"error_code\":"
		    "\"thread_unsupported_request\","
		    "\"unsupported\":[\"thread\"]}");
}

static void
add_anthropic(struct buf *b, const struct refusal_spec *spec,
    const struct refused *r, const char *message, const char *request_id)
{
	buf_puts(b, "{\"type\":\"error\",\"error\":{\"type\":");
	buf_json(b, span_of(spec->anthropic));
	buf_puts(b, ",\"message\":");
	if (spec->id == REFUSE_TOO_LONG)
		add_too_long(b, message);
	else
		buf_json(b, span_of(message));
	add_details(b, spec, r->param);
	buf_puts(b, "},\"request_id\":");
	add_or_null(b, request_id);
	buf_puts(b, "}");
}

void
reply_error_json(struct buf *b, enum endpoint_shape shape,
    const struct refused *r, const char *request_id)
{
	const struct refusal_spec *spec = refusal_spec(r->refusal);
	const char *message = r->message != NULL ? r->message : spec->text;

	if (shape == ENDPOINT_SHAPE_ANTHROPIC)
		add_anthropic(b, spec, r, message, request_id);
	else
		add_openai(b, spec, r, message);
}

void
reply_response_error(struct buf *b, const struct refused *r, uint64_t sequence)
{
	const struct refusal_spec *spec = refusal_spec(r->refusal);

	buf_printf(b,
	    "{\"type\":\"error\",\"sequence_number\":%llu,\"error\":"
	    "{\"type\":",
	    (unsigned long long)sequence);
	buf_json(b, span_of(spec->type));
	buf_puts(b, ",\"code\":");
	buf_json(b, span_of(spec->code));
	buf_puts(b, ",\"message\":");
	buf_json(b, span_of(r->message != NULL ? r->message : spec->text));
	buf_puts(b, ",\"param\":");
	add_or_null(b, r->param);
	buf_puts(b, "}}");
}

void
reply_response_failed(
    struct buf *b, const struct refused *r, const char *id, uint64_t sequence)
{
	const struct refusal_spec *spec = refusal_spec(r->refusal);

	buf_printf(b,
	    "{\"type\":\"response.failed\",\"sequence_number\":%llu,"
	    "\"response\":{\"id\":",
	    (unsigned long long)sequence);
	buf_json(b, span_of(id));
	buf_puts(b,
	    ",\"object\":\"response\",\"status\":\"failed\","
	    "\"output\":[],\"error\":{\"code\":");
	buf_json(b, span_of(spec->code));
	buf_puts(b, ",\"message\":");
	buf_json(b, span_of(r->message != NULL ? r->message : spec->text));
	buf_puts(b, "}}}");
}

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

#include "base/jput.h"
#include "wire/reply.h"

static void
add_openai(struct buf *b, const struct refusal_spec *spec,
    const struct refused *r, const char *message)
{
	buf_puts(b, "{");
	jput_name_open(b, "error", '{');
	jput_text(b, "message", message);
	jput_text(b, "type", spec->type);
	jput_text(b, "param", r->param);
	jput_text(b, "code", spec->code);
	buf_puts(b, "}}");
}

/* Anthropic's words make Claude Code compact. */
static void
add_too_long(struct buf *b, const char *message)
{
	char text[1024];

	snprintf(text, sizeof(text), "prompt is too long: %s", message);
	jput_text(b, "message", text);
}

/* These tell Anthropic's SDK that no thread is kept here: its tool runner
 * then sends the whole conversation each time (sdk 1.12, ThreadState). */
static void
add_details(struct buf *b, const struct refusal_spec *spec, const char *param)
{
	if (spec->id == REFUSE_UNSUPPORTED && param != NULL &&
	    strcmp(param, "thread") == 0)
		jput_raw(b, "details",
		    "{\"error_code\":\"thread_unsupported_request\","
		    "\"unsupported\":[\"thread\"]}");
}

static void
add_anthropic(struct buf *b, const struct refusal_spec *spec,
    const struct refused *r, const char *message, const char *request_id)
{
	buf_puts(b, "{");
	jput_text(b, "type", "error");
	jput_name_open(b, "error", '{');
	jput_text(b, "type", spec->anthropic);
	if (spec->id == REFUSE_TOO_LONG)
		add_too_long(b, message);
	else
		jput_text(b, "message", message);
	add_details(b, spec, r->param);
	buf_puts(b, "}");
	jput_text(b, "request_id", request_id);
	buf_puts(b, "}");
}

static const char *
message_of(const struct refused *r)
{
	return r->message != NULL ? r->message : refusal_spec(r->refusal)->text;
}

void
reply_error_json(struct buf *b, enum endpoint_shape shape,
    const struct refused *r, const char *request_id)
{
	const struct refusal_spec *spec = refusal_spec(r->refusal);

	if (shape == ENDPOINT_SHAPE_ANTHROPIC)
		add_anthropic(b, spec, r, message_of(r), request_id);
	else
		add_openai(b, spec, r, message_of(r));
}

void
reply_response_error(struct buf *b, const struct refused *r, uint64_t sequence)
{
	const struct refusal_spec *spec = refusal_spec(r->refusal);

	buf_puts(b, "{");
	jput_text(b, "type", "error");
	jput_u64(b, "sequence_number", sequence);
	jput_name_open(b, "error", '{');
	jput_text(b, "type", spec->type);
	jput_text(b, "code", spec->code);
	jput_text(b, "message", message_of(r));
	jput_text(b, "param", r->param);
	buf_puts(b, "}}");
}

void
reply_response_failed(
    struct buf *b, const struct refused *r, const char *id, uint64_t sequence)
{
	buf_puts(b, "{");
	jput_text(b, "type", "response.failed");
	jput_u64(b, "sequence_number", sequence);
	jput_name_open(b, "response", '{');
	jput_text(b, "id", id);
	jput_text(b, "object", "response");
	jput_text(b, "status", "failed");
	jput_raw(b, "output", "[]");
	jput_name_open(b, "error", '{');
	jput_text(b, "code", refusal_spec(r->refusal)->code);
	jput_text(b, "message", message_of(r));
	buf_puts(b, "}}}");
}

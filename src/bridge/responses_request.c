/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a Responses request becomes a chat completions request, member by
 * member.
 *
 * Source: the OpenAI API reference, "Create a model response".
 */
#include "config.h"

#include <stdlib.h>

#include "base/jspan.h"
#include "bridge/fields.h"
#include "bridge/run.h"

static const struct field fields[] = {
	{ "model", FIELD_DONE, NULL },
	{ "input", FIELD_DONE, NULL },
	{ "instructions", FIELD_DONE, NULL },
	{ "tools", FIELD_DONE, NULL },
	{ "tool_choice", FIELD_DONE, NULL },
	{ "parallel_tool_calls", FIELD_DONE, NULL },
	{ "text", FIELD_DONE, NULL },
	{ "reasoning", FIELD_DONE, NULL },
	{ "stream", FIELD_DONE, NULL },
	{ "user", FIELD_DONE, NULL },
	{ "max_output_tokens", FIELD_MAX_TOKENS, NULL },
	{ "temperature", FIELD_COPY, "temperature" },
	{ "top_p", FIELD_COPY, "top_p" },
	{ "store", FIELD_HINT, NULL },
	{ "include", FIELD_HINT, NULL },
	{ "metadata", FIELD_HINT, NULL },
	{ "client_metadata", FIELD_HINT, NULL },
	{ "stream_options", FIELD_HINT, NULL },
	{ "service_tier", FIELD_HINT, NULL },
	{ "safety_identifier", FIELD_HINT, NULL },
	{ "prompt_cache_key", FIELD_HINT, NULL },
	{ "prompt_cache_retention", FIELD_HINT, NULL },
	{ "prompt_cache_options", FIELD_HINT, NULL },
	{ "max_tool_calls", FIELD_HINT, NULL },
	{ "background", FIELD_NOT_TRUE, "Ask for a stream instead." },
	{ "previous_response_id", FIELD_REFUSE,
	    "tailgate keeps no responses: send the whole conversation in "
	    "`input`." },
	{ "conversation", FIELD_REFUSE,
	    "tailgate keeps no conversations: send the whole of it in "
	    "`input`." },
	{ "prompt", FIELD_REFUSE, "Send `instructions` and `input` instead." },
	/* What happens anyway. */
	{ "truncation", FIELD_ONLY, "\"disabled\"" },
	{ "top_logprobs", FIELD_ONLY, "0" },
};

#define NFIELDS (sizeof(fields) / sizeof(*fields))

static struct span
value_of(const struct span *values, const char *name)
{
	return fields_value(fields, NFIELDS, values, name);
}

/* --- Text and reasoning --- */

static void
write_schema(struct bridge_run *run, struct span format, struct buf *out)
{
	struct jspan_want want[] = { { "name", { 0 } },
		{ "description", { 0 } }, { "schema", { 0 } },
		{ "strict", { 0 } } };
	bool first = true;

	jspan_pick(format, want, 4);
	if (run->dialect.drop_strict)
		want[3].value.p = NULL;
	jput_name(out, "response_format");
	buf_puts(out, "{\"type\":\"json_schema\",\"json_schema\":{");
	for (size_t i = 0; i < 4; i++) {
		if (want[i].value.p == NULL)
			continue;
		buf_puts(out, first ? "\"" : ",\"");
		buf_puts(out, want[i].name);
		buf_puts(out, "\":");
		buf_add(out, want[i].value.p, want[i].value.len);
		first = false;
	}
	buf_puts(out, "}}");
}

static int
write_format(struct bridge_run *run, struct span format, struct buf *out)
{
	if (format.p == NULL || jspan_member_says(format, "type", "text"))
		return 0;
	if (jspan_member_says(format, "type", "json_schema")) {
		write_schema(run, format, out);
		return 0;
	}
	if (!jspan_member_says(format, "type", "json_object"))
		return bridge_refuse(run, REFUSE_UNSUPPORTED, "text.format",
		    "`text.format` cannot be translated for a model that "
		    "speaks only chat completions. Leave it out.");
	jput_name(out, "response_format");
	buf_add(out, format.p, format.len);
	return 0;
}

static void
write_member(
    struct span object, const char *name, const char *chat, struct buf *out)
{
	struct span value = jspan_member(object, name);

	if (value.p == NULL)
		return;
	jput_name(out, chat);
	buf_add(out, value.p, value.len);
}

/* --- All of it --- */

/* What the response's object repeats of the request; it is in events, so
 * without line feeds. */
static void
make_echo(struct bridge_run *run, const struct span *values)
{
	static const struct {
		const char *name, *otherwise;
	} echoes[] = {
		{ "instructions", "null" },
		{ "max_output_tokens", "null" },
		{ "max_tool_calls", "null" },
		{ "metadata", "{}" },
		{ "parallel_tool_calls", "true" },
		{ "reasoning", "{\"effort\":null,\"summary\":null}" },
		{ "service_tier", "\"default\"" },
		{ "temperature", "1.0" },
		{ "text", "{\"format\":{\"type\":\"text\"}}" },
		{ "tool_choice", "\"auto\"" },
		{ "tools", "[]" },
		{ "top_p", "1.0" },
		{ "user", "null" },
	};

	buf_puts(&run->echo,
	    ",\"previous_response_id\":null,\"store\":false,"
	    "\"truncation\":\"disabled\"");
	for (size_t i = 0; i < sizeof(echoes) / sizeof(*echoes); i++) {
		struct span value = value_of(values, echoes[i].name);

		jput_name(&run->echo, echoes[i].name);
		if (value.p == NULL)
			buf_puts(&run->echo, echoes[i].otherwise);
		else
			jspan_write(value, &run->echo);
	}
}

static int
write_request(struct bridge_run *run, const struct span *values,
    struct responses_tools *tools, struct buf *out)
{
	struct span text = value_of(values, "text");

	if (bridge_responses_gather(run, tools, value_of(values, "tools")) ==
	    -1)
		return -1;
	buf_puts(out, ",\"messages\":[");
	if (bridge_responses_input(run, value_of(values, "instructions"),
		value_of(values, "input"), tools, out) == -1)
		return -1;
	buf_puts(out, "]");
	fields_write(run, fields, NFIELDS, values, out);
	fields_write_user(run, value_of(values, "user"), out);
	if (bridge_responses_tools(run, tools, value_of(values, "tool_choice"),
		value_of(values, "parallel_tool_calls"), out) == -1)
		return -1;
	write_member(text, "verbosity", "verbosity", out);
	write_member(
	    value_of(values, "reasoning"), "effort", "reasoning_effort", out);
	return write_format(run, jspan_member(text, "format"), out);
}

int
bridge_responses_request(
    struct bridge_run *run, struct span body, struct buf *out)
{
	struct responses_tools tools = { NULL, 0, 0 };
	struct span values[NFIELDS];
	int result;

	if (fields_read(run, body, fields, NFIELDS, values) == -1)
		return -1;
	result = write_request(run, values, &tools, out);
	free(tools.list);
	if (result == 0)
		make_echo(run, values);
	return result;
}

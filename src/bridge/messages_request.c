/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a Messages request becomes a chat completions request, member by
 * member.
 *
 * `thinking` is a permission that a chat upstream uses as it is set up.  An
 * effort is left out and named: Claude Code asks every model for one, and
 * upstreams whose model does not think refuse it (Ollama, Mistral).
 *
 * Source: the Anthropic API reference, "Create a Message".
 */
#include "config.h"

#include "base/jspan.h"
#include "bridge/fields.h"
#include "bridge/run.h"

static const struct field fields[] = {
	{ "model", FIELD_DONE, NULL },
	{ "messages", FIELD_DONE, NULL },
	{ "system", FIELD_DONE, NULL },
	{ "tools", FIELD_DONE, NULL },
	{ "tool_choice", FIELD_DONE, NULL },
	{ "metadata", FIELD_DONE, NULL },
	{ "output_config", FIELD_DONE, NULL },
	{ "output_format", FIELD_DONE, NULL },
	{ "stream", FIELD_DONE, NULL },
	{ "max_tokens", FIELD_MAX_TOKENS, NULL },
	{ "stop_sequences", FIELD_COPY, "stop" },
	{ "temperature", FIELD_COPY, "temperature" },
	{ "top_p", FIELD_COPY, "top_p" },
	{ "top_k", FIELD_COPY, "top_k" },
	{ "thinking", FIELD_HINT, NULL },
	{ "service_tier", FIELD_HINT, NULL },
	{ "cache_control", FIELD_HINT, NULL },
	{ "inference_geo", FIELD_HINT, NULL },
	{ "speed", FIELD_HINT, NULL },
	{ "anthropic_version", FIELD_HINT, NULL },
	{ "anthropic_beta", FIELD_HINT, NULL },
	{ "betas", FIELD_HINT, NULL },
	{ "diagnostics", FIELD_HINT, NULL },
	{ "context_management", FIELD_DROP, NULL },
	{ "mcp_servers", FIELD_DROP, NULL },
};

#define NFIELDS (sizeof(fields) / sizeof(*fields))

static struct span
value_of(const struct span *values, const char *name)
{
	return fields_value(fields, NFIELDS, values, name);
}

/* --- Tools --- */

/* A tool with its own schema; one with only a type is Anthropic's. */
static int
write_tool(struct bridge_run *run, struct span tool, bool *any, struct buf *out)
{
	struct jspan_want want[] = { { "type", { 0 } }, { "name", { 0 } },
		{ "description", { 0 } }, { "input_schema", { 0 } },
		{ "strict", { 0 } } };
	struct span type, name;
	struct name *n;

	jspan_pick(tool, want, 5);
	type = jspan_inside(want[0].value);
	name = jspan_inside(want[1].value);
	if (type.p != NULL && !jspan_says(type, "custom")) {
		bridge_drop(run, type);
		return 0;
	}
	if (name.len == 0 || !jspan_is_object(want[3].value))
		return bridge_refuse(run, REFUSE_INVALID_REQUEST, "tools",
		    "A tool needs `name` and `input_schema`.");
	n = bridge_name(run, (struct span){ NULL, 0 }, name, NAME_FUNCTION);
	if (n == NULL)
		return -1;
	if (n->offered)
		return 0;
	n->offered = true;
	buf_puts(out, *any ? "," : ",\"tools\":[");
	*any = true;
	bridge_function(run, n, want[2].value, want[3].value,
	    jspan_is_true(want[4].value), out);
	return 0;
}

static int
write_choice(struct bridge_run *run, struct span choice, struct buf *out)
{
	static const char *const words[][2] = { { "auto", "auto" },
		{ "any", "required" }, { "none", "none" } };
	struct jspan_want want[] = { { "type", { 0 } }, { "name", { 0 } },
		{ "disable_parallel_tool_use", { 0 } } };
	struct span type, name;
	struct name *n;

	jspan_pick(choice, want, 3);
	type = jspan_inside(want[0].value);
	name = jspan_inside(want[1].value);
	if (jspan_is_true(want[2].value))
		buf_puts(out, ",\"parallel_tool_calls\":false");
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (jspan_says(type, words[i][0])) {
			jput_name(out, "tool_choice");
			buf_json(out, span_of(words[i][1]));
			return 0;
		}
	if (!jspan_says(type, "tool") || name.len == 0)
		return bridge_refuse(run, REFUSE_UNSUPPORTED, "tool_choice",
		    "`tool_choice` must be auto, any, none or name a tool.");
	n = bridge_name(run, (struct span){ NULL, 0 }, name, NAME_FUNCTION);
	if (n == NULL)
		return -1;
	bridge_choice(n, out);
	return 0;
}

static int
write_tools(struct bridge_run *run, struct span list, struct span choice,
    struct buf *out)
{
	struct jspan_walk w = jspan_walk(list);
	bool any = false;

	while (!w.object && jspan_next(&w))
		if (write_tool(run, w.value, &any, out) == -1)
			return -1;
	if (any) {
		buf_puts(out, "]");
		return choice.p == NULL ? 0 : write_choice(run, choice, out);
	}
	if (jspan_member_says(choice, "type", "any") ||
	    jspan_member_says(choice, "type", "tool"))
		return bridge_refuse(run, REFUSE_UNSUPPORTED, "tool_choice",
		    "`tool_choice` requires a tool, but none of the tools "
		    "can be offered to this model.");
	return 0;
}

/* --- All of it --- */

static int
write_output(struct bridge_run *run, struct span config, struct span format,
    struct buf *out)
{
	struct jspan_want want[] = { { "format", { 0 } }, { "effort", { 0 } } };
	struct span schema;

	jspan_pick(config, want, 2);
	if (want[1].value.p != NULL)
		bridge_drop(run, span_of("output_config.effort"));
	if (want[0].value.p != NULL)
		format = want[0].value;
	if (format.p == NULL)
		return 0;
	schema = jspan_member(format, "schema");
	if (!jspan_member_says(format, "type", "json_schema") ||
	    !jspan_is_object(schema))
		return bridge_refuse(run, REFUSE_UNSUPPORTED,
		    "output_config.format",
		    "The output format must be a json_schema.");
	jput_name(out, "response_format");
	buf_puts(out,
	    "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"output\","
	    "\"schema\":");
	buf_add(out, schema.p, schema.len);
	buf_puts(out, run->dialect.drop_strict ? "}}" : ",\"strict\":true}}");
	return 0;
}

int
bridge_messages_request(
    struct bridge_run *run, struct span body, struct buf *out)
{
	struct span values[NFIELDS], user, stops;

	if (fields_read(run, body, fields, NFIELDS, values) == -1)
		return -1;
	stops = value_of(values, "stop_sequences");
	buf_add(&run->stops, stops.p, stops.len);
	/* Tools first: they have their names before any call in the history
	 * has its own. */
	fields_write(run, fields, NFIELDS, values, out);
	user = jspan_member(value_of(values, "metadata"), "user_id");
	fields_write_user(run, user, out);
	if (write_tools(run, value_of(values, "tools"),
		value_of(values, "tool_choice"), out) == -1 ||
	    write_output(run, value_of(values, "output_config"),
		value_of(values, "output_format"), out) == -1)
		return -1;
	buf_puts(out, ",\"messages\":[");
	if (bridge_messages_input(run, value_of(values, "system"),
		value_of(values, "messages"), out) == -1)
		return -1;
	buf_puts(out, "]");
	return 0;
}

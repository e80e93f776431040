/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a Responses request is said in chat completions.  Every member
 * has a row that says what becomes of it; one that has none is refused by its
 * name, so that nothing is lost in silence.
 *
 * Source: the OpenAI API reference, "Create a model response".
 */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "bridge/run.h"

enum fate {
	FATE_COPY, /* under the name in chat */
	FATE_HINT, /* no answer depends on it */
	FATE_DONE, /* translated elsewhere */
	FATE_REFUSE,
	FATE_NOT_TRUE, /* refused where it is true */
};

static const struct {
	const char *name;
	enum fate fate;
	const char *chat; /* or, where refused, what to do instead */
} fields[] = {
	{ "model", FATE_DONE, NULL },
	{ "input", FATE_DONE, NULL },
	{ "instructions", FATE_DONE, NULL },
	{ "tools", FATE_DONE, NULL },
	{ "tool_choice", FATE_DONE, NULL },
	{ "parallel_tool_calls", FATE_DONE, NULL },
	{ "text", FATE_DONE, NULL },
	{ "reasoning", FATE_DONE, NULL },
	{ "stream", FATE_DONE, NULL },
	{ "max_output_tokens", FATE_COPY, "max_tokens" },
	{ "temperature", FATE_COPY, "temperature" },
	{ "top_p", FATE_COPY, "top_p" },
	{ "user", FATE_COPY, "user" },
	{ "store", FATE_HINT, NULL },
	{ "include", FATE_HINT, NULL },
	{ "metadata", FATE_HINT, NULL },
	{ "client_metadata", FATE_HINT, NULL },
	{ "stream_options", FATE_HINT, NULL },
	{ "service_tier", FATE_HINT, NULL },
	{ "safety_identifier", FATE_HINT, NULL },
	{ "prompt_cache_key", FATE_HINT, NULL },
	{ "prompt_cache_retention", FATE_HINT, NULL },
	{ "prompt_cache_options", FATE_HINT, NULL },
	{ "max_tool_calls", FATE_HINT, NULL },
	{ "background", FATE_NOT_TRUE, "Ask for a stream instead." },
	{ "previous_response_id", FATE_REFUSE,
	    "tailgate keeps no responses: send the whole conversation in "
	    "`input`." },
	{ "conversation", FATE_REFUSE,
	    "tailgate keeps no conversations: send the whole of it in "
	    "`input`." },
	{ "prompt", FATE_REFUSE, "Send `instructions` and `input` instead." },
};

static int
refuse_field(struct bridge_run *run, const char *name, const char *advice)
{
	return bridge_refuse(run, REFUSE_UNSUPPORTED, name,
	    "`%.60s` cannot be translated for a model that speaks only chat "
	    "completions. %s",
	    name, advice == NULL ? "Leave it out." : advice);
}

static int
take_field(
    struct bridge_run *run, const char *name, json_t *value, json_t *chat)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		if (strcmp(fields[i].name, name) != 0)
			continue;
		switch (fields[i].fate) {
		case FATE_COPY:
			bridge_set(chat, fields[i].chat, json_incref(value));
			return 0;
		case FATE_REFUSE:
			return refuse_field(run, name, fields[i].chat);
		case FATE_NOT_TRUE:
			if (json_is_true(value))
				return refuse_field(run, name, fields[i].chat);
			return 0;
		default:
			return 0;
		}
	}
	/* `disabled` is what happens anyway. */
	if (strcmp(name, "truncation") == 0 && json_is_string(value) &&
	    strcmp(json_string_value(value), "disabled") == 0)
		return 0;
	if (strcmp(name, "top_logprobs") == 0 && json_is_integer(value) &&
	    json_integer_value(value) == 0)
		return 0;
	return refuse_field(run, name, NULL);
}

/* --- Tools --- */

static int
add_function(struct bridge_run *run, json_t *tool, json_t *tools)
{
	json_t *name = json_object_get(tool, "name"), *made;

	if (!json_is_string(name))
		return bridge_refuse(run, REFUSE_INVALID_REQUEST, "tools",
		    "A function in `tools` has no name.");
	made = bridge_tool(name, json_object_get(tool, "description"),
	    json_object_get(tool, "parameters"));
	if (json_is_true(json_object_get(tool, "strict")))
		bridge_set(
		    json_object_get(made, "function"), "strict", json_true());
	bridge_append(tools, made);
	return 0;
}

/* The description with the grammar that the input must follow. */
static json_t *
custom_description(json_t *tool)
{
	json_t *format = json_object_get(tool, "format"), *made;
	struct span about = bridge_span(tool, "description");
	struct span syntax = bridge_span(format, "syntax");
	struct span definition = bridge_span(format, "definition");
	struct buf b;

	buf_init(&b, SIZE_MAX / 4);
	buf_add(&b, about.p, about.len);
	if (definition.p != NULL) {
		buf_puts(&b, b.len > 0 ? "\n\n" : "");
		buf_puts(&b, "`input` must follow this grammar");
		if (syntax.p != NULL) {
			buf_puts(&b, " (");
			buf_add(&b, syntax.p, syntax.len);
			buf_puts(&b, ")");
		}
		buf_puts(&b, ":\n");
		buf_add(&b, definition.p, definition.len);
	}
	made = bridge_text_of(&b);
	buf_free(&b);
	return made;
}

/* A custom tool takes free text: in chat, a function of one text. */
static int
add_custom(struct bridge_run *run, json_t *tool, json_t *tools)
{
	json_t *name = json_object_get(tool, "name");
	json_t *about, *parameters;

	if (!json_is_string(name) || json_string_length(name) == 0)
		return bridge_refuse(run, REFUSE_INVALID_REQUEST, "tools",
		    "A custom tool in `tools` has no name.");
	about = custom_description(tool);
	parameters = json_pack("{s:s,s:{s:{s:s,s:s}},s:[s],s:b}", "type",
	    "object", "properties", "input", "type", "string", "description",
	    "The whole input of the tool, as plain text.", "required", "input",
	    "additionalProperties", 0);
	bridge_append(tools, bridge_tool(name, about, parameters));
	bridge_set(run->customs, json_string_value(name), json_true());
	json_decref(about);
	json_decref(parameters);
	return 0;
}

static int
add_tool(struct bridge_run *run, json_t *tool, json_t *tools)
{
	struct span type = bridge_span(tool, "type");

	if (type.p == NULL)
		return bridge_refuse(run, REFUSE_INVALID_REQUEST, "tools",
		    "A tool in `tools` has no type.");
	if (span_is(type, "function"))
		return add_function(run, tool, tools);
	if (span_is(type, "custom"))
		return add_custom(run, tool, tools);
	/* Whatever else there is runs at the provider. */
	bridge_drop(run, type.p);
	return 0;
}

static bool
is_allowed(json_t *allowed, json_t *made)
{
	struct span name =
	    bridge_span(json_object_get(made, "function"), "name");
	json_t *tool;
	size_t i;

	json_array_foreach(allowed, i, tool)
	{
		struct span s = bridge_span(tool, "name");

		if (s.p != NULL && span_eq(s, name))
			return true;
	}
	return false;
}

static void
keep_allowed(json_t *tools, json_t *allowed)
{
	for (size_t i = 0; i < json_array_size(tools);) {
		if (is_allowed(allowed, json_array_get(tools, i)))
			i++;
		else
			json_array_remove(tools, i);
	}
}

/* "auto", or an object that names a tool or a set of them. */
static int
take_choice(struct bridge_run *run, json_t *choice, json_t *tools, json_t *chat)
{
	struct span type = bridge_span(choice, "type");
	json_t *name = json_object_get(choice, "name");

	if (type.p != NULL && span_is(type, "allowed_tools")) {
		keep_allowed(tools, json_object_get(choice, "tools"));
		choice = json_object_get(choice, "mode");
	}
	if (json_is_string(choice)) {
		bool required = span_is(bridge_string_span(choice), "required");

		if (json_array_size(tools) > 0)
			bridge_set(chat, "tool_choice", json_incref(choice));
		else if (required)
			return bridge_refuse(run, REFUSE_UNSUPPORTED,
			    "tool_choice",
			    "`tool_choice` requires a tool, and none of them "
			    "can be had from this model.");
		return 0;
	}
	if (type.p == NULL || !json_is_string(name) ||
	    !(span_is(type, "function") || span_is(type, "custom")))
		return bridge_refuse(run, REFUSE_UNSUPPORTED, "tool_choice",
		    "`tool_choice` names a tool that this model cannot have.");
	bridge_set(chat, "tool_choice",
	    json_pack(
		"{s:s,s:{s:O}}", "type", "function", "function", "name", name));
	return 0;
}

static int
take_tools(struct bridge_run *run, json_t *body, json_t *chat)
{
	json_t *list = bridge_member(body, "tools"), *tool;
	json_t *choice = bridge_member(body, "tool_choice");
	json_t *parallel = bridge_member(body, "parallel_tool_calls");
	json_t *tools = json_array();
	size_t i;
	int result = 0;

	json_array_foreach(list, i, tool)
	{
		if ((result = add_tool(run, tool, tools)) != 0)
			break;
	}
	if (result == 0 && choice != NULL)
		result = take_choice(run, choice, tools, chat);
	if (result == 0 && json_array_size(tools) > 0) {
		bridge_set(chat, "tools", json_incref(tools));
		if (json_is_boolean(parallel))
			bridge_set(
			    chat, "parallel_tool_calls", json_incref(parallel));
	}
	json_decref(tools);
	return result;
}

/* --- Text and reasoning --- */

static int
take_format(struct bridge_run *run, json_t *format, json_t *chat)
{
	static const char *const names[] = { "name", "description", "schema",
		"strict" };
	json_t *schema;

	if (format == NULL || bridge_is(format, "type", "text"))
		return 0;
	if (bridge_is(format, "type", "json_object")) {
		bridge_set(chat, "response_format", json_incref(format));
		return 0;
	}
	if (!bridge_is(format, "type", "json_schema"))
		return refuse_field(run, "text.format", NULL);
	schema = json_object();
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		json_t *value = bridge_member(format, names[i]);

		if (value != NULL)
			bridge_set(schema, names[i], json_incref(value));
	}
	bridge_set(chat, "response_format",
	    json_pack(
		"{s:s,s:o}", "type", "json_schema", "json_schema", schema));
	return 0;
}

static int
take_text(struct bridge_run *run, json_t *body, json_t *chat)
{
	json_t *text = bridge_member(body, "text");
	json_t *reasoning = bridge_member(body, "reasoning");
	json_t *verbosity = bridge_member(text, "verbosity");
	json_t *effort = bridge_member(reasoning, "effort");

	if (verbosity != NULL)
		bridge_set(chat, "verbosity", json_incref(verbosity));
	if (effort != NULL)
		bridge_set(chat, "reasoning_effort", json_incref(effort));
	return take_format(run, bridge_member(text, "format"), chat);
}

/* --- All of it --- */

/* What the answer's object says again of the request. */
static void
make_echo(struct bridge_run *run, json_t *body)
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
		json_t *value = bridge_member(body, echoes[i].name);

		buf_printf(&run->echo, ",\"%s\":", echoes[i].name);
		if (value == NULL)
			buf_puts(&run->echo, echoes[i].otherwise);
		else
			bridge_dump(&run->echo, value);
	}
}

int
bridge_responses_request(struct bridge_run *run, json_t *body, json_t *chat)
{
	json_t *messages = json_array(), *value;
	const char *name;

	bridge_set(chat, "messages", messages);
	json_object_foreach(body, name, value)
	{
		if (!json_is_null(value) &&
		    take_field(run, name, value, chat) == -1)
			return -1;
	}
	if (take_tools(run, body, chat) == -1 ||
	    take_text(run, body, chat) == -1 ||
	    bridge_responses_input(run, body, messages) == -1)
		return -1;
	make_echo(run, body);
	return 0;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a Messages request is said in chat completions.  Every member has
 * a row that says what becomes of it; one that has none is refused by its
 * name, so that nothing is lost in silence.
 *
 * `thinking` is a permission that a chat upstream uses as it is set up.  An
 * effort is left out and named: Claude Code asks every model for one, and
 * upstreams whose model does not think refuse it (Ollama, Mistral).
 *
 * Source: the Anthropic API reference, "Create a Message".
 */
#include "config.h"

#include <string.h>

#include "bridge/run.h"

enum fate {
	FATE_COPY, /* under the name in chat */
	FATE_HINT, /* no answer depends on it */
	FATE_DONE, /* translated elsewhere */
	FATE_DROP, /* left out and named */
};

static const struct {
	const char *name;
	enum fate fate;
	const char *chat;
} fields[] = {
	{ "model", FATE_DONE, NULL },
	{ "messages", FATE_DONE, NULL },
	{ "system", FATE_DONE, NULL },
	{ "tools", FATE_DONE, NULL },
	{ "tool_choice", FATE_DONE, NULL },
	{ "metadata", FATE_DONE, NULL },
	{ "output_config", FATE_DONE, NULL },
	{ "output_format", FATE_DONE, NULL },
	{ "stream", FATE_DONE, NULL },
	{ "max_tokens", FATE_COPY, "max_tokens" },
	{ "stop_sequences", FATE_COPY, "stop" },
	{ "temperature", FATE_COPY, "temperature" },
	{ "top_p", FATE_COPY, "top_p" },
	{ "top_k", FATE_COPY, "top_k" },
	{ "thinking", FATE_HINT, NULL },
	{ "service_tier", FATE_HINT, NULL },
	{ "cache_control", FATE_HINT, NULL },
	{ "inference_geo", FATE_HINT, NULL },
	{ "speed", FATE_HINT, NULL },
	{ "anthropic_version", FATE_HINT, NULL },
	{ "anthropic_beta", FATE_HINT, NULL },
	{ "betas", FATE_HINT, NULL },
	{ "diagnostics", FATE_HINT, NULL },
	{ "context_management", FATE_DROP, NULL },
	{ "mcp_servers", FATE_DROP, NULL },
};

static int
take_field(
    struct bridge_run *run, const char *name, json_t *value, json_t *chat)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		if (strcmp(fields[i].name, name) != 0)
			continue;
		if (fields[i].fate == FATE_COPY)
			bridge_set(chat, fields[i].chat, json_incref(value));
		if (fields[i].fate == FATE_DROP)
			bridge_drop(run, name);
		return 0;
	}
	return bridge_refuse(run, REFUSE_UNSUPPORTED, name,
	    "`%.60s` cannot be translated for a model that speaks only chat "
	    "completions. Leave it out.",
	    name);
}

/* A tool with a schema of its own; one that has but a type is Anthropic's. */
static int
add_tool(struct bridge_run *run, json_t *tool, json_t *tools)
{
	struct span type = bridge_span(tool, "type");
	json_t *name = json_object_get(tool, "name");
	json_t *schema = json_object_get(tool, "input_schema");

	if (type.p != NULL && !span_is(type, "custom")) {
		bridge_drop(run, type.p);
		return 0;
	}
	if (!json_is_string(name) || !json_is_object(schema))
		return bridge_refuse(run, REFUSE_INVALID_REQUEST, "tools",
		    "A tool needs `name` and `input_schema`.");
	bridge_append(tools,
	    bridge_tool(name, json_object_get(tool, "description"), schema));
	return 0;
}

static int
take_choice(struct bridge_run *run, json_t *choice, json_t *chat)
{
	static const char *const words[][2] = { { "auto", "auto" },
		{ "any", "required" }, { "none", "none" } };
	json_t *name = json_object_get(choice, "name");

	if (json_is_true(json_object_get(choice, "disable_parallel_tool_use")))
		bridge_set(chat, "parallel_tool_calls", json_false());
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (bridge_is(choice, "type", words[i][0])) {
			bridge_set(
			    chat, "tool_choice", json_string(words[i][1]));
			return 0;
		}
	if (!bridge_is(choice, "type", "tool") || !json_is_string(name))
		return bridge_refuse(run, REFUSE_UNSUPPORTED, "tool_choice",
		    "`tool_choice` must be auto, any, none or name a tool.");
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
	json_t *tools = json_array();
	size_t i;
	int result = 0;

	json_array_foreach(list, i, tool)
	{
		if ((result = add_tool(run, tool, tools)) != 0)
			break;
	}
	if (result == 0 && json_array_size(tools) > 0) {
		bridge_set(chat, "tools", json_incref(tools));
		if (choice != NULL)
			result = take_choice(run, choice, chat);
	} else if (result == 0 &&
	    (bridge_is(choice, "type", "any") ||
		bridge_is(choice, "type", "tool"))) {
		result = bridge_refuse(run, REFUSE_UNSUPPORTED, "tool_choice",
		    "`tool_choice` requires a tool, and none of them can be "
		    "had from this model.");
	}
	json_decref(tools);
	return result;
}

static int
take_output(struct bridge_run *run, json_t *body, json_t *chat)
{
	json_t *config = bridge_member(body, "output_config");
	json_t *format = bridge_member(config, "format");
	json_t *effort = bridge_member(config, "effort");
	json_t *schema;

	if (format == NULL)
		format = bridge_member(body, "output_format");
	if (effort != NULL)
		bridge_drop(run, "output_config.effort");
	if (format == NULL)
		return 0;
	schema = json_object_get(format, "schema");
	if (!bridge_is(format, "type", "json_schema") ||
	    !json_is_object(schema))
		return bridge_refuse(run, REFUSE_UNSUPPORTED,
		    "output_config.format",
		    "The output format must be a json_schema.");
	bridge_set(chat, "response_format",
	    json_pack("{s:s,s:{s:s,s:O,s:b}}", "type", "json_schema",
		"json_schema", "name", "output", "schema", schema, "strict",
		1));
	return 0;
}

int
bridge_messages_request(struct bridge_run *run, json_t *body, json_t *chat)
{
	json_t *messages = json_array(), *value, *user;
	const char *name;

	bridge_set(chat, "messages", messages);
	json_object_foreach(body, name, value)
	{
		if (!json_is_null(value) &&
		    take_field(run, name, value, chat) == -1)
			return -1;
	}
	user = bridge_member(bridge_member(body, "metadata"), "user_id");
	if (user != NULL)
		bridge_set(chat, "user", json_incref(user));
	if (take_tools(run, body, chat) == -1 ||
	    take_output(run, body, chat) == -1)
		return -1;
	return bridge_messages_input(run, body, messages);
}

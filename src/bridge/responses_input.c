/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides that a Responses conversation is a flat list of items, where a chat
 * wants messages: calls gather in the assistant's message, outputs follow as
 * tool messages, what is no text in an output comes behind them as a user's.
 * Reasoning goes back only beside calls, where upstreams that think between
 * calls ask for it.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "bridge/run.h"

struct input {
	struct bridge_run *run;
	struct bridge_talk talk;
	json_t *reasoning; /* text before the assistant's message */
	size_t index; /* of the item */
};

static int
refuse(struct input *in, const char *what, struct span name)
{
	char param[48];

	snprintf(param, sizeof(param), "input[%zu]", in->index);
	return bridge_refuse(in->run, REFUSE_UNSUPPORTED, param,
	    "%s \"%.*s\" of an input item cannot be translated for a model "
	    "that speaks only chat completions. Leave it out.",
	    what, (int)(name.len < 60 ? name.len : 60),
	    name.p == NULL ? "" : name.p);
}

static int
malformed(struct input *in, const char *what)
{
	char param[48];

	snprintf(param, sizeof(param), "input[%zu]", in->index);
	return bridge_refuse(in->run, REFUSE_INVALID_REQUEST, param,
	    "An input item is malformed: %s.", what);
}

/* --- Parts --- */

static int
take_image(struct input *in, json_t *part, json_t *parts)
{
	json_t *url = json_object_get(part, "image_url");

	if (!json_is_string(url))
		return refuse(in, "The image by", span_of("file_id"));
	bridge_append(
	    parts, bridge_image_part(url, json_object_get(part, "detail")));
	return 0;
}

static int
take_file(struct input *in, json_t *part, json_t *parts)
{
	json_t *data = json_object_get(part, "file_data");

	if (!json_is_string(data))
		return refuse(in, "The file by",
		    span_of(bridge_member(part, "file_url") != NULL
			    ? "file_url"
			    : "file_id"));
	bridge_append(
	    parts, bridge_file_part(data, json_object_get(part, "filename")));
	return 0;
}

static int
take_part(struct input *in, json_t *part, json_t *parts)
{
	struct span type = bridge_span(part, "type"), text;

	if (type.p == NULL)
		return malformed(in, "a content part without a type");
	if (span_is(type, "input_image"))
		return take_image(in, part, parts);
	if (span_is(type, "input_file"))
		return take_file(in, part, parts);
	if (span_is(type, "input_audio")) {
		bridge_append(parts, json_incref(part));
		return 0;
	}
	if (span_is(type, "input_text") || span_is(type, "output_text") ||
	    span_is(type, "text") || span_is(type, "reasoning_text") ||
	    span_is(type, "summary_text"))
		text = bridge_span(part, "text");
	else if (span_is(type, "refusal"))
		text = bridge_span(part, "refusal");
	else
		return refuse(in, "The content part", type);
	if (text.p == NULL)
		return malformed(in, "a text part without its text");
	bridge_append(parts, bridge_text_part(text));
	return 0;
}

/* A string or a list of parts, as a new list; NULL: refused. */
static json_t *
take_parts(struct input *in, json_t *content)
{
	json_t *parts = json_array(), *part;
	size_t i;
	int failed = 0;

	if (json_is_string(content))
		bridge_append(
		    parts, bridge_text_part(bridge_string_span(content)));
	else if (!json_is_array(content))
		failed = malformed(in, "its content is no text and no list");
	json_array_foreach(content, i, part)
	{
		if (failed == 0)
			failed = take_part(in, part, parts);
	}
	if (failed == 0)
		return parts;
	json_decref(parts);
	return NULL;
}

/* --- Items --- */

static int
take_message(struct input *in, json_t *item)
{
	struct span role = bridge_span(item, "role");
	json_t *parts;
	bool system = role.p != NULL &&
	    (span_is(role, "system") || span_is(role, "developer"));
	bool assistant = role.p != NULL && span_is(role, "assistant");

	if (!system && !assistant && (role.p == NULL || !span_is(role, "user")))
		return role.p == NULL ? malformed(in, "a message without role")
				      : refuse(in, "The role", role);
	parts = take_parts(in, json_object_get(item, "content"));
	if (parts == NULL)
		return -1;
	if (system)
		bridge_talk_system(&in->talk, parts);
	else if (assistant)
		bridge_talk_assistant(&in->talk, parts);
	else
		bridge_talk_user(&in->talk, parts);
	return 0;
}

static int
add_call(struct input *in, json_t *item, struct span arguments)
{
	json_t *id = json_object_get(item, "call_id");
	json_t *name = json_object_get(item, "name"), *message;

	if (!json_is_string(id) || !json_is_string(name) || arguments.p == NULL)
		return malformed(
		    in, "a call needs call_id, name and its arguments");
	message = bridge_talk_assistant(&in->talk, NULL);
	if (in->reasoning != NULL)
		bridge_set(message, "reasoning_content", in->reasoning);
	in->reasoning = NULL;
	bridge_add_call(message, id, name, arguments);
	return 0;
}

static int
take_call(struct input *in, json_t *item)
{
	return add_call(in, item, bridge_span(item, "arguments"));
}

/* A custom tool was made a function of one text (see the request). */
static int
take_custom_call(struct input *in, json_t *item)
{
	json_t *input = json_object_get(item, "input"), *arguments;
	struct buf text;
	int result;

	if (!json_is_string(input))
		return malformed(in, "a custom call without its input");
	arguments = json_object();
	bridge_set(arguments, "input", json_incref(input));
	buf_init(&text, SIZE_MAX / 4);
	bridge_dump(&text, arguments);
	result = add_call(in, item, buf_span(&text));
	buf_free(&text);
	json_decref(arguments);
	return result;
}

static int
take_output(struct input *in, json_t *item)
{
	json_t *id = json_object_get(item, "call_id"), *parts;

	if (!json_is_string(id))
		return malformed(in, "an output without call_id");
	parts = take_parts(in, json_object_get(item, "output"));
	if (parts == NULL)
		return -1;
	bridge_talk_tool(&in->talk, id, parts);
	return 0;
}

/* Its text if it has one, else its summary; what is encrypted is nobody's. */
static int
take_reasoning(struct input *in, json_t *item)
{
	json_t *list = bridge_member(item, "content"), *parts;

	if (json_array_size(list) == 0)
		list = bridge_member(item, "summary");
	if (json_array_size(list) == 0)
		return 0;
	if ((parts = take_parts(in, list)) == NULL)
		return -1;
	json_decref(in->reasoning);
	in->reasoning = bridge_content(parts);
	if (json_is_string(in->reasoning))
		return 0;
	return malformed(in, "reasoning that is no text");
}

static int
drop_item(struct input *in, json_t *item)
{
	bridge_drop(in->run, json_string_value(json_object_get(item, "type")));
	return 0;
}

/* The Vercel AI SDK refers to what it thinks is stored.  Of our own reasoning
 * no answer depends; of the rest it does. */
static int
take_reference(struct input *in, json_t *item)
{
	struct span id = bridge_span(item, "id");
	char param[48];

	if (id.len > 3 && memcmp(id.p, "rs_", 3) == 0)
		return drop_item(in, item);
	snprintf(param, sizeof(param), "input[%zu]", in->index);
	return bridge_refuse(in->run, REFUSE_UNSUPPORTED, param,
	    "Nothing is stored here, so an item cannot be named by its id. "
	    "Send the item itself (with `store: false` most clients do).");
}

static const struct {
	const char *type;
	int (*take)(struct input *, json_t *item);
} items[] = {
	{ "message", take_message },
	{ "function_call", take_call },
	{ "function_call_output", take_output },
	{ "custom_tool_call", take_custom_call },
	{ "custom_tool_call_output", take_output },
	{ "reasoning", take_reasoning },
	{ "item_reference", take_reference },
	/* What hosted tools have left behind. */
	{ "web_search_call", drop_item },
	{ "file_search_call", drop_item },
	{ "code_interpreter_call", drop_item },
	{ "image_generation_call", drop_item },
	{ "mcp_list_tools", drop_item },
	{ "mcp_call", drop_item },
	{ "mcp_approval_request", drop_item },
	{ "mcp_approval_response", drop_item },
	{ "tool_search_call", drop_item },
	{ "tool_search_output", drop_item },
	{ "additional_tools", drop_item },
};

static int
take_item(struct input *in, json_t *item)
{
	struct span type = bridge_span(item, "type");

	if (!json_is_object(item))
		return malformed(in, "it is no object");
	if (type.p == NULL && bridge_member(item, "role") != NULL)
		return take_message(in, item);
	if (type.p == NULL)
		return malformed(in, "it has no type");
	for (size_t i = 0; i < sizeof(items) / sizeof(*items); i++)
		if (span_is(type, items[i].type))
			return items[i].take(in, item);
	return refuse(in, "The type", type);
}

static int
take_all(struct input *in, json_t *input)
{
	json_t *item;
	int result = 0;

	if (json_is_string(input)) {
		bridge_talk_user(&in->talk, take_parts(in, input));
		return 0;
	}
	if (!json_is_array(input))
		return bridge_refuse(in->run, REFUSE_INVALID_REQUEST, "input",
		    "`input` must be a text or a list of items.");
	json_array_foreach(input, in->index, item)
	{
		if ((result = take_item(in, item)) != 0)
			break;
	}
	return result;
}

int
bridge_responses_input(struct bridge_run *run, json_t *body, json_t *messages)
{
	struct input in = { .run = run };
	json_t *instructions = bridge_member(body, "instructions");
	int result;

	if (instructions != NULL && !json_is_string(instructions))
		return bridge_refuse(run, REFUSE_UNSUPPORTED, "instructions",
		    "`instructions` must be a text.");
	bridge_talk_init(&in.talk, messages);
	if (json_string_length(instructions) > 0)
		bridge_talk_system(&in.talk, take_parts(&in, instructions));
	result = take_all(&in, json_object_get(body, "input"));
	bridge_talk_end(&in.talk);
	bridge_talk_free(&in.talk);
	json_decref(in.reasoning);
	return result;
}

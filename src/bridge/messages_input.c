/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides that a Messages conversation keeps tool results in the user's turn,
 * where a chat wants them as messages of their own before it, and holds
 * thinking as blocks.  Thinking goes back only beside calls, where upstreams
 * that think between calls ask for it.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "bridge/run.h"

struct input {
	struct bridge_run *run;
	struct bridge_talk talk;
	size_t index; /* of the message */
	/* Of the message at hand. */
	json_t *parts; /* text and media of the turn */
	json_t *thinking; /* text parts */
	json_t *calls; /* tool_use blocks */
};

static int
refuse(struct input *in, const char *what, struct span name)
{
	char param[48];

	snprintf(param, sizeof(param), "messages.%zu", in->index);
	return bridge_refuse(in->run, REFUSE_UNSUPPORTED, param,
	    "%s \"%.*s\" of a message cannot be translated for a model that "
	    "speaks only chat completions. Leave it out.",
	    what, (int)(name.len < 60 ? name.len : 60),
	    name.p == NULL ? "" : name.p);
}

static int
malformed(struct input *in, const char *what)
{
	char param[48];

	snprintf(param, sizeof(param), "messages.%zu", in->index);
	return bridge_refuse(in->run, REFUSE_INVALID_REQUEST, param,
	    "A message is malformed: %s.", what);
}

/* --- Blocks --- */

static int take_blocks(struct input *in, json_t *content, json_t *parts);

static int
take_text(struct input *in, json_t *block, json_t *parts)
{
	struct span text = bridge_span(block, "text");

	if (text.p == NULL)
		return malformed(in, "a text block without its text");
	bridge_append(parts, bridge_text_part(text));
	return 0;
}

/* data:TYPE;base64,DATA of a base64 source; NULL: malformed. */
static json_t *
data_url(struct input *in, json_t *source)
{
	struct span type = bridge_span(source, "media_type");
	struct span data = bridge_span(source, "data");
	struct buf b;
	json_t *url;

	if (type.p == NULL || data.p == NULL) {
		malformed(in, "a source without media_type and data");
		return NULL;
	}
	buf_init(&b, SIZE_MAX / 4);
	buf_puts(&b, "data:");
	buf_add(&b, type.p, type.len);
	buf_puts(&b, ";base64,");
	buf_add(&b, data.p, data.len);
	url = bridge_text_of(&b);
	buf_free(&b);
	return url;
}

static int
take_image(struct input *in, json_t *block, json_t *parts)
{
	json_t *source = json_object_get(block, "source"), *url;

	if (bridge_is(source, "type", "url"))
		url = json_incref(json_object_get(source, "url"));
	else if (bridge_is(source, "type", "base64"))
		url = data_url(in, source);
	else
		return refuse(
		    in, "The image source", bridge_span(source, "type"));
	if (!json_is_string(url)) {
		json_decref(url);
		return malformed(in, "an image without its url or data");
	}
	bridge_append(parts, bridge_image_part(url, NULL));
	json_decref(url);
	return 0;
}

static int
take_document(struct input *in, json_t *block, json_t *parts)
{
	json_t *source = json_object_get(block, "source"), *url, *title;

	if (bridge_is(source, "type", "content"))
		return take_blocks(
		    in, json_object_get(source, "content"), parts);
	if (bridge_is(source, "type", "text")) {
		struct span text = bridge_span(source, "data");

		if (text.p == NULL)
			return malformed(in, "a document without its text");
		bridge_append(parts, bridge_text_part(text));
		return 0;
	}
	if (!bridge_is(source, "type", "base64"))
		return refuse(
		    in, "The document source", bridge_span(source, "type"));
	if ((url = data_url(in, source)) == NULL)
		return -1;
	title = bridge_member(block, "title");
	title =
	    title != NULL ? json_incref(title) : json_string("document.pdf");
	bridge_append(parts, bridge_file_part(url, title));
	json_decref(title);
	json_decref(url);
	return 0;
}

static void
prefix_error(json_t *parts)
{
	json_array_insert_new(
	    parts, 0, bridge_text_part(span_of("The tool has failed:")));
}

/* A tool message, at once: it belongs before the rest of the turn. */
static int
take_result(struct input *in, json_t *block, json_t *parts)
{
	json_t *id = json_object_get(block, "tool_use_id");
	json_t *content = bridge_member(block, "content");
	json_t *list;

	(void)parts;
	if (!json_is_string(id))
		return malformed(in, "a tool_result without tool_use_id");
	list = json_array();
	if (content != NULL && take_blocks(in, content, list) == -1) {
		json_decref(list);
		return -1;
	}
	if (json_is_true(json_object_get(block, "is_error")))
		prefix_error(list);
	bridge_talk_tool(&in->talk, id, list);
	return 0;
}

static int
take_thinking(struct input *in, json_t *block, json_t *parts)
{
	struct span text = bridge_span(block, "thinking");

	(void)parts;
	if (text.len > 0)
		bridge_append(in->thinking, bridge_text_part(text));
	return 0;
}

static int
take_use(struct input *in, json_t *block, json_t *parts)
{
	(void)parts;
	if (!json_is_string(json_object_get(block, "id")) ||
	    !json_is_string(json_object_get(block, "name")) ||
	    !json_is_object(json_object_get(block, "input")))
		return malformed(in, "a tool_use needs id, name and input");
	bridge_append(in->calls, json_incref(block));
	return 0;
}

/* Encrypted thinking is nobody's; a cache mark changes no answer. */
static int
skip_block(struct input *in, json_t *block, json_t *parts)
{
	(void)in;
	(void)block;
	(void)parts;
	return 0;
}

static int
drop_block(struct input *in, json_t *block, json_t *parts)
{
	(void)parts;
	bridge_drop(in->run, json_string_value(json_object_get(block, "type")));
	return 0;
}

static const struct {
	const char *type;
	int (*take)(struct input *, json_t *block, json_t *parts);
	bool nested; /* may stand in a tool's result */
} blocks[] = {
	{ "text", take_text, true },
	{ "image", take_image, true },
	{ "document", take_document, true },
	{ "tool_result", take_result, false },
	{ "tool_use", take_use, false },
	{ "thinking", take_thinking, false },
	{ "redacted_thinking", skip_block, false },
	/* What hosted tools have left behind. */
	{ "server_tool_use", drop_block, false },
	{ "web_search_tool_result", drop_block, false },
	{ "web_fetch_tool_result", drop_block, false },
	{ "code_execution_tool_result", drop_block, false },
	{ "bash_code_execution_tool_result", drop_block, false },
	{ "text_editor_code_execution_tool_result", drop_block, false },
	{ "tool_search_tool_result", drop_block, false },
	{ "mcp_tool_use", drop_block, false },
	{ "mcp_tool_result", drop_block, false },
	{ "tool_reference", drop_block, true },
};

static int
take_block(struct input *in, json_t *block, json_t *parts)
{
	struct span type = bridge_span(block, "type");

	if (type.p == NULL)
		return malformed(in, "a content block without a type");
	for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++) {
		if (!span_is(type, blocks[i].type))
			continue;
		if (parts != in->parts && !blocks[i].nested)
			break;
		return blocks[i].take(in, block, parts);
	}
	return refuse(in, "The content block", type);
}

static int
take_blocks(struct input *in, json_t *content, json_t *parts)
{
	json_t *block;
	size_t i;

	if (json_is_string(content)) {
		bridge_append(
		    parts, bridge_text_part(bridge_string_span(content)));
		return 0;
	}
	if (!json_is_array(content))
		return malformed(in, "its content is no text and no list");
	json_array_foreach(content, i, block)
	{
		if (take_block(in, block, parts) == -1)
			return -1;
	}
	return 0;
}

/* --- Messages --- */

static void
put_calls(struct input *in, json_t *message)
{
	json_t *block;
	size_t i;

	json_array_foreach(in->calls, i, block)
	{
		struct buf text;

		buf_init(&text, SIZE_MAX / 4);
		bridge_dump(&text, json_object_get(block, "input"));
		bridge_add_call(message, json_object_get(block, "id"),
		    json_object_get(block, "name"), buf_span(&text));
		buf_free(&text);
	}
}

static void
put_assistant(struct input *in, json_t *parts)
{
	json_t *m;

	if (json_array_size(parts) + json_array_size(in->calls) == 0) {
		json_decref(parts);
		return;
	}
	m = bridge_talk_assistant(&in->talk, parts);
	put_calls(in, m);
	if (json_array_size(in->calls) > 0 && json_array_size(in->thinking) > 0)
		bridge_set(m, "reasoning_content",
		    bridge_content(json_incref(in->thinking)));
}

static int
put_turn(struct input *in, struct span role)
{
	json_t *parts = json_incref(in->parts);

	if (span_is(role, "assistant"))
		put_assistant(in, parts);
	else if (span_is(role, "system"))
		bridge_talk_system(&in->talk, parts);
	else
		bridge_talk_user(&in->talk, parts);
	return 0;
}

static int
take_message(struct input *in, json_t *message)
{
	struct span role = bridge_span(message, "role");
	int result;

	if (role.p == NULL)
		return malformed(in, "it has no role");
	if (!span_is(role, "user") && !span_is(role, "assistant") &&
	    !span_is(role, "system"))
		return refuse(in, "The role", role);
	in->parts = json_array();
	in->thinking = json_array();
	in->calls = json_array();
	result =
	    take_blocks(in, json_object_get(message, "content"), in->parts);
	if (result == 0)
		result = put_turn(in, role);
	json_decref(in->parts);
	json_decref(in->thinking);
	json_decref(in->calls);
	return result;
}

static int
take_system(struct input *in, json_t *system)
{
	json_t *parts;

	if (system == NULL)
		return 0;
	parts = json_array();
	/* Only what may stand in a result may stand here. */
	in->parts = NULL;
	if (take_blocks(in, system, parts) == -1) {
		json_decref(parts);
		return -1;
	}
	bridge_talk_system(&in->talk, parts);
	return 0;
}

static int
take_all(struct input *in, json_t *body, json_t *list)
{
	json_t *message;

	if (take_system(in, bridge_member(body, "system")) == -1)
		return -1;
	json_array_foreach(list, in->index, message)
	{
		if (take_message(in, message) == -1)
			return -1;
	}
	return 0;
}

int
bridge_messages_input(struct bridge_run *run, json_t *body, json_t *messages)
{
	struct input in = { .run = run };
	json_t *list = json_object_get(body, "messages");
	int result;

	if (!json_is_array(list))
		return bridge_refuse(run, REFUSE_INVALID_REQUEST, "messages",
		    "`messages` must be a list.");
	bridge_talk_init(&in.talk, messages);
	result = take_all(&in, body, list);
	bridge_talk_end(&in.talk);
	bridge_talk_free(&in.talk);
	return result;
}

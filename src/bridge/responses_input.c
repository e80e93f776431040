/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides that a Responses conversation is a flat list of items, while a chat has
 * messages.  The list is walked twice: to find the calls, their results and the
 * tools in it, and to write it.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/jspan.h"
#include "bridge/input.h"
#include "bridge/responses.h"

/* --- Items --- */

static int
take_message(struct input *in, struct span item)
{
	static const char *const known[] = { "type", "id", "status", "role",
		"content", "phase", "created_by" };
	struct jspan_want want[] = { { "role", { 0 } }, { "content", { 0 } } };
	struct span role;
	bool system;

	jspan_pick(item, want, 2);
	role = jspan_inside(want[0].value);
	system = jspan_says(role, "system") || jspan_says(role, "developer");
	in->assistant = jspan_says(role, "assistant");
	if (!system && !in->assistant && !jspan_says(role, "user"))
		return role.p == NULL
		    ? input_malformed(in, "a message without role")
		    : input_refuse(in, "The role", role);
	if (in->assistant)
		input_name_unknown(
		    in, item, known, sizeof(known) / sizeof(*known));
	if (responses_parts(in, want[1].value, &in->parts) == -1)
		return -1;
	if (system)
		talk_system(&in->talk, &in->parts);
	else if (in->assistant)
		talk_text(&in->talk, &in->parts);
	else
		talk_user(&in->talk, &in->parts);
	return 0;
}

static int
add_call(struct input *in, struct span item, enum name_kind kind)
{
	static const char *const known[] = { "type", "id", "call_id", "name",
		"namespace", "arguments", "input", "status", "created_by",
		"execution", "extra_content" };
	bool custom = kind == NAME_CUSTOM;
	struct jspan_want want[] = { { "call_id", { 0 } }, { "name", { 0 } },
		{ custom ? "input" : "arguments", { 0 } },
		{ "namespace", { 0 } } };
	enum talk_arguments form = custom ? TALK_INPUT : TALK_STRING;
	struct span text;
	struct name *name;

	jspan_pick(item, want, 4);
	text = kind == NAME_SEARCH ? span_of(RESPONSES_SEARCH)
				   : jspan_inside(want[1].value);
	if (!custom && jspan_is_object(want[2].value))
		form = TALK_OBJECT;
	else if (!jspan_is_string(want[2].value) &&
	    (custom || want[2].value.p != NULL))
		return input_malformed(in,
		    custom ? "a custom call without its input"
			   : "a call needs call_id, name and its arguments");
	if (!jspan_is_string(want[0].value) || text.p == NULL)
		return input_malformed(
		    in, "a call needs call_id, name and its arguments");
	name = bridge_name(in->run, jspan_inside(want[3].value), text, kind);
	if (name == NULL)
		return -1;
	input_name_unknown(in, item, known, sizeof(known) / sizeof(*known));
	talk_call(&in->talk, name, item, form);
	return 0;
}

static int
take_call(struct input *in, struct span item)
{
	return add_call(in, item, NAME_FUNCTION);
}

/* A custom tool was made a function of one text (see the tools). */
static int
take_custom_call(struct input *in, struct span item)
{
	return add_call(in, item, NAME_CUSTOM);
}

static int
take_output(struct input *in, struct span item)
{
	if (talk_result(&in->talk) == PAIRS_LEFT_OUT)
		bridge_drop(in->run, jspan_text(item, "type"));
	return in->talk.failed ? -1 : 0;
}

/* A search finds tools, which are offered with the rest: writes their names. */
static int
name_found(struct input *in, struct span tools, struct span space,
    struct pieces *parts)
{
	struct jspan_walk w = jspan_walk(tools);
	struct name *name;

	while (!w.object && jspan_next(&w)) {
		struct span text = jspan_text(w.value, "name");

		if (jspan_member_says(w.value, "type", "namespace")) {
			if (space.p == NULL && text.len > 0 &&
			    name_found(in, jspan_member(w.value, "tools"), text,
				parts) == -1)
				return -1;
			continue;
		}
		if (text.len == 0)
			continue;
		name = bridge_name(in->run, space, text,
		    jspan_member_says(w.value, "type", "custom")
			? NAME_CUSTOM
			: NAME_FUNCTION);
		if (name == NULL)
			return -1;
		pieces_add(parts, PIECE_TOOL, span_of(name->upstream));
	}
	return 0;
}

static int
read_found(struct input *in, struct span item, struct pieces *parts)
{
	size_t n = parts->n;

	if (name_found(in, jspan_member(item, "tools"),
		(struct span){ NULL, 0 }, parts) == -1)
		return -1;
	if (parts->n == n)
		pieces_text(parts, span_of("No tools were found."));
	return 0;
}

/* Called by the talk as it writes a result. */
static int
read_output(void *ctx, const struct pairs_result *r, struct pieces *parts)
{
	struct input *in = ctx;
	size_t at = in->index;
	int result;

	in->index = r->index;
	in->assistant = false;
	result = jspan_member_says(r->item, "type", "tool_search_output")
	    ? read_found(in, r->item, parts)
	    : responses_parts(in, jspan_member(r->item, "output"), parts);
	in->index = at;
	return result;
}

/* Its text if it has one, otherwise its summary; nobody here can read what
 * is encrypted, except for what we carry there. */
static int
take_reasoning(struct input *in, struct span item)
{
	static const char *const known[] = { "type", "id", "status", "summary",
		"content", "encrypted_content", "created_by" };
	struct jspan_want want[] = { { "content", { 0 } }, { "summary", { 0 } },
		{ "encrypted_content", { 0 } } };
	struct span list;

	jspan_pick(item, want, 3);
	input_name_unknown(in, item, known, sizeof(known) / sizeof(*known));
	input_opaque(in, jspan_inside(want[2].value), "encrypted_content");
	in->assistant = true;
	list = want[jspan_is_empty(want[0].value) ? 1 : 0].value;
	if (!jspan_is_array(list))
		return 0;
	if (responses_parts(in, list, &in->parts) == -1)
		return -1;
	for (size_t i = 0; i < in->parts.n; i++)
		if (in->parts.list[i].kind != PIECE_TEXT)
			return input_malformed(
			    in, "reasoning that is not text");
	talk_thoughts(&in->talk, &in->parts);
	return 0;
}

static int
drop_item(struct input *in, struct span item)
{
	bridge_drop(in->run, jspan_text(item, "type"));
	return 0;
}

/* Its tools were gathered before. */
static int
skip_item(struct input *in, struct span item)
{
	(void)in;
	(void)item;
	return 0;
}

/* A search for tools, if the client runs it; otherwise a hosted tool's. */
static int
take_search(struct input *in, struct span item)
{
	return bridge_responses_is_ours(item) ? add_call(in, item, NAME_SEARCH)
					      : drop_item(in, item);
}

static int
take_found(struct input *in, struct span item)
{
	return bridge_responses_is_ours(item) ? take_output(in, item) : 0;
}

/* The Vercel AI SDK refers to items that it believes are stored.  No
 * response depends on our own reasoning items; on the others it does. */
static int
take_reference(struct input *in, struct span item)
{
	struct span id = jspan_text(item, "id");
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
	int (*take)(struct input *, struct span item);
} items[] = {
	{ "message", take_message },
	{ "function_call", take_call },
	{ "function_call_output", take_output },
	{ "custom_tool_call", take_custom_call },
	{ "custom_tool_call_output", take_output },
	{ "reasoning", take_reasoning },
	{ "item_reference", take_reference },
	{ "additional_tools", skip_item },
	{ "tool_search_call", take_search },
	{ "tool_search_output", take_found },
	/* Not calls, but also of hosted tools. */
	{ "mcp_list_tools", drop_item },
	{ "mcp_approval_request", drop_item },
	{ "mcp_approval_response", drop_item },
};

static bool
ends_with(struct span type, const char *end)
{
	size_t n = strlen(end);

	return type.len > n && memcmp(type.p + type.len - n, end, n) == 0;
}

enum role { ROLE_OTHER, ROLE_CALL, ROLE_LEFT_OUT, ROLE_RESULT };

/* A hosted tool leaves a call that is not one of the client's functions, and
 * its output. */
static enum role
role_of(struct span type, struct span item)
{
	if (jspan_says(type, "function_call") ||
	    jspan_says(type, "custom_tool_call"))
		return ROLE_CALL;
	if (jspan_says(type, "tool_search_call"))
		return bridge_responses_is_ours(item) ? ROLE_CALL
						      : ROLE_LEFT_OUT;
	if (jspan_says(type, "tool_search_output"))
		return bridge_responses_is_ours(item) ? ROLE_RESULT
						      : ROLE_OTHER;
	if (ends_with(type, "_call"))
		return ROLE_LEFT_OUT;
	return ends_with(type, "_call_output") ? ROLE_RESULT : ROLE_OTHER;
}

static int
take_item(struct input *in, struct span item)
{
	struct span type = jspan_text(item, "type");

	if (!jspan_is_object(item))
		return input_malformed(in, "it is not an object");
	if (type.p == NULL && jspan_member(item, "role").p != NULL)
		return take_message(in, item);
	if (type.p == NULL)
		return input_malformed(in, "it has no type");
	for (size_t i = 0; i < sizeof(items) / sizeof(*items); i++)
		if (jspan_says(type, items[i].type))
			return items[i].take(in, item);
	switch (role_of(type, item)) {
	case ROLE_LEFT_OUT:
		return drop_item(in, item);
	case ROLE_RESULT:
		return take_output(in, item);
	default:
		return input_refuse(in, "The type", type);
	}
}

/* --- The two walks --- */

/* The output of a function, by its type. */
static bool
is_ours(struct span type)
{
	return jspan_says(type, "function_call_output") ||
	    jspan_says(type, "custom_tool_call_output") ||
	    jspan_says(type, "tool_search_output");
}

static bool
is_bringing(struct span type)
{
	return jspan_says(type, "additional_tools") ||
	    jspan_says(type, "tool_search_output");
}

static int
note_item(struct input *in, struct span item)
{
	struct jspan_want want[] = { { "type", { 0 } }, { "call_id", { 0 } },
		{ "tools", { 0 } } };
	struct span type, id;

	jspan_pick(item, want, 3);
	type = jspan_inside(want[0].value);
	id = jspan_inside(want[1].value);
	if (want[2].value.p != NULL && is_bringing(type) &&
	    bridge_responses_gather(in->run, in->tools, want[2].value) == -1)
		return -1;
	switch (role_of(type, item)) {
	case ROLE_CALL:
		input_note_call(in, id);
		return 0;
	case ROLE_LEFT_OUT:
		if (id.p != NULL)
			pairs_left_out(&in->talk.pairs, id);
		return 0;
	case ROLE_RESULT:
		if (id.p == NULL)
			return input_malformed(in, "an output without call_id");
		pairs_result(&in->talk.pairs, id, item, in->index,
		    is_ours(type) ? PAIRS_ORPHAN : PAIRS_LEFT_OUT);
		return 0;
	default:
		return 0;
	}
}

static int
take_input(struct input *in, struct span input)
{
	if (jspan_is_string(input)) {
		pieces_text(&in->parts, jspan_inside(input));
		talk_user(&in->talk, &in->parts);
		return 0;
	}
	if (!jspan_is_array(input))
		return bridge_refuse(in->run, REFUSE_INVALID_REQUEST, "input",
		    "`input` must be a text or a list of items.");
	if (input_walk(in, input, note_item) == -1)
		return -1;
	pairs_match(&in->talk.pairs);
	return input_walk(in, input, take_item);
}

int
bridge_responses_input(struct bridge_run *run, struct span instructions,
    struct span input, struct responses_tools *tools, struct buf *out)
{
	struct input in;

	if (instructions.p != NULL && !jspan_is_string(instructions))
		return bridge_refuse(run, REFUSE_UNSUPPORTED, "instructions",
		    "`instructions` must be a text.");
	input_init(&in, run, "call_id", read_output, out);
	in.tools = tools;
	pieces_text(&in.parts, jspan_inside(instructions));
	talk_system(&in.talk, &in.parts);
	return input_end(&in, take_input(&in, input));
}

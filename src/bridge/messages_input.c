/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides that a Messages conversation has tool results in the user's turn, while
 * a chat has them as separate messages, and that it has thinking as blocks.  It
 * is walked twice: to find the calls and their results, and to write it.
 */
#include "config.h"

#include <string.h>

#include "base/jspan.h"
#include "bridge/attribution.h"
#include "bridge/input.h"
#include "bridge/run.h"

/* --- Blocks that may stand anywhere --- */

static int take_nested(struct input *, struct span block, struct pieces *);

static int
take_text(struct input *in, struct span block, struct pieces *parts)
{
	static const char *const known[] = { "type", "text", "cache_control",
		"citations" };
	struct span text = jspan_text(block, "text");

	if (text.p == NULL)
		return input_malformed(in, "a text block without its text");
	if (in->assistant)
		input_name_unknown(
		    in, block, known, sizeof(known) / sizeof(*known));
	pieces_text(parts, text);
	return 0;
}

static bool
has_data(struct span source)
{
	return jspan_text(source, "media_type").p != NULL &&
	    jspan_text(source, "data").p != NULL;
}

static int
take_image(struct input *in, struct span block, struct pieces *parts)
{
	struct span source = jspan_member(block, "source");
	struct span type = jspan_text(source, "type");
	bool base64 = jspan_says(type, "base64");

	if (!base64 && !jspan_says(type, "url"))
		return input_refuse(in, "The image source", type);
	if (base64 ? !has_data(source) : jspan_text(source, "url").p == NULL)
		return input_malformed(in, "an image without its url or data");
	pieces_add(parts, PIECE_IMAGE, block);
	return 0;
}

static int
take_document(struct input *in, struct span block, struct pieces *parts)
{
	struct span source = jspan_member(block, "source");
	struct span type = jspan_text(source, "type"), text;

	if (jspan_says(type, "content"))
		return input_content(
		    in, jspan_member(source, "content"), parts, take_nested);
	if (jspan_says(type, "text")) {
		text = jspan_text(source, "data");
		if (text.p == NULL)
			return input_malformed(
			    in, "a document without its text");
		pieces_text(parts, text);
		return 0;
	}
	if (!jspan_says(type, "base64"))
		return input_refuse(in, "The document source", type);
	if (!has_data(source))
		return input_malformed(
		    in, "a source without media_type and data");
	pieces_add(parts, PIECE_DOCUMENT, block);
	return 0;
}

/* A tool that a search has found: it is offered with the rest. */
static int
take_reference(struct input *in, struct span block, struct pieces *parts)
{
	struct span text = jspan_text(block, "tool_name");
	struct name *name;

	if (text.len == 0)
		return input_malformed(
		    in, "a tool_reference without tool_name");
	name =
	    bridge_name(in->run, (struct span){ NULL, 0 }, text, NAME_FUNCTION);
	if (name == NULL)
		return -1;
	pieces_add(parts, PIECE_TOOL, span_of(name->upstream));
	return 0;
}

/* --- Blocks of a turn --- */

static int
take_result(struct input *in, struct span block, struct pieces *parts)
{
	(void)parts;
	if (talk_result(&in->talk) == PAIRS_LEFT_OUT)
		bridge_drop(in->run, jspan_text(block, "type"));
	return in->talk.failed ? -1 : 0;
}

/* Called by the talk as it writes a result. */
static int
read_result(void *ctx, const struct pairs_result *r, struct pieces *parts)
{
	struct input *in = ctx;
	struct jspan_want want[] = { { "content", { 0 } },
		{ "is_error", { 0 } } };
	bool assistant = in->assistant;
	size_t at = in->index;
	int result = 0;

	jspan_pick(r->item, want, 2);
	in->index = r->index;
	in->assistant = false;
	if (jspan_is_true(want[1].value))
		pieces_text(parts, span_of("The tool has failed:"));
	if (want[0].value.p != NULL)
		result = input_content(in, want[0].value, parts, take_nested);
	in->index = at;
	in->assistant = assistant;
	return result;
}

static int
take_thinking(struct input *in, struct span block, struct pieces *parts)
{
	static const char *const known[] = { "type", "thinking", "signature",
		"cache_control" };
	struct pieces thoughts = { NULL, 0, 0 };

	if (in->assistant) {
		/* What is carried belongs to the text before it. */
		talk_text(&in->talk, parts);
		input_name_unknown(
		    in, block, known, sizeof(known) / sizeof(*known));
		pieces_text(&thoughts, jspan_text(block, "thinking"));
		talk_thoughts(&in->talk, &thoughts);
		input_opaque(in, jspan_text(block, "signature"), "signature");
	}
	pieces_free(&thoughts);
	return 0;
}

static int
take_use(struct input *in, struct span block, struct pieces *parts)
{
	static const char *const known[] = { "type", "id", "name", "input",
		"cache_control", "caller", "extra_content" };
	struct jspan_want want[] = { { "id", { 0 } }, { "name", { 0 } },
		{ "input", { 0 } } };
	struct name *name;

	(void)parts;
	jspan_pick(block, want, 3);
	if (!jspan_is_string(want[0].value) ||
	    !jspan_is_string(want[1].value) ||
	    (want[2].value.p != NULL && !jspan_is_object(want[2].value)))
		return input_malformed(
		    in, "a tool_use needs id, name and input");
	name = bridge_name(in->run, (struct span){ NULL, 0 },
	    jspan_inside(want[1].value), NAME_FUNCTION);
	if (name == NULL)
		return -1;
	input_name_unknown(in, block, known, sizeof(known) / sizeof(*known));
	/* Without an input it has no arguments. */
	talk_call(&in->talk, name, block,
	    want[2].value.p == NULL ? TALK_STRING : TALK_OBJECT);
	return 0;
}

/* No chat upstream can read encrypted thinking. */
static int
drop_block(struct input *in, struct span block, struct pieces *parts)
{
	(void)parts;
	bridge_drop(in->run, jspan_text(block, "type"));
	return 0;
}

static const struct {
	const char *type;
	int (*take)(struct input *, struct span block, struct pieces *parts);
	bool nested; /* allowed in a tool's result */
} blocks[] = {
	{ "text", take_text, true },
	{ "image", take_image, true },
	{ "document", take_document, true },
	{ "tool_reference", take_reference, true },
	{ "tool_result", take_result, false },
	{ "tool_use", take_use, false },
	{ "thinking", take_thinking, false },
	{ "redacted_thinking", drop_block, false },
};

/* Its row, or -1. */
static int
row_of(struct span type)
{
	for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++)
		if (jspan_says(type, blocks[i].type))
			return (int)i;
	return -1;
}

/* A hosted tool leaves a call that is not a tool_use, and a result that is
 * not a tool_result: those two are the client's own. */
enum role { ROLE_OTHER, ROLE_CALL, ROLE_LEFT_OUT, ROLE_RESULT };

static enum role
role_of(struct span block, struct span *id)
{
	struct jspan_want want[] = { { "type", { 0 } }, { "id", { 0 } },
		{ "tool_use_id", { 0 } }, { "input", { 0 } } };
	struct span type;

	jspan_pick(block, want, 4);
	type = jspan_inside(want[0].value);
	*id = jspan_inside(want[1].value);
	if (jspan_says(type, "tool_use"))
		return ROLE_CALL;
	if (jspan_says(type, "tool_result") ||
	    (row_of(type) == -1 && jspan_is_string(want[2].value))) {
		*id = jspan_inside(want[2].value);
		return ROLE_RESULT;
	}
	return row_of(type) == -1 && id->p != NULL && want[3].value.p != NULL
	    ? ROLE_LEFT_OUT
	    : ROLE_OTHER;
}

static int
take_nested(struct input *in, struct span block, struct pieces *parts)
{
	struct span type = jspan_text(block, "type");
	int row = row_of(type);

	if (type.p == NULL)
		return input_malformed(in, "a content block without a type");
	return row != -1 && blocks[row].nested
	    ? blocks[row].take(in, block, parts)
	    : input_refuse(in, "The content block", type);
}

static int
take_block(struct input *in, struct span block, struct pieces *parts)
{
	struct span type = jspan_text(block, "type"), id;
	int row = row_of(type);

	if (type.p == NULL)
		return input_malformed(in, "a content block without a type");
	if (row != -1)
		return blocks[row].take(in, block, parts);
	switch (role_of(block, &id)) {
	case ROLE_RESULT:
		return take_result(in, block, parts);
	case ROLE_LEFT_OUT:
		bridge_drop(in->run, type);
		return 0;
	default:
		return input_refuse(in, "The content block", type);
	}
}

/* --- Messages --- */

static int
take_message(struct input *in, struct span message)
{
	static const char *const known[] = { "role", "content", "id", "type",
		"model", "stop_reason", "stop_sequence", "stop_details",
		"usage", "container" };
	struct jspan_want want[] = { { "role", { 0 } }, { "content", { 0 } } };
	struct span role;
	bool system;

	jspan_pick(message, want, 2);
	role = jspan_inside(want[0].value);
	if (role.p == NULL)
		return input_malformed(in, "it has no role");
	in->assistant = jspan_says(role, "assistant");
	system = jspan_says(role, "system");
	if (!in->assistant && !system && !jspan_says(role, "user"))
		return input_refuse(in, "The role", role);
	if (in->assistant)
		input_name_unknown(
		    in, message, known, sizeof(known) / sizeof(*known));
	if (input_content(in, want[1].value, &in->parts, take_block) == -1)
		return -1;
	if (in->assistant)
		talk_text(&in->talk, &in->parts);
	else if (system)
		talk_system(&in->talk, &in->parts);
	else
		talk_user(&in->talk, &in->parts);
	return in->talk.failed ? -1 : 0;
}

/* Without Claude Code's billing line, which is no instruction. */
static void
drop_attribution(struct input *in)
{
	struct piece *first = in->parts.list;
	size_t len;

	if (in->parts.n == 0 || first->kind != PIECE_TEXT ||
	    (len = attribution_length(first->span)) == 0)
		return;
	bridge_drop(in->run, span_of(ATTRIBUTION_NAME));
	first->span.p += len;
	first->span.len -= len;
	if (first->span.len > 0)
		return;
	memmove(first, first + 1, (in->parts.n - 1) * sizeof(*first));
	in->parts.n--;
}

/* Only what a result may contain is allowed here. */
static int
take_system(struct input *in, struct span system)
{
	if (system.p == NULL)
		return 0;
	if (input_content(in, system, &in->parts, take_nested) == -1)
		return -1;
	drop_attribution(in);
	talk_system(&in->talk, &in->parts);
	return 0;
}

/* --- The two walks --- */

static int
note_message(struct input *in, struct span message)
{
	struct jspan_walk w = jspan_walk(jspan_member(message, "content"));
	struct pairs *pairs = &in->talk.pairs;
	struct span id;

	while (!w.object && jspan_next(&w))
		switch (role_of(w.value, &id)) {
		case ROLE_CALL:
			input_note_call(in, id);
			break;
		case ROLE_LEFT_OUT:
			pairs_left_out(pairs, id);
			break;
		case ROLE_RESULT:
			if (id.p == NULL)
				return input_malformed(
				    in, "a tool_result without tool_use_id");
			pairs_result(pairs, id, w.value, in->index,
			    jspan_member_says(w.value, "type", "tool_result")
				? PAIRS_ORPHAN
				: PAIRS_LEFT_OUT);
			break;
		case ROLE_OTHER:
			break;
		}
	return 0;
}

static int
take_all(struct input *in, struct span system, struct span messages)
{
	if (take_system(in, system) == -1 ||
	    input_walk(in, messages, note_message) == -1)
		return -1;
	pairs_match(&in->talk.pairs);
	return input_walk(in, messages, take_message);
}

int
bridge_messages_input(struct bridge_run *run, struct span system,
    struct span messages, struct buf *out)
{
	struct input in;

	if (!jspan_is_array(messages))
		return bridge_refuse(run, REFUSE_INVALID_REQUEST, "messages",
		    "`messages` must be a list.");
	input_init(&in, run, "id", read_result, out);
	in.talk.arguments_in_input = true;
	return input_end(&in, take_all(&in, system, messages));
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides where a Responses request has its tools: in `tools`, in namespaces
 * there (Codex has one for each MCP server), in items of the input that add
 * more.  All tools that the client runs itself become functions.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/jspan.h"
#include "base/memory.h"
#include "bridge/responses.h"

#define NESTED_MAX 1 /* a namespace contains no other */

/* Read once: it may be as large as the body, and has many tools. */
struct namespace
{
	struct span name; /* p NULL: of tools that are in none */
	struct span description; /* JSON */
};

struct responses_tool {
	const struct name *name;
	struct span tool;
	struct namespace space;
};

static const struct span nothing = { NULL, 0 };
static const struct namespace none;

/* --- Gathering --- */

bool
bridge_responses_is_ours(struct span object)
{
	return jspan_member_says(object, "execution", "client");
}

/* The same tool may come again, as each turn repeats the items before. */
static int
add(struct bridge_run *run, struct responses_tools *tools, struct span tool,
    const struct namespace *space, enum name_kind kind)
{
	struct span text = kind == NAME_SEARCH ? span_of(RESPONSES_SEARCH)
					       : jspan_text(tool, "name");
	struct name *name;

	if (text.len == 0)
		return bridge_refuse(run, REFUSE_INVALID_REQUEST, "tools",
		    kind == NAME_CUSTOM
			? "A custom tool in `tools` has no name."
			: "A function in `tools` has no name.");
	name = bridge_name(run, space->name, text, kind);
	if (name == NULL)
		return -1;
	if (name->offered)
		return 0;
	name->offered = true;
	if (tools->n == tools->size) {
		tools->size = tools->size == 0 ? 32 : tools->size * 2;
		tools->list =
		    memory_list(tools->list, tools->size, sizeof(*tools->list));
	}
	tools->list[tools->n++] = (struct responses_tool){ name, tool, *space };
	return 0;
}

static int gather(struct bridge_run *, struct responses_tools *,
    struct span list, const struct namespace *, unsigned depth);

static int
gather_space(struct bridge_run *run, struct responses_tools *tools,
    struct span tool, unsigned depth)
{
	struct jspan_want want[] = { { "name", { 0 } },
		{ "description", { 0 } }, { "tools", { 0 } } };
	struct namespace space;

	jspan_pick(tool, want, 3);
	space.name = jspan_inside(want[0].value);
	space.description = want[1].value;
	if (space.name.len == 0)
		return bridge_refuse(run, REFUSE_INVALID_REQUEST, "tools",
		    "A namespace in `tools` has no name.");
	return gather(run, tools, want[2].value, &space, depth + 1);
}

static int
gather_one(struct bridge_run *run, struct responses_tools *tools,
    struct span tool, const struct namespace *space, unsigned depth)
{
	struct span type = jspan_text(tool, "type");

	if (type.p == NULL)
		return bridge_refuse(run, REFUSE_INVALID_REQUEST, "tools",
		    "A tool in `tools` has no type.");
	if (jspan_says(type, "function"))
		return add(run, tools, tool, space, NAME_FUNCTION);
	if (jspan_says(type, "custom"))
		return add(run, tools, tool, space, NAME_CUSTOM);
	if (jspan_says(type, "tool_search") && bridge_responses_is_ours(tool))
		return add(run, tools, tool, &none, NAME_SEARCH);
	if (jspan_says(type, "namespace") && depth < NESTED_MAX)
		return gather_space(run, tools, tool, depth);
	/* All others run at the provider. */
	bridge_drop(run, type);
	return 0;
}

static int
gather(struct bridge_run *run, struct responses_tools *tools, struct span list,
    const struct namespace *space, unsigned depth)
{
	struct jspan_walk w = jspan_walk(list);

	if (w.object)
		return 0;
	while (jspan_next(&w))
		if (gather_one(run, tools, w.value, space, depth) == -1)
			return -1;
	return 0;
}

int
bridge_responses_gather(
    struct bridge_run *run, struct responses_tools *tools, struct span list)
{
	return gather(run, tools, list, &none, 0);
}

/* --- Writing --- */

/* The description with the grammar that the input must follow, a JSON
 * string of pieces that are insides of others. */
static void
describe_custom(struct span tool, struct buf *out)
{
	struct span about = jspan_text(tool, "description");
	struct span format = jspan_member(tool, "format");
	struct span syntax = jspan_text(format, "syntax");
	struct span definition = jspan_text(format, "definition");

	buf_puts(out, "\"");
	buf_add(out, about.p, about.len);
	if (definition.p != NULL) {
		buf_puts(out, about.len > 0 ? "\\n\\n" : "");
		buf_puts(out, "`input` must follow this grammar");
		if (syntax.p != NULL) {
			buf_puts(out, " (");
			buf_add(out, syntax.p, syntax.len);
			buf_puts(out, ")");
		}
		buf_puts(out, ":\\n");
		buf_add(out, definition.p, definition.len);
	}
	buf_puts(out, "\"");
}

/* A custom tool accepts free text: in chat, a function of one text. */
static void
write_custom(
    struct bridge_run *run, const struct responses_tool *t, struct buf *out)
{
	struct buf about;

	buf_init(&about, out->max_bytes);
	describe_custom(t->tool, &about);
	bridge_function(run, t->name, buf_span(&about),
	    span_of("{\"type\":\"object\",\"properties\":{\"input\":{\"type\":"
		    "\"string\",\"description\":\"The whole input of the "
		    "tool, as plain text.\"}},\"required\":[\"input\"],"
		    "\"additionalProperties\":false}"),
	    false, out);
	buf_free(&about);
}

static void
write_tool(
    struct bridge_run *run, const struct responses_tool *t, struct buf *out)
{
	struct jspan_want want[] = { { "description", { 0 } },
		{ "parameters", { 0 } }, { "strict", { 0 } } };

	if (t->name->kind == NAME_CUSTOM) {
		write_custom(run, t, out);
		return;
	}
	jspan_pick(t->tool, want, 3);
	if (!jspan_is_string(want[0].value))
		want[0].value = t->space.description;
	bridge_function(run, t->name, want[0].value, want[1].value,
	    jspan_is_true(want[2].value), out);
}

/* --- The choice --- */

/* One entry of allowed_tools: a tool, or all of a namespace, which is noted
 * as a tool without a name. */
static bool
note_allowed(struct names *allowed, struct span entry)
{
	struct jspan_want want[] = { { "type", { 0 } }, { "name", { 0 } },
		{ "namespace", { 0 } } };
	struct span name, space;

	jspan_pick(entry, want, 3);
	name = jspan_inside(want[1].value);
	space = jspan_inside(want[2].value);
	if (jspan_says(jspan_inside(want[0].value), "namespace"))
		return names_take(allowed, name, nothing, NAME_FUNCTION) !=
		    NULL;
	return names_take(allowed, space, name, NAME_FUNCTION) != NULL;
}

static bool
is_allowed(const struct names *allowed, const struct responses_tool *t)
{
	struct span space = t->space.name, name = jspan_text(t->tool, "name");

	return names_known(allowed, space, name) != NULL ||
	    names_known(allowed, nothing, span_of(t->name->upstream)) != NULL ||
	    (space.p != NULL && names_known(allowed, space, nothing) != NULL);
}

static int
keep_allowed(
    struct bridge_run *run, struct responses_tools *tools, struct span list)
{
	struct names *allowed = names_new();
	struct jspan_walk w = jspan_walk(list);
	size_t kept = 0;
	int result = 0;

	while (result == 0 && jspan_next(&w))
		if (!note_allowed(allowed, w.value))
			result = bridge_refuse(run, REFUSE_UNSUPPORTED,
			    "tool_choice",
			    "`tool_choice` allows more than %d tools.",
			    NAMES_MAX);
	for (size_t i = 0; i < tools->n; i++)
		if (is_allowed(allowed, &tools->list[i]))
			tools->list[kept++] = tools->list[i];
	tools->n = kept;
	names_free(allowed);
	return result;
}

static int
choose_one(struct bridge_run *run, struct span choice, struct buf *out)
{
	struct jspan_want want[] = { { "type", { 0 } }, { "name", { 0 } },
		{ "namespace", { 0 } } };
	struct span type, name;
	const struct name *n;
	enum name_kind kind = NAME_FUNCTION;

	jspan_pick(choice, want, 3);
	type = jspan_inside(want[0].value);
	name = jspan_inside(want[1].value);
	if (jspan_says(type, "custom"))
		kind = NAME_CUSTOM;
	if (name.len == 0 ||
	    !(kind == NAME_CUSTOM || jspan_says(type, "function")))
		return bridge_refuse(run, REFUSE_UNSUPPORTED, "tool_choice",
		    "`tool_choice` names a tool that cannot be offered to this "
		    "model.");
	n = names_find(run->names, name);
	if (n == NULL || want[2].value.p != NULL)
		n = bridge_name(run, jspan_inside(want[2].value), name, kind);
	if (n == NULL)
		return -1;
	bridge_choice(n, out);
	return 0;
}

/* "auto", or an object that names a tool or a set of them. */
static int
write_choice(struct bridge_run *run, struct responses_tools *tools,
    struct span choice, struct buf *out)
{
	if (jspan_member_says(choice, "type", "allowed_tools")) {
		if (keep_allowed(run, tools, jspan_member(choice, "tools")) ==
		    -1)
			return -1;
		choice = jspan_member(choice, "mode");
		if (choice.p == NULL)
			return 0;
	}
	if (!jspan_is_string(choice))
		return choose_one(run, choice, out);
	if (tools->n > 0) {
		jput_name(out, "tool_choice");
		buf_add(out, choice.p, choice.len);
	} else if (jspan_says(jspan_inside(choice), "required")) {
		return bridge_refuse(run, REFUSE_UNSUPPORTED, "tool_choice",
		    "`tool_choice` requires a tool, but none of the tools "
		    "can be offered to this model.");
	}
	return 0;
}

int
bridge_responses_tools(struct bridge_run *run, struct responses_tools *tools,
    struct span choice, struct span parallel, struct buf *out)
{
	if (choice.p != NULL && write_choice(run, tools, choice, out) == -1)
		return -1;
	if (tools->n == 0)
		return 0;
	jput_name(out, "tools");
	for (size_t i = 0; i < tools->n; i++) {
		buf_puts(out, i == 0 ? "[" : ",");
		write_tool(run, &tools->list[i], out);
	}
	buf_puts(out, "]");
	if (jspan_is_true(parallel) || jspan_is_false(parallel)) {
		jput_name(out, "parallel_tool_calls");
		buf_add(out, parallel.p, parallel.len);
	}
	return 0;
}

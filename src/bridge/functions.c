/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a chat writes a tool, whatever the client calls it.
 */
#include "config.h"

#include "base/jspan.h"
#include "bridge/run.h"

struct name *
bridge_name(struct bridge_run *run, struct span space, struct span name,
    enum name_kind kind)
{
	struct name *n = names_take(run->names, space, name, kind);

	if (n == NULL)
		bridge_refuse(run, REFUSE_UNSUPPORTED, "tools",
		    "The request names more than %d different tools.",
		    NAMES_MAX);
	return n;
}

const struct name *
bridge_tool(const struct bridge_run *run, struct span upstream)
{
	return names_find(run->names, upstream);
}

enum name_kind
bridge_call_kind(const struct bridge_call *c)
{
	return c->tool == NULL ? NAME_FUNCTION : c->tool->kind;
}

struct span
bridge_call_name(const struct bridge_call *c)
{
	return c->tool == NULL ? span_of(c->name) : c->tool->name;
}

/* An object's bytes up to its last member, without the closing brace. */
static struct span
without_brace(struct span object)
{
	const char *end = object.p + object.len - 1;

	while (end > object.p &&
	    (end[-1] == ' ' || end[-1] == '\n' || end[-1] == '\r' ||
		end[-1] == '\t'))
		end--;
	return (struct span){ object.p, (size_t)(end - object.p) };
}

/* Some upstreams refuse a function whose schema has no `properties`; empty
 * ones change nothing. */
static void
write_schema(struct span schema, struct buf *out)
{
	struct span head;

	if (!jspan_is_object(schema) || jspan_is_empty(schema)) {
		buf_puts(out, "{\"type\":\"object\",\"properties\":{}}");
		return;
	}
	if (jspan_is_object(jspan_member(schema, "properties"))) {
		buf_add(out, schema.p, schema.len);
		return;
	}
	head = without_brace(schema);
	buf_add(out, head.p, head.len);
	buf_puts(out, ",\"properties\":{}}");
}

void
bridge_function(struct bridge_run *run, const struct name *name,
    struct span description, struct span schema, bool strict, struct buf *out)
{
	buf_puts(out, "{\"type\":\"function\",\"function\":{\"name\":\"");
	buf_puts(out, name->upstream);
	buf_puts(out, "\"");
	if (jspan_is_string(description)) {
		jput_name(out, "description");
		buf_add(out, description.p, description.len);
	}
	jput_name(out, "parameters");
	write_schema(schema, out);
	if (strict && !run->dialect.drop_strict)
		buf_puts(out, ",\"strict\":true");
	buf_puts(out, "}}");
}

void
bridge_choice(const struct name *name, struct buf *out)
{
	jput_name(out, "tool_choice");
	buf_puts(out, "{\"type\":\"function\",\"function\":{\"name\":\"");
	buf_puts(out, name->upstream);
	buf_puts(out, "\"}}");
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how an upstream's own members are written into a text and read again.
 * The text comes from a client: it is hostile until it is parsed.
 */
#include "config.h"

#include "base/jput.h"
#include "base/jspan.h"
#include "bridge/carry.h"

#define PREFIX "tailgate:"

static int
pass(void *ctx, const struct jscan_value *v)
{
	(void)ctx;
	(void)v;
	return 0;
}

/* "function":{…}, if there is anything in it. */
static void
write_function(const struct extras *x, struct buf *out)
{
	const size_t before = out->len;
	size_t inside;

	jput_name_open(out, "function", '{');
	inside = out->len;
	extras_write(x, NULL, out);
	if (out->len == inside)
		out->len = before;
	else
		buf_puts(out, "}");
}

void
carry_write(struct span model, struct span id, const struct extras *x,
    const struct extras *function, struct buf *out)
{
	struct buf text;

	buf_init(&text, CARRY_BYTES_MAX);
	buf_puts(&text, PREFIX "{");
	jput_span(&text, "for", model);
	if (id.p != NULL)
		jput_span(&text, "id", id);
	extras_write(x, NULL, &text);
	if (function != NULL)
		write_function(function, &text);
	buf_puts(&text, "}");
	buf_json(out, buf_span(&text));
	buf_free(&text);
}

struct span
carry_read(struct span inside, const char *model, struct arena **arena)
{
	const size_t prefix = sizeof(PREFIX) - 1;
	const struct span none = { NULL, 0 };
	struct jscan_error error;
	struct span text;
	char *room;

	if (inside.len <= prefix || inside.len > 2 * CARRY_BYTES_MAX ||
	    memcmp(inside.p, PREFIX, prefix) != 0)
		return none;
	if (*arena == NULL)
		*arena = arena_new();
	room = arena_alloc(*arena, inside.len);
	text = (struct span){ room, jscan_decode(inside, room) };
	text = (struct span){ text.p + prefix, text.len - prefix };
	if (jscan(text, JSCAN_DEPTH_MAX / 2, pass, NULL, &error) == -1 ||
	    !jspan_is_object(text) || !jspan_member_says(text, "for", model))
		return none;
	return jspan_document(text);
}

struct span
carry_id(struct span object)
{
	return jspan_text(object, "id");
}

static void
take_but(
    struct span object, const char *const *known, size_t n, struct extras *out)
{
	struct jspan_walk w = jspan_walk(object);

	while (jspan_next(&w))
		if (!jspan_key_in(w.key, known, n))
			extras_add(out, w.key, w.value, false);
}

void
carry_take(struct span object, struct extras *out)
{
	static const char *const known[] = { "for", "id", "index", "type",
		"function", "role", "name", "tool_calls", "function_call",
		"tool_call_id", "reasoning_content", "reasoning", "refusal",
		EXTRAS_CONTENT, EXTRAS_BEFORE };

	take_but(object, known, sizeof(known) / sizeof(*known), out);
}

void
carry_take_function(struct span object, struct extras *out)
{
	static const char *const known[] = { "name", "arguments" };

	take_but(jspan_member(object, "function"), known,
	    sizeof(known) / sizeof(*known), out);
}

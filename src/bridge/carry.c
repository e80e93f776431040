/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how an upstream's own members of a call are written into a text and
 * read again.  The text comes from a client: it is hostile until it is parsed.
 */
#include "config.h"

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

void
carry_write(
    struct span model, struct span id, struct span member, struct buf *out)
{
	struct buf text;

	buf_init(&text, CARRY_BYTES_MAX + 4096);
	buf_puts(&text, PREFIX "{\"for\":");
	buf_json(&text, model);
	buf_puts(&text, ",\"id\":");
	buf_json(&text, id);
	buf_puts(&text, ",");
	buf_add(&text, member.p, member.len);
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

bool
carry_is_of(struct span object, struct span id)
{
	return jspan_same(jspan_text(object, "id"), id);
}

void
carry_restore(struct span object, struct buf *out)
{
	static const char *const known[] = { "for", "id", "index", "type",
		"function" };
	struct jspan_walk w = jspan_walk(object);

	while (jspan_next(&w)) {
		size_t i = 0, n = sizeof(known) / sizeof(*known);

		while (i < n && !jspan_key_is(w.key, known[i]))
			i++;
		if (i < n)
			continue;
		buf_puts(out, ",\"");
		buf_add(out, w.key.p, w.key.len);
		buf_puts(out, "\":");
		buf_add(out, w.value.p, w.value.len);
	}
}

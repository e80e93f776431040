/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides where in a body the billing line is: at the beginning of `system`,
 * which is a text or a list of blocks.
 */
#include "config.h"

#include "base/jspan.h"
#include "bridge/attribution.h"

static const struct span none = { NULL, 0 };

size_t
attribution_length(struct span inside)
{
	static const char begin[] = ATTRIBUTION_NAME ":";
	size_t at = sizeof(begin) - 1;

	if (inside.p == NULL || inside.len < at ||
	    memcmp(inside.p, begin, at) != 0)
		return 0;
	while (at + 1 < inside.len &&
	    !(inside.p[at] == '\\' && inside.p[at + 1] == 'n'))
		at += inside.p[at] == '\\' ? 2 : 1;
	if (at + 1 >= inside.len)
		return inside.len;
	while (at + 1 < inside.len && inside.p[at] == '\\' &&
	    inside.p[at + 1] == 'n')
		at += 2;
	return at;
}

/* The first block up to the second one, or to the end of the list. */
static struct span
whole_block(struct jspan_walk *list)
{
	const char *begin = list->value.p;
	const char *end = begin + list->value.len;

	if (jspan_next(list))
		end = list->value.p;
	return (struct span){ begin, (size_t)(end - begin) };
}

struct span
attribution_find(struct span body)
{
	struct span system, text;
	struct jspan_walk list;
	size_t len;

	/* Most bodies are not Claude Code's. */
	if (body.len == 0 ||
	    memmem(body.p, body.len, ATTRIBUTION_NAME,
		sizeof(ATTRIBUTION_NAME) - 1) == NULL)
		return none;
	system = jspan_member(jspan_document(body), "system");
	list = jspan_walk(system);
	text = jspan_inside(system);
	if (jspan_is_array(system) && jspan_next(&list))
		text = jspan_text(list.value, "text");
	if ((len = attribution_length(text)) == 0)
		return none;
	if (len == text.len && jspan_is_array(system))
		return whole_block(&list);
	return (struct span){ text.p, len };
}

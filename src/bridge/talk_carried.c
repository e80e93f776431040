/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides to which call, text or message of a turn the things belong that an
 * upstream wants back (carry.h).
 */
#include "config.h"

#include <stdlib.h>

#include "base/jspan.h"
#include "base/memory.h"
#include "bridge/carry.h"
#include "bridge/talk.h"

/* How far back a call is looked for. */
#define LOOK_BACK 16

static void
add_call_extra(struct talk *t, struct span object, struct talk_call *c)
{
	unsigned last;

	if (t->ncall_extras == t->call_extras_size) {
		t->call_extras_size = t->call_extras_size * 2 + 4;
		t->call_extras = memory_list(t->call_extras,
		    t->call_extras_size, sizeof(*t->call_extras));
	}
	t->call_extras[t->ncall_extras++] = (struct talk_extra){ object, 0, 0 };
	last = (unsigned)t->ncall_extras;
	if (c->extra == 0)
		c->extra = last;
	else
		t->call_extras[t->call_extras[c->extra - 1].last - 1].next =
		    last;
	t->call_extras[c->extra - 1].last = last;
}

/* Adds what came late to one of the last calls, by id. */
static bool
add_to_last(struct talk *t, struct span object)
{
	struct span id = carry_id(object);

	for (size_t i = t->ncalls; i-- > 0 && t->ncalls - i <= LOOK_BACK;)
		if (jspan_same(jspan_text(t->calls[i].item, t->id), id)) {
			add_call_extra(t, object, &t->calls[i]);
			return true;
		}
	return false;
}

/* Of a text, what it has beside it; of a thought, all. */
static void
take_part(struct talk *t, struct span part)
{
	struct buf list;

	if (jspan_member_says(part, "type", "text")) {
		pieces_extra(&t->text, part);
		return;
	}
	if (!jspan_member_says(part, "type", "thinking") &&
	    !jspan_member_says(part, "type", "reasoning"))
		return;
	buf_init(&list, 2 * CARRY_BYTES_MAX);
	buf_puts(&list, "[");
	buf_add(&list, part.p, part.len);
	buf_puts(&list, "]");
	extras_add(&t->extras, span_of(EXTRAS_CONTENT), buf_span(&list), false);
	buf_free(&list);
}

bool
talk_carried(struct talk *t, struct span inside)
{
	struct span object = carry_read(inside, t->model, &t->arena);
	struct jspan_walk parts;

	if (object.p == NULL)
		return false;
	t->in_turn = true;
	if (carry_id(object).p != NULL) {
		if (!add_to_last(t, object))
			t->carried = object;
		return true;
	}
	carry_take(object, &t->extras);
	parts = jspan_walk(jspan_member(object, EXTRAS_CONTENT));
	while (!parts.object && jspan_next(&parts))
		take_part(t, parts.value);
	parts = jspan_walk(jspan_member(object, EXTRAS_BEFORE));
	if (!parts.object && jspan_next(&parts))
		t->before = parts.value;
	return true;
}

void
talk_take_carried(struct talk *t, struct talk_call *c)
{
	if (t->carried.p != NULL &&
	    jspan_same(carry_id(t->carried), jspan_text(c->item, t->id)))
		add_call_extra(t, t->carried, c);
	t->carried.p = NULL;
}

void
talk_call_extras(const struct talk *t, const struct talk_call *c,
    struct extras *call, struct extras *function)
{
	for (unsigned i = c->extra; i != 0; i = t->call_extras[i - 1].next) {
		carry_take(t->call_extras[i - 1].object, call);
		carry_take_function(t->call_extras[i - 1].object, function);
	}
}

bool
talk_carried_thoughts(const struct talk *t, struct buf *list)
{
	struct buf own;
	bool has;

	buf_init(&own, 2 * EXTRAS_BYTES_MAX);
	has = t->dialect.reasoning != REASONING_NONE &&
	    extras_member(&t->extras, EXTRAS_CONTENT, &own) && own.len > 2;
	if (list != NULL) {
		buf_init(list, own.max_bytes);
		if (has)
			buf_add(list, own.p + 1, own.len - 2);
	}
	buf_free(&own);
	return has;
}

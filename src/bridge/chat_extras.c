/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how an upstream's own members are gathered from the chunks, and when
 * the client gets them to keep (carry.h).
 */
#include "config.h"

#include "base/log.h"
#include "bridge/carry.h"
#include "bridge/run.h"

static void
add(struct bridge_run *run, struct extras *x, const struct chunk_extra *e)
{
	bool spilt = x->spilt;

	extras_add(x, e->key, e->value, run->chunk.whole);
	if (x->spilt && !spilt)
		log_info("a member of the upstream's message is too large to "
			 "be carried, and left out: %.*s",
		    (int)(e->key.len < 40 ? e->key.len : 40),
		    e->key.p == NULL ? "" : e->key.p);
}

/* To a list of parts of the content. */
static void
add_part(struct bridge_run *run, const char *name, const struct buf *list)
{
	const struct chunk_extra e = { .key = span_of(name),
		.value = buf_span(list) };

	if (!buf_failed(list))
		add(run, &run->extras, &e);
}

void
bridge_take_extras(struct bridge_run *run)
{
	const struct chunk *c = &run->chunk;
	struct buf list;

	for (size_t i = 0; i < c->nextras; i++) {
		const struct chunk_extra *e = &c->extras[i];

		if (e->place == CHUNK_OF_MESSAGE)
			add(run, &run->extras, e);
		if (e->place != CHUNK_OF_THOUGHT)
			continue;
		buf_init(&list, EXTRAS_BYTES_MAX);
		buf_puts(&list, "[");
		buf_add(&list, e->value.p, e->value.len);
		buf_puts(&list, "]");
		add_part(run, EXTRAS_CONTENT, &list);
		buf_free(&list);
	}
}

bool
bridge_take_part_extras(struct bridge_run *run, size_t of, const char *name)
{
	const struct chunk *c = &run->chunk;
	bool any = false;
	struct buf list;

	buf_init(&list, EXTRAS_BYTES_MAX);
	for (size_t i = 0; i < c->nextras; i++) {
		const struct chunk_extra *e = &c->extras[i];

		if (e->place != CHUNK_OF_PART || e->of != of)
			continue;
		buf_puts(&list, any ? ",\"" : "[{\"type\":\"text\",\"");
		buf_add(&list, e->key.p, e->key.len);
		buf_puts(&list, "\":");
		buf_add(&list, e->value.p, e->value.len);
		any = true;
	}
	if (any) {
		buf_puts(&list, "}]");
		add_part(run, name, &list);
	}
	buf_free(&list);
	return any;
}

void
bridge_take_call_extras(
    struct bridge_run *run, size_t of, struct bridge_call *call)
{
	const struct chunk *c = &run->chunk;

	for (size_t i = 0; i < c->nextras; i++) {
		const struct chunk_extra *e = &c->extras[i];

		if (e->of != of)
			continue;
		if (e->place == CHUNK_OF_CALL)
			add(run, &call->extras, e);
		else if (e->place == CHUNK_OF_FUNCTION)
			add(run, &call->function, e);
	}
}

static void
put(struct bridge_run *run, struct span id, const struct extras *x,
    const struct extras *function, struct buf *out)
{
	struct buf text;

	buf_init(&text, 2 * CARRY_BYTES_MAX);
	carry_write(span_of(run->upstream_model), id, x, function, &text);
	run->ops->carry(run, buf_span(&text), out);
	run->slot++;
	buf_free(&text);
}

void
bridge_put_extras(struct bridge_run *run, struct buf *out)
{
	if (!extras_worth(&run->extras))
		return;
	bridge_close_part(run, out);
	put(run, (struct span){ NULL, 0 }, &run->extras, NULL, out);
	extras_reset(&run->extras);
}

void
bridge_put_last_extras(struct bridge_run *run, struct buf *out)
{
	if (run->kind != BRIDGE_MESSAGES || !run->text_last)
		bridge_put_extras(run, out);
	else if (extras_worth(&run->extras))
		log_info("what the upstream said of its message after the "
			 "text has no place in the Messages API, and is left "
			 "out");
}

void
bridge_put_call_extras(
    struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	bool more = c->carried &&
	    (!extras_empty(&c->extras) || !extras_empty(&c->function));

	if (!more && !extras_worth(&c->extras) && !extras_worth(&c->function))
		return;
	c->carried = true;
	bridge_close_part(run, out);
	put(run, span_of(c->id), &c->extras, &c->function, out);
	extras_reset(&c->extras);
	extras_reset(&c->function);
}

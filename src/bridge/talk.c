/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the order that a chat's messages must have.  Content is gathered by
 * speaker and written when another one speaks.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/jspan.h"
#include "base/memory.h"
#include "bridge/talk.h"

#define NO_RESULT "The call was interrupted: it has no result."
#define ORPHAN "The result of an earlier tool call:"

static void
add_span(struct buf *out, struct span s)
{
	buf_add(out, s.p, s.len);
}

static void
begin_message(struct talk *t, const char *role)
{
	if (t->begun)
		buf_puts(t->out, ",");
	t->begun = true;
	buf_puts(t->out, "{\"role\":\"");
	buf_puts(t->out, role);
	buf_puts(t->out, "\",\"content\":");
}

static void
put(struct talk *t, const char *role, struct pieces *p)
{
	if (p->n == 0)
		return;
	begin_message(t, role);
	pieces_write(p, t->out);
	buf_puts(t->out, "}");
	p->n = 0;
}

/* What the results of tools showed comes before what the user says. */
static void
put_waiting(struct talk *t)
{
	put(t, "system", &t->system);
	pieces_move(&t->user, &t->media);
	put(t, "user", &t->media);
}

/* --- The assistant's turn --- */

static void
write_arguments(
    enum talk_arguments form, struct span arguments, struct buf *out)
{
	if (form == TALK_STRING && arguments.len > 2) {
		add_span(out, arguments);
		return;
	}
	buf_puts(out, "\"");
	if (form == TALK_STRING) {
		buf_puts(out, "{}"); /* no upstream reads "" as JSON */
	} else if (form == TALK_OBJECT) {
		buf_json_inside(out, arguments);
	} else {
		buf_puts(out, "{\\\"input\\\":");
		buf_json_inside(out, arguments);
		buf_puts(out, "}");
	}
	buf_puts(out, "\"");
}

/* The client may know that member, too. */
static bool
is_not_own(struct span key)
{
	return !span_is(key, "extra_content");
}

static void
write_call(const struct talk *t, const struct talk_call *c, struct buf *out)
{
	struct jspan_want want[] = { { t->id, { 0 } }, { "arguments", { 0 } },
		{ "input", { 0 } }, { "extra_content", { 0 } } };
	struct extras call = { 0 }, function = { 0 };

	jspan_pick(c->item, want, 4);
	talk_call_extras(t, c, &call, &function);
	buf_puts(out, "{\"id\":");
	add_span(out, want[0].value);
	buf_puts(out, ",\"type\":\"function\",\"function\":{\"name\":\"");
	buf_puts(out, c->name->upstream);
	buf_puts(out, "\",\"arguments\":");
	write_arguments(c->form,
	    want[t->arguments_in_input || c->form == TALK_INPUT ? 2 : 1].value,
	    out);
	extras_write(&function, NULL, out);
	buf_puts(out, "}");
	extras_write(&call, want[3].value.p == NULL ? NULL : is_not_own, out);
	if (want[3].value.p != NULL) {
		buf_puts(out, ",\"extra_content\":");
		add_span(out, want[3].value);
	}
	buf_puts(out, "}");
	extras_free(&call);
	extras_free(&function);
}

static void
write_calls(struct talk *t)
{
	if (t->ncalls == 0)
		return;
	buf_puts(t->out, ",\"tool_calls\":[");
	for (size_t i = 0; i < t->ncalls; i++) {
		if (i > 0)
			buf_puts(t->out, ",");
		write_call(t, &t->calls[i], t->out);
	}
	buf_puts(t->out, "]");
}

static void
write_thought_part(struct talk *t)
{
	struct buf list;

	talk_carried_thoughts(t, &list);
	if (list.len > 0) {
		buf_add(t->out, list.p, list.len);
	} else {
		buf_puts(t->out,
		    "{\"type\":\"thinking\",\"thinking\":"
		    "[{\"type\":\"text\",\"text\":");
		pieces_write_texts(&t->thoughts, t->out);
		buf_puts(t->out, "}]}");
	}
	buf_free(&list);
}

static void
write_content(struct talk *t, bool think)
{
	bool carried = talk_carried_thoughts(t, NULL);
	bool as_part = think && t->thoughts.n > 0 &&
	    t->dialect.reasoning_as == REASONING_AS_THINKING;

	if (as_part || carried) {
		buf_puts(t->out, "[");
		write_thought_part(t);
		if (t->text.n > 0)
			buf_puts(t->out, ",");
		pieces_write_parts(&t->text, t->out);
		buf_puts(t->out, "]");
	} else if (t->text.n > 0) {
		pieces_write(&t->text, t->out);
	} else {
		buf_puts(t->out, t->ncalls > 0 ? "null" : "\"\"");
	}
}

/* With "all", a turn without reasoning has an empty one. */
static void
write_thoughts(struct talk *t)
{
	if (t->dialect.reasoning_as == REASONING_AS_THINKING ||
	    (t->thoughts.n == 0 && t->dialect.reasoning != REASONING_ALL))
		return;
	buf_puts(t->out,
	    t->dialect.reasoning_as == REASONING_AS_REASONING
		? ",\"reasoning\":"
		: ",\"reasoning_content\":");
	pieces_write_texts(&t->thoughts, t->out);
}

/* Members with thoughts are treated like reasoning. */
static bool
is_no_thought(struct span key)
{
	return memmem(key.p, key.len, "reasoning", 9) == NULL &&
	    memmem(key.p, key.len, "thinking", 8) == NULL &&
	    !span_is(key, EXTRAS_CONTENT);
}

static bool
is_no_content(struct span key)
{
	return !span_is(key, EXTRAS_CONTENT);
}

/* Its content is read into scratch, which may keep media for later. */
static void
write_result(
    struct talk *t, const struct talk_call *c, const struct pairs_result *r)
{
	t->scratch.n = 0;
	if (r == NULL)
		pieces_text(&t->scratch, span_of(NO_RESULT));
	else if (t->result(t->ctx, r, &t->scratch) == -1)
		t->failed = true;
	pieces_move_media(&t->scratch, &t->media);
	begin_message(t, "tool");
	pieces_write_texts(&t->scratch, t->out);
	buf_puts(t->out, ",\"tool_call_id\":");
	add_span(t->out, jspan_member(c->item, t->id));
	buf_puts(t->out, "}");
}

static void
end_turn(struct talk *t)
{
	bool think = t->dialect.reasoning == REASONING_ALL ||
	    (t->dialect.reasoning == REASONING_CALLS && t->ncalls > 0);
	size_t first = t->next_call - t->ncalls;

	if (!t->in_turn || t->failed)
		return;
	t->in_turn = false;
	if (t->text.n > 0 || t->ncalls > 0 || (think && t->thoughts.n > 0)) {
		put_waiting(t);
		begin_message(t, "assistant");
		write_content(t, think);
		if (think)
			write_thoughts(t);
		extras_write(&t->extras,
		    t->dialect.reasoning == REASONING_NONE ? is_no_thought
							   : is_no_content,
		    t->out);
		write_calls(t);
		buf_puts(t->out, "}");
	}
	for (size_t i = 0; i < t->ncalls && !t->failed; i++)
		write_result(
		    t, &t->calls[i], pairs_of_call(&t->pairs, first + i));
	t->text.n = t->thoughts.n = t->ncalls = t->ncall_extras = 0;
	t->carried.p = NULL;
	extras_reset(&t->extras);
	t->before.p = NULL;
}

/* --- What a dialect says --- */

void
talk_system(struct talk *t, struct pieces *p)
{
	if (p->n == 0)
		return;
	end_turn(t);
	if (!t->begun && t->user.n == 0) {
		pieces_move(p, &t->system);
		return;
	}
	/* Claude Code itself uses this tag for such text. */
	pieces_text(&t->user, span_of("<system-reminder>"));
	pieces_move(p, &t->user);
	pieces_text(&t->user, span_of("</system-reminder>"));
}

void
talk_user(struct talk *t, struct pieces *p)
{
	if (p->n == 0)
		return;
	end_turn(t);
	pieces_move(p, &t->user);
}

void
talk_text(struct talk *t, struct pieces *p)
{
	if (p->n == 0)
		return;
	t->in_turn = true;
	pieces_move_with(p, &t->text, t->before);
	t->before.p = NULL;
}

void
talk_thoughts(struct talk *t, struct pieces *p)
{
	if (p->n == 0)
		return;
	t->in_turn = true;
	pieces_move(p, &t->thoughts);
}

void
talk_call(struct talk *t, const struct name *name, struct span item,
    enum talk_arguments form)
{
	t->in_turn = true;
	if (t->ncalls == t->calls_size) {
		t->calls_size =
		    t->calls_size == 0 ? 8 : t->calls_size + t->calls_size / 2;
		t->calls =
		    memory_list(t->calls, t->calls_size, sizeof(*t->calls));
	}
	t->calls[t->ncalls] = (struct talk_call){ name, item, form, 0 };
	talk_take_carried(t, &t->calls[t->ncalls++]);
	t->next_call++;
}

enum pairs_fate
talk_result(struct talk *t)
{
	const struct pairs_result *r = &t->pairs.results[t->next_result++];

	if (r->fate == PAIRS_LEFT_OUT)
		return PAIRS_LEFT_OUT;
	end_turn(t);
	if (r->fate == PAIRS_ORPHAN && !t->failed) {
		pieces_text(&t->user, span_of(ORPHAN));
		if (t->result(t->ctx, r, &t->user) == -1)
			t->failed = true;
	}
	return (enum pairs_fate)r->fate;
}

void
talk_end(struct talk *t)
{
	end_turn(t);
	if (!t->failed)
		put_waiting(t);
}

void
talk_free(struct talk *t)
{
	pairs_free(&t->pairs);
	pieces_free(&t->system);
	pieces_free(&t->user);
	pieces_free(&t->media);
	pieces_free(&t->text);
	pieces_free(&t->thoughts);
	pieces_free(&t->scratch);
	free(t->calls);
	free(t->call_extras);
	extras_free(&t->extras);
	if (t->arena != NULL)
		arena_free(t->arena);
}

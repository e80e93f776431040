/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the many ways in which upstreams send tool calls: by index or id or
 * neither, one after the other or interleaved, announced together with empty
 * arguments, names in fragments or late.
 *
 * Calls keep the order in which they were announced, and one is open at a
 * time.  A call opens with its first arguments.  It ends with the stream, or
 * when its arguments are complete, not empty, and another call or a text
 * follows; never because it is empty.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/jscan.h"
#include "base/memory.h"
#include "bridge/run.h"
#include "policy/call.h"
#include "policy/estimate.h"

/* Longer names are cut. */
#define NAME_BYTES 1024

/* --- Opening and closing --- */

static char *
copy_of(const char *p, size_t len)
{
	return memory_text((struct span){ p, len });
}

/* Clients tell calls apart by their ids, over the whole conversation. */
static bool
is_taken(const struct bridge_run *run, const char *id)
{
	for (size_t i = 0; i < run->ncalls; i++)
		if (run->calls[i].id != NULL &&
		    strcmp(run->calls[i].id, id) == 0)
			return true;
	return ids_known(&run->ids, id);
}

/* The upstream's id, or one that is unique to this response. */
static char *
make_id(const struct bridge_run *run, const char *upstreams)
{
	char id[160];

	if (upstreams != NULL && !is_taken(run, upstreams))
		return copy_of(upstreams, strlen(upstreams));
	snprintf(id, sizeof(id), "call_%.100s_%u", run->request_id, run->slot);
	return copy_of(id, strlen(id));
}

static void
open_call(struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	bridge_close_part(run, out);
	c->id = make_id(run, c->upstream_id);
	c->state = BRIDGE_CALL_OPEN;
	c->tool = bridge_tool(run, span_of(c->name));
	bridge_put_extras(run, out);
	bridge_put_call_extras(run, c, out);
	run->ops->call_open(run, c, out);
}

static void
send_args(struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	struct span s;

	if (c->args.text.len == c->sent)
		return;
	s = (struct span){ c->args.text.p + c->sent,
		c->args.text.len - c->sent };
	c->sent = c->args.text.len;
	run->ops->call_delta(run, c, s, out);
}

static void
end_call(struct bridge_run *run, struct bridge_call *c)
{
	run->output_estimate += estimate_tokens(buf_span(&c->args.text));
	c->state = BRIDGE_CALL_CLOSED;
	run->text_last = false;
	run->slot++;
	run->first_call = (size_t)(c - run->calls) + 1;
}

static void
close_call(struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	run->ops->call_close(run, c, out);
	end_call(run, c);
	bridge_put_call_extras(run, c, out);
	bridge_put_late(run, out);
}

/* Opens and closes calls in their order, as far as possible. */
static void
advance(struct bridge_run *run, struct buf *out)
{
	while (run->first_call < run->ncalls && !run->ended) {
		struct bridge_call *c = &run->calls[run->first_call];

		if (c->state == BRIDGE_CALL_WAITING) {
			if (c->name == NULL || arguments_empty(&c->args))
				return;
			open_call(run, c, out);
		}
		send_args(run, c, out);
		if (run->first_call + 1 == run->ncalls ||
		    !arguments_complete(&c->args))
			return;
		close_call(run, c, out);
	}
}

static struct bridge_call *
open_one(struct bridge_run *run)
{
	struct bridge_call *c =
	    run->first_call < run->ncalls ? &run->calls[run->first_call] : NULL;

	return c != NULL && c->state == BRIDGE_CALL_OPEN ? c : NULL;
}

bool
bridge_settle_call(struct bridge_run *run, struct buf *out)
{
	struct bridge_call *c = open_one(run);

	if (c == NULL)
		return true;
	if (!arguments_complete(&c->args))
		return false;
	close_call(run, c, out);
	advance(run, out);
	return open_one(run) == NULL;
}

/* --- Whose piece is it? --- */

/* The parts of a piece that are compared. */
struct piece {
	long long index;
	char id[IDS_BYTES_MAX];
	struct span name;
};

static bool
same_index(const struct bridge_call *c, const struct piece *p)
{
	return p->index == -1 || c->index == -1 || p->index == c->index;
}

static bool
same_id(const struct bridge_call *c, const struct piece *p)
{
	return c->upstream_id != NULL && p->id[0] != '\0' &&
	    strcmp(c->upstream_id, p->id) == 0;
}

/* A piece without a name continues a call: the one with its id and index,
 * with its id, with its index (older vLLM gives each piece a new id), or the
 * last one that got something. */
static struct bridge_call *
find_nameless(struct bridge_run *run, const struct piece *p)
{
	struct bridge_call *by_id = NULL, *by_index = NULL;

	for (size_t i = run->ncalls; i-- > 0;) {
		struct bridge_call *c = &run->calls[i];

		if (same_id(c, p) && same_index(c, p))
			return c;
		if (by_id == NULL && same_id(c, p))
			by_id = c;
		if (by_index == NULL && p->index != -1 && p->index == c->index)
			by_index = c;
	}
	if (by_id != NULL || by_index != NULL)
		return by_id != NULL ? by_id : by_index;
	return p->index == -1 ? run->touched : NULL;
}

/* Does a piece with a name continue this call?  It does if the call has no
 * name yet or no arguments (a fragment, or the name once more); with
 * unfinished ones only by the same name.  (Gemini: index 0 for all calls,
 * each with its name and whole.) */
static bool
goes_on(const struct bridge_run *run, const struct bridge_call *c,
    const struct piece *p)
{
	bool again = c->name != NULL && span_is(p->name, c->name);
	bool has_ids = c->upstream_id != NULL && p->id[0] != '\0';

	if (run->chunk.whole || (has_ids && !same_id(c, p)) ||
	    !same_index(c, p))
		return false;
	if (c->chunk == run->chunks && p->index == -1 && !has_ids)
		return false;
	if (c->name == NULL)
		return true;
	if (c->args.text.len == 0)
		return again || has_ids || p->index != -1;
	return again && (arguments_unfinished(&c->args) || has_ids);
}

static struct bridge_call *
find_call(struct bridge_run *run, const struct piece *p)
{
	if (p->name.len == 0)
		return find_nameless(run, p);
	for (size_t i = run->ncalls; i-- > 0;)
		if (goes_on(run, &run->calls[i], p))
			return &run->calls[i];
	return NULL;
}

static struct bridge_call *
new_call(struct bridge_run *run, long long index)
{
	struct bridge_call *c;

	if (run->calls == NULL)
		run->calls =
		    memory_zero(BRIDGE_CALLS_MAX * sizeof(*run->calls));
	if (run->ncalls == BRIDGE_CALLS_MAX)
		return NULL;
	c = &run->calls[run->ncalls++];
	c->index = index;
	buf_init_charged(&c->args.text, run->text.max_bytes, &run->memory);
	return c;
}

/* --- Taking it --- */

static bool
is_known(const struct bridge_run *run, struct span name)
{
	return bridge_tool(run, name) != NULL;
}

/* Fragments make a name.  It is no fragment if the same name comes again, or
 * a longer one that begins with it, unless only both together are a tool. */
static void
add_name(struct bridge_run *run, struct bridge_call *c, struct span name)
{
	size_t had = c->name == NULL ? 0 : strlen(c->name);
	struct buf joined;

	if (name.len == 0 || c->state != BRIDGE_CALL_WAITING)
		return;
	buf_init(&joined, NAME_BYTES);
	buf_puts(&joined, had == 0 ? "" : c->name);
	buf_add(&joined, name.p, name.len);
	if (had > 0 && name.len >= had && memcmp(name.p, c->name, had) == 0 &&
	    (is_known(run, name) || !is_known(run, buf_span(&joined)))) {
		buf_reset(&joined);
		buf_add(&joined, name.p, name.len);
	}
	if (!buf_failed(&joined)) {
		free(c->name);
		c->name = copy_of(joined.p, joined.len);
	}
	buf_free(&joined);
}

/* The decoded piece is in run->piece. */
static void
add_args(struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	struct span s = buf_span(&run->piece);

	if (s.len == 0 ||
	    (span_eq(s, buf_span(&c->args.text)) &&
		arguments_complete(&c->args)))
		return; /* some upstreams repeat the whole at the end */
	if (c->state == BRIDGE_CALL_CLOSED) {
		if (strspn(s.p, " \t\r\n") < s.len)
			bridge_break_upstream(run,
			    "The upstream went on with a tool call that it "
			    "had ended.",
			    out);
		return;
	}
	/* The empty object was only a placeholder for what comes now. */
	if (c->state == BRIDGE_CALL_WAITING && c->args.text.len > 0 &&
	    s.p[0] == '{' && arguments_empty(&c->args))
		arguments_reset(&c->args);
	arguments_add(&c->args, s);
	run->gathered += s.len;
}

static void
decode_args(struct bridge_run *run, struct bridge_call *c,
    const struct chunk_call *piece)
{
	buf_reset(&run->piece);
	if (piece->is_object)
		buf_add(&run->piece, piece->arguments.p, piece->arguments.len);
	else
		chunk_decode(&c->half, piece->arguments, &run->piece);
}

void
bridge_take_call(struct bridge_run *run, size_t number, struct buf *out)
{
	const struct chunk_call *piece = &run->chunk.calls[number];
	struct piece p = { .index = piece->index };
	struct bridge_call *c;
	struct buf name;

	buf_init(&name, NAME_BYTES);
	if (piece->id.len < sizeof(p.id))
		p.id[jscan_decode(piece->id, p.id)] = '\0';
	chunk_decode(&(struct chunk_half){ 0 }, piece->name, &name);
	p.name = buf_span(&name);
	if ((c = find_call(run, &p)) == NULL)
		c = new_call(run, p.index);
	if (c == NULL) {
		bridge_break_upstream(
		    run, "The upstream made too many tool calls.", out);
	} else {
		if (c->upstream_id == NULL && p.id[0] != '\0')
			c->upstream_id = copy_of(p.id, strlen(p.id));
		if (c->index == -1)
			c->index = p.index;
		bridge_take_call_extras(run, number, c);
		add_name(run, c, p.name);
		c->chunk = run->chunks;
		run->touched = c;
		decode_args(run, c, piece);
		add_args(run, c, out);
		advance(run, out);
	}
	buf_free(&name);
}

/* --- The end --- */

/* True: it has ended, or is left open. */
static bool
finish_one(struct bridge_run *run, struct bridge_call *c, struct buf *out)
{
	bool cut = run->finish == FINISH_LENGTH || run->finish == FINISH_FILTER;

	buf_reset(&run->piece);
	chunk_decode_end(&c->half, &run->piece);
	if (run->piece.len > 0)
		add_args(run, c, out);
	if (cut &&
	    (c->name == NULL || arguments_empty(&c->args) ||
		arguments_unfinished(&c->args))) {
		if (c->state != BRIDGE_CALL_OPEN)
			return false;
		send_args(run, c, out);
		run->ops->call_leave(run, c, out);
		run->slot++;
		return false;
	}
	if (c->name == NULL || arguments_unfinished(&c->args)) {
		bridge_break_upstream(run,
		    c->name == NULL
			? "The upstream made a tool call without a name."
			: "The upstream's response ended in the middle of a "
			  "tool call.",
		    out);
		return false;
	}
	if (c->state == BRIDGE_CALL_WAITING) {
		if (arguments_empty(
			&c->args)) { /* every client parses them as JSON */
			buf_reset(&c->args.text);
			buf_puts(&c->args.text, "{}");
		}
		open_call(run, c, out);
	}
	send_args(run, c, out);
	close_call(run, c, out);
	return true;
}

void
bridge_finish_calls(struct bridge_run *run, struct buf *out)
{
	while (run->first_call < run->ncalls && !run->ended)
		if (!finish_one(run, &run->calls[run->first_call], out))
			break;
	for (size_t i = 0; i < run->first_call && !run->ended; i++)
		bridge_put_call_extras(run, &run->calls[i], out);
}

void
bridge_free_calls(struct bridge_run *run)
{
	for (size_t i = 0; i < run->ncalls; i++) {
		free(run->calls[i].upstream_id);
		free(run->calls[i].id);
		free(run->calls[i].name);
		extras_free(&run->calls[i].extras);
		extras_free(&run->calls[i].function);
		buf_free(&run->calls[i].args.text);
	}
	free(run->calls);
}

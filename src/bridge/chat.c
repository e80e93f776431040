/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how differently chat upstreams use their one format: texts and calls in
 * any order and packing, their own finish reasons, usage anywhere.  Both
 * dialects get the same from it: one part or call open at a time, in order.
 */
#include "config.h"

#include <stdio.h>

#include "base/jspan.h"
#include "bridge/run.h"
#include "bridge/words.h"
#include "policy/call.h"
#include "policy/estimate.h"

void
bridge_break_upstream(struct bridge_run *run, const char *why, struct buf *out)
{
	struct bridge_error e = { "upstream_error", "api_error", why, NULL };

	bridge_break(run, why, &e, out);
}

static void
check_room(struct bridge_run *run, struct buf *out)
{
	if (run->gathered > run->text.max_bytes || buf_failed(&run->items))
		bridge_break_upstream(run,
		    "The upstream's response is longer than tailgate collects.",
		    out);
}

/* --- Parts --- */

static void
add_to_part(struct bridge_run *run, struct span text, struct buf *out)
{
	if (text.len == 0)
		return;
	buf_add(&run->text, text.p, text.len);
	run->ops->part_delta(run, text, out);
}

void
bridge_close_part(struct bridge_run *run, struct buf *out)
{
	if (run->part == CHUNK_NONE)
		return;
	buf_reset(&run->piece);
	chunk_decode_end(&run->halves[run->part], &run->piece);
	add_to_part(run, buf_span(&run->piece), out);
	run->output_estimate += estimate_tokens(buf_span(&run->text));
	run->ops->part_close(run, out);
	run->text_last = run->part != CHUNK_REASONING;
	run->part = CHUNK_NONE;
	run->slot++;
	buf_reset(&run->text);
}

static void
put_part(struct bridge_run *run, enum chunk_part part, struct span text,
    struct buf *out)
{
	if (text.len == 0)
		return;
	if (run->part != part) {
		bridge_close_part(run, out);
		if (part != CHUNK_REASONING)
			bridge_put_extras(run, out);
		run->part = part;
		run->ops->part_open(run, out);
	}
	add_to_part(run, text, out);
}

void
bridge_put_late(struct bridge_run *run, struct buf *out)
{
	static const enum chunk_part parts[] = { CHUNK_REASONING, CHUNK_TEXT,
		CHUNK_REFUSAL };

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		struct buf *late = &run->late[parts[i]];

		put_part(run, parts[i], buf_span(late), out);
		buf_reset(late);
	}
}

/* A text ends the call before it.  If that is not complete, the text waits
 * for it. */
static void
take_text(struct bridge_run *run, const struct chunk_text *t, struct buf *out)
{
	bool waits = !bridge_settle_call(run, out);

	/* A part that another one interrupts loses its half character. */
	if (run->part != CHUNK_NONE && run->part != t->part)
		bridge_close_part(run, out);
	buf_reset(&run->piece);
	chunk_decode(&run->halves[t->part], t->raw, &run->piece);
	run->gathered += run->piece.len;
	if (waits)
		buf_add(&run->late[t->part], run->piece.p, run->piece.len);
	else
		put_part(run, t->part, buf_span(&run->piece), out);
}

/* --- The rest of a chunk --- */

static void
take_reason(struct bridge_run *run, struct span raw)
{
	enum finish finish = finish_of(raw);
	struct buf clean;

	if (finish == FINISH_NONE)
		return;
	run->finish = finish;
	if (finish != FINISH_FAILED)
		return;
	buf_init(&clean, 4 * WORDS_MAX);
	words_of(raw, &clean);
	snprintf(run->reason, sizeof(run->reason), "%.*s",
	    SPAN_FMT(buf_span(&clean)));
	buf_free(&clean);
}

/* vLLM's stop_reason, SGLang's matched_stop: one of the client's own, or a
 * token's text, which is none. */
static void
take_stop(struct bridge_run *run, struct span raw)
{
	struct jspan_walk w = jspan_walk(buf_span(&run->stops));

	while (raw.len > 0 && jspan_next(&w))
		if (jspan_same(jspan_inside(w.value), raw)) {
			buf_reset(&run->stop_sequence);
			chunk_decode(&(struct chunk_half){ 0 }, raw,
			    &run->stop_sequence);
			return;
		}
}

struct bridge_usage
bridge_used(const struct bridge_run *run)
{
	struct bridge_usage u = run->usage;

	if (!u.known) {
		u.input = run->input_tokens;
		u.output = bridge_estimate(run);
	}
	return u;
}

uint64_t
bridge_estimate(const struct bridge_run *run)
{
	uint64_t tokens =
	    run->output_estimate + estimate_tokens(buf_span(&run->text));

	for (size_t i = 0; i < 4; i++)
		tokens += estimate_tokens(buf_span(&run->late[i]));
	for (size_t i = run->first_call; i < run->ncalls; i++)
		tokens += estimate_tokens(buf_span(&run->calls[i].args.text));
	return tokens;
}

/* They close their text, because they belong only to it.  (While a call is
 * open it has not been written.) */
static void
take_part_extras(struct bridge_run *run, size_t of, struct buf *out)
{
	if (bridge_take_part_extras(run, of, EXTRAS_CONTENT) &&
	    run->part == CHUNK_TEXT)
		bridge_close_part(run, out);
}

/* In a whole response they come before its text. */
static void
take_whole_text(struct bridge_run *run, size_t number, struct buf *out)
{
	bool own = bridge_take_part_extras(run, number + 1, EXTRAS_BEFORE);

	if (own)
		bridge_close_part(run, out);
	take_text(run, &run->chunk.texts[number], out);
	if (own)
		bridge_close_part(run, out);
}

static void
take_choice(struct bridge_run *run, struct buf *out)
{
	struct chunk *c = &run->chunk;

	bridge_take_extras(run);
	take_part_extras(run, 0, out);
	for (size_t i = 0; i < c->ntexts && !run->ended; i++) {
		if (c->whole) {
			take_whole_text(run, i, out);
			continue;
		}
		take_text(run, &c->texts[i], out);
		take_part_extras(run, i + 1, out);
	}
	for (size_t i = 0; i < c->ncalls && !run->ended; i++)
		bridge_take_call(run, i, out);
	take_reason(run, c->finish);
	take_stop(run, c->stop);
	if (!run->ended)
		check_room(run, out);
}

void
bridge_take(struct bridge_run *run, struct span chunk, struct buf *out)
{
	struct chunk *c = &run->chunk;

	run->chunks++;
	if (chunk_read(c, chunk) == -1) {
		/* `data: ping` is not part of a response; a torn chunk is. */
		if (chunk.len > 0 && chunk.p[0] == '{')
			bridge_break_upstream(run,
			    "The upstream sent an event that is not JSON.",
			    out);
		return;
	}
	if (c->error.len > 0) {
		bridge_fail_upstream(run, 0, c->error, out);
		return;
	}
	if (!c->has_choice)
		return;
	run->answered = true;
	if (!run->begun) {
		run->begun = true;
		run->ops->begin(run, out);
	}
	take_choice(run, out);
}

/* --- The end --- */

static void
break_by_reason(struct bridge_run *run, struct buf *out)
{
	struct bridge_error e = { .code = "upstream_error",
		.anthropic = "api_error" };

	buf_reset(&run->words);
	buf_printf(&run->words,
	    "The upstream ended its response with the reason \"%s\".",
	    run->reason);
	e.message = run->words.p;
	bridge_break(run, e.message, &e, out);
}

/* A half character that was all of a text. */
static void
put_halves(struct bridge_run *run, struct buf *out)
{
	for (size_t i = CHUNK_TEXT; i <= CHUNK_REASONING; i++)
		if (run->halves[i].high != 0) {
			run->halves[i].high = 0;
			put_part(run, i, span_of(CHUNK_REPLACEMENT), out);
		}
}

/* Does the response contain a call that can be run? */
static bool
has_calls(const struct bridge_run *run)
{
	return run->first_call > 0;
}

void
bridge_finish(struct bridge_run *run, struct buf *out)
{
	if (run->finish == FINISH_FAILED) {
		break_by_reason(run, out);
		return;
	}
	bridge_close_part(run, out);
	bridge_finish_calls(run, out);
	if (run->ended)
		return;
	bridge_put_late(run, out);
	put_halves(run, out);
	bridge_close_part(run, out);
	bridge_put_last_extras(run, out);
	check_room(run, out);
	if (run->ended)
		return;
	if (run->finish == FINISH_STOP || run->finish == FINISH_CALLS)
		run->finish = has_calls(run) ? FINISH_CALLS : FINISH_STOP;
	run->ops->end(run, out);
	run->ended = true;
	run->last = BRIDGE_DONE;
}

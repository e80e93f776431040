/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How a line is spelled: tailgate.ledger(5).  The members and their order
 * stand in form.c again, by which the ledger's process checks what it is
 * sent, and in line.c if they are read.
 */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/jput.h"
#include "base/log.h"
#include "base/memory.h"
#include "ledger/draft.h"
#include "ledger/form.h"
#include "ledger/read.h"

/* The longest name of a client or an upstream that a line has. */
#define TEXT_MAX_BYTES 256
#define YEAR_9999_MS INT64_C(253402300799999)

/* Readers know 64 bits with a sign. */
static void
put_u64(struct buf *b, const char *name, uint64_t v)
{
	jput_u64(b, name, v > INT64_MAX ? INT64_MAX : v);
}

static void
put_text(struct buf *b, const char *name, const char *text)
{
	struct span value = span_of(text);

	if (value.len > TEXT_MAX_BYTES)
		value.len = TEXT_MAX_BYTES;
	if (text == NULL)
		jput_text(b, name, NULL);
	else
		jput_span(b, name, value);
}

/* Members that most lines don't need are left out when they would say nothing.
 */
static void
put_text_if(struct buf *b, const char *name, const char *text)
{
	if (text != NULL)
		put_text(b, name, text);
}

static void
put_u64_if(struct buf *b, const char *name, uint64_t v)
{
	if (v != 0)
		put_u64(b, name, v);
}

static void
put_if(struct buf *b, const char *name, bool set)
{
	if (set)
		jput_bool(b, name, true);
}

/* Tokens without a report are our estimate; no tokens at all are "none". */
static const char *
usage_word(const struct usage *u)
{
	return u->reported ? "reported" : entry_used(u) ? "estimated" : "none";
}

static void
put_parts(struct buf *b, const struct usage *u)
{
	put_u64_if(b, "cached", u->cached);
	put_u64_if(b, "cache_write", u->cache_write);
}

static void
put_rest(struct buf *b, const struct usage *u)
{
	put_u64_if(b, "reasoning", u->reasoning);
	put_u64_if(b, "characters", u->characters);
	put_u64_if(b, "audio_ms", u->audio_ms);
	put_u64_if(b, "images", u->images);
}

/* What was sent, and its result. */
static void
put_sent(struct buf *b, const struct entry_try *t)
{
	const struct usage *u = &t->usage;

	jput_bool(b, "sent", true);
	put_u64(b, "bytes_sent", t->bytes_sent);
	put_text(b, "usage", usage_word(u));
	put_u64_if(b, "input", u->input);
	put_parts(b, u);
	put_u64_if(b, "output", u->output);
	put_rest(b, u);
	jput_known(b, "cost_nanousd", t->cost_nanousd);
	if (t->first_byte_ms >= 0)
		jput_known(b, "first_byte_ms", t->first_byte_ms);
}

static void
put_try(struct buf *b, const struct entry_try *t)
{
	jput_open(b, '{');
	put_text(b, "provider", t->provider);
	put_text_if(b, "upstream_model", t->upstream_model);
	put_text(b, "place", place_name(t->place));
	put_text_if(b, "host", t->host);
	put_text_if(b, "allowed_by", t->allowed_by);
	put_u64_if(b, "key", t->key);
	put_text(b, "outcome", t->outcome);
	if (t->sent)
		put_sent(b, t);
	jput_known(b, "at_ms", t->at_ms);
	if (t->queue_ms >= 0)
		jput_known(b, "queue_ms", t->queue_ms);
	if (t->wake_ms >= 0)
		jput_known(b, "wake_ms", t->wake_ms);
	jput_known(b, "ms", t->ms);
	buf_puts(b, "}");
}

static void
put_tries(struct buf *b, const struct entry *e)
{
	if (e->ntries == 0)
		return;
	jput_name_open(b, "tries", '[');
	for (size_t i = 0; i < e->ntries; i++)
		put_try(b, &e->tries[i]);
	buf_puts(b, "]");
}

static void
put_route(struct buf *b, const struct entry *e, const struct entry_sums *sums)
{
	const struct entry_try *last = entry_last(e);

	put_text(b, "client", e->client);
	put_text_if(b, "session", e->session);
	put_text_if(b, "trace", e->trace);
	put_text(b, "endpoint", e->endpoint);
	put_text(b, "model", e->model);
	put_text(b, "route", e->route);
	put_text(b, "provider", last == NULL ? NULL : last->provider);
	put_text(b, "place", last == NULL ? NULL : place_name(last->place));
	put_if(b, "sent", sums->sent);
	put_if(b, "external", sums->external);
	put_text_if(b, "private", e->private_rule);
	put_tries(b, e);
	put_text_if(b, "fallback", e->fallback);
	put_text_if(b, "bridge", e->bridge);
}

static void
put_end(struct buf *b, const struct entry *e, const struct entry_sums *sums)
{
	put_if(b, "stream", e->stream);
	jput_known(b, "status", e->status);
	if (e->refusal != REFUSE_NONE)
		put_text(b, "refusal", refusal_spec(e->refusal)->code);
	put_if(b, "client_gone", e->client_gone);
	put_if(b, "cut", e->cut);
	put_u64(b, "bytes_in", e->bytes_in);
	put_u64(b, "bytes_out", e->bytes_out);
	put_u64_if(b, "bytes_sent", sums->bytes_sent);
}

static void
put_sums(struct buf *b, const struct entry *e, const struct entry_sums *sums)
{
	const struct usage *u = &sums->usage;

	put_text(b, "usage", usage_word(u));
	put_u64(b, "input", u->input);
	put_parts(b, u);
	put_u64(b, "output", u->output);
	put_rest(b, u);
	jput_known(b, "cost_nanousd", sums->cost_nanousd);
	jput_known(b, "queue_ms", sums->queue_ms);
	jput_known(b, "first_byte_ms", sums->first_byte_ms);
	jput_known(b, "total_ms", e->total_ms);
}

/* Making a second into text costs a tenth of all: a thread's requests share
 * it. */
static void
put_time(struct buf *b, int64_t wall_ms)
{
	static _Thread_local int64_t last = -1;
	static _Thread_local char last_text[CLOCK_TEXT_SIZE];
	int64_t second = wall_ms / 1000, ms = wall_ms % 1000;
	char text[4] = { '.', (char)('0' + ms / 100),
		(char)('0' + ms / 10 % 10), (char)('0' + ms % 10) };

	if (second != last) {
		clock_text(second * 1000, last_text);
		last = second;
	}
	buf_add(b, last_text, 19);
	buf_add(b, text, sizeof(text));
}

/* One that has a text. */
static int64_t
a_time(int64_t wall_ms)
{
	return wall_ms < 0 || wall_ms > YEAR_9999_MS ? 0 : wall_ms;
}

/* A line that begins as all do. */
static struct ledger_draft *
new_draft(int64_t wall_ms)
{
	struct ledger_draft *line = memory_zero(sizeof(*line));

	line->wall_ms = a_time(wall_ms);
	line->born_ms = clock_now_ms();
	buf_init(&line->text, LEDGER_LINE_MAX - 1);
	buf_puts(&line->text, "\n{\"v\":2,\"time\":\"");
	put_time(&line->text, line->wall_ms);
	buf_puts(&line->text, "Z\"");
	return line;
}

struct ledger_draft *
ledger_draft_new(const struct entry *e)
{
	struct ledger_draft *line = new_draft(e->wall_ms);
	struct buf *b = &line->text;
	struct entry_sums sums;

	entry_sum(e, &sums);
	line->external = sums.external;
	put_text(b, "id", e->id);
	put_route(b, e, &sums);
	put_end(b, e, &sums);
	put_sums(b, e, &sums);
	line->len = b->len;
	return line;
}

struct ledger_draft *
ledger_draft_again(struct span text, bool external)
{
	struct ledger_draft *line = memory_zero(sizeof(*line));
	struct span whole;
	struct buf *b;

	b = &line->text;
	buf_init(b, LEDGER_LINE_MAX - 1);
	buf_puts(b, "\n");
	buf_add(b, text.p, text.len);
	line->len = b->len;
	buf_puts(b, "}");
	whole = (struct span){ b->p + 1, b->len - 1 };
	if (buf_failed(b) || !ledger_form_is_request(whole)) {
		ledger_draft_free(line);
		return NULL;
	}
	line->external = external;
	line->wall_ms = ledger_line_time(whole);
	line->born_ms = clock_now_ms();
	return line;
}

struct ledger_draft *
ledger_draft_lost(const struct ledger_lost *lost)
{
	struct ledger_draft *line = new_draft(lost->since_ms);
	struct buf *b = &line->text;

	jput_bool(b, "gap", true);
	jput_name_open(b, "until", '"');
	put_time(b, a_time(lost->until_ms));
	buf_puts(b, "Z\"");
	put_u64(b, "lost", lost->lost);
	put_u64(b, "lost_external", lost->external);
	line->len = b->len;
	return line;
}

void
ledger_draft_free(struct ledger_draft *line)
{
	buf_free(&line->text);
	free(line);
}

bool
ledger_draft_finish(
    struct ledger_draft *line, const char *gateway, const struct ledger_tail *t)
{
	struct buf *b = &line->text;

	if (b->len > line->len)
		b->len = line->len;
	put_text(b, "gateway", gateway);
	put_u64(b, "n", t->n + 1);
	jput_text(b, "prev", t->hash);
	buf_puts(b, "}\n");
	return !buf_failed(b);
}

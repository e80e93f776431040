/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How a line is spelled: tailgate.ledger(5).
 */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "ledger/draft.h"

/* Of a name as a client or an upstream wrote it. */
#define TEXT_MAX_BYTES 256

static void
put_u64(struct buf *b, const char *name, uint64_t v)
{
	buf_puts(b, name);
	/* Readers know 64 bits with a sign. */
	buf_u64(b, v > INT64_MAX ? INT64_MAX : v);
}

/* -1 is "not known". */
static void
put_i64(struct buf *b, const char *name, int64_t v)
{
	if (v >= 0)
		put_u64(b, name, (uint64_t)v);
	else {
		buf_puts(b, name);
		buf_puts(b, "null");
	}
}

static void
put_text(struct buf *b, const char *name, const char *text)
{
	struct span value = span_of(text);

	if (value.len > TEXT_MAX_BYTES)
		value.len = TEXT_MAX_BYTES;
	buf_puts(b, name);
	if (text == NULL)
		buf_puts(b, "null");
	else
		buf_json(b, value);
}

/* Members that most lines don't need are left out where there is nothing to
 * say. */
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
put_if(struct buf *b, bool set, const char *member)
{
	if (set)
		buf_puts(b, member);
}

static void
put_tries(struct buf *b, const struct entry *e)
{
	if (e->ntries == 0)
		return;
	buf_puts(b, ",\"tries\":[");
	for (unsigned i = 0; i < e->ntries && i < ENTRY_TRIES_MAX; i++) {
		const struct entry_try *t = &e->tries[i];

		put_text(b,
		    i == 0 ? "{\"provider\":" : ",{\"provider\":", t->provider);
		put_text(b, ",\"outcome\":", t->outcome);
		put_i64(b, ",\"ms\":", t->ms);
		buf_puts(b, "}");
	}
	buf_puts(b, "]");
}

static void
put_route(struct buf *b, const struct entry *e)
{
	put_text(b, ",\"client\":", e->client);
	put_text(b, ",\"endpoint\":", e->endpoint);
	put_text(b, ",\"model\":", e->model);
	put_text(b, ",\"route\":", e->route);
	put_text(b, ",\"provider\":", e->provider);
	put_text_if(b, ",\"upstream_model\":", e->upstream_model);
	put_text(b,
	    ",\"place\":", e->provider == NULL ? NULL : place_name(e->place));
	put_if(b, e->sent, ",\"sent\":true");
	put_text_if(b, ",\"host\":", e->host);
	put_text_if(b, ",\"allowed_by\":", e->allowed_by);
	put_text_if(b, ",\"private\":", e->private_rule);
	put_tries(b, e);
	put_text_if(b, ",\"fallback\":", e->fallback);
	put_text_if(b, ",\"bridge\":", e->bridge);
}

static void
put_end(struct buf *b, const struct entry *e)
{
	put_if(b, e->stream, ",\"stream\":true");
	put_i64(b, ",\"status\":", e->status);
	if (e->refusal != REFUSE_NONE)
		put_text(b, ",\"refusal\":", refusal_spec(e->refusal)->code);
	put_if(b, e->client_gone, ",\"client_gone\":true");
	put_if(b, e->cut, ",\"cut\":true");
	put_u64(b, ",\"bytes_in\":", e->bytes_in);
	put_u64(b, ",\"bytes_out\":", e->bytes_out);
	put_u64_if(b, ",\"bytes_sent\":", e->bytes_sent);
}

/* Tokens without a report are our estimate, nothing at all is "none". */
static const char *
usage_word(const struct usage *u)
{
	if (u->reported)
		return "reported";
	return u->input + u->output + u->characters + u->audio_ms > 0
	    ? "estimated"
	    : "none";
}

static void
put_usage(struct buf *b, const struct entry *e)
{
	const struct usage *u = &e->usage;

	put_text(b, ",\"usage\":", usage_word(u));
	put_u64(b, ",\"input\":", u->input);
	put_u64_if(b, ",\"cached\":", u->cached);
	put_u64_if(b, ",\"cache_write\":", u->cache_write);
	put_u64(b, ",\"output\":", u->output);
	put_u64_if(b, ",\"reasoning\":", u->reasoning);
	put_u64_if(b, ",\"characters\":", u->characters);
	put_u64_if(b, ",\"audio_ms\":", u->audio_ms);
	put_i64(b, ",\"cost_nanousd\":", e->cost_nanousd);
	put_i64(b, ",\"queue_ms\":", e->queue_ms);
	put_i64(b, ",\"first_byte_ms\":", e->first_byte_ms);
	put_i64(b, ",\"total_ms\":", e->total_ms);
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

struct ledger_draft *
ledger_draft_new(const struct entry *e)
{
	struct ledger_draft *line = malloc(sizeof(*line));
	struct buf *b;

	if (line == NULL)
		fatal("out of memory");
	b = &line->text;
	buf_init(b, LEDGER_LINE_MAX - 1);
	buf_puts(b, "\n{\"v\":1,\"time\":\"");
	put_time(b, e->wall_ms > 0 ? e->wall_ms : 0);
	put_text(b, "Z\",\"id\":", e->id);
	put_route(b, e);
	put_end(b, e);
	put_usage(b, e);
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
    struct ledger_draft *line, const struct ledger_tail *t, uint64_t lost)
{
	struct buf *b = &line->text;

	put_u64_if(b, ",\"lost\":", lost);
	put_u64(b, ",\"n\":", t->n + 1);
	buf_puts(b, ",\"prev\":\"");
	buf_puts(b, t->hash);
	buf_puts(b, "\"}\n");
	return !buf_failed(b);
}

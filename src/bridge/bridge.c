/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides which dialect a bridge speaks: one run per attempt, made from the
 * request and fed with the response.  The dialects are two tables of functions.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jspan.h"
#include "base/memory.h"
#include "bridge/run.h"
#include "bridge/words.h"

#define BRIDGE_MAX_BYTES ((size_t)64 * 1024 * 1024)
#define BRIDGE_DROPPED_MAX 512
/* How much longer a body may get: by escapes, never by more than twice, and
 * by what is written around small things. */
#define BRIDGE_GROWTH 2
#define BRIDGE_GROWTH_BYTES ((size_t)1 << 20)
/* Of an error: what words.c gives at most, and a sentence around it. */
#define BRIDGE_WORDS_MAX (2 * WORDS_MAX)

static char *
copy_of(const char *text)
{
	return memory_text(span_of(text == NULL ? "" : text));
}

struct bridge_run *
bridge_new(enum bridge kind, const struct bridge_ask *ask)
{
	struct bridge_run *run = memory_zero(sizeof(*run));
	size_t max = ask->max_bytes == 0 ? BRIDGE_MAX_BYTES : ask->max_bytes;

	run->kind = kind;
	run->memory.share = ask->memory;
	run->ops =
	    kind == BRIDGE_MESSAGES ? &bridge_messages : &bridge_responses;
	run->request_id = copy_of(ask->request_id);
	run->model = copy_of(ask->model);
	run->upstream_model = copy_of(ask->upstream_model);
	run->stream = ask->stream;
	run->ask_usage = ask->ask_usage;
	run->input_tokens = ask->input_tokens;
	run->wall_ms = ask->wall_ms;
	run->names = names_new();
	run->dialect = ask->dialect;
	buf_init(&run->dropped, BRIDGE_DROPPED_MAX);
	buf_init_charged(&run->echo, max, &run->memory);
	buf_init_charged(&run->text, max, &run->memory);
	buf_init_charged(&run->items, max, &run->memory);
	buf_init_charged(&run->piece, max, &run->memory);
	buf_init_charged(&run->stops, max, &run->memory);
	buf_init_charged(&run->stop_sequence, max, &run->memory);
	buf_init(&run->words, BRIDGE_WORDS_MAX);
	for (size_t i = 0; i < sizeof(run->late) / sizeof(*run->late); i++)
		buf_init_charged(&run->late[i], max, &run->memory);
	chunk_init(&run->chunk, &run->memory);
	return run;
}

void
bridge_free(struct bridge_run *run)
{
	if (run == NULL)
		return;
	bridge_free_calls(run);
	chunk_free(&run->chunk);
	extras_free(&run->extras);
	for (size_t i = 0; i < sizeof(run->late) / sizeof(*run->late); i++)
		buf_free(&run->late[i]);
	free(run->request_id);
	free(run->model);
	free(run->upstream_model);
	names_free(run->names);
	ids_free(&run->ids);
	buf_free(&run->dropped);
	buf_free(&run->echo);
	buf_free(&run->text);
	buf_free(&run->items);
	buf_free(&run->piece);
	buf_free(&run->stops);
	buf_free(&run->stop_sequence);
	buf_free(&run->words);
	free(run);
}

enum memory_lack
bridge_lack(const struct bridge_run *run)
{
	return run->memory.lack;
}

/* --- The request --- */

int
bridge_refuse(struct bridge_run *run, enum refusal refusal, const char *param,
    const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(run->message, sizeof(run->message), fmt, args);
	va_end(args);
	snprintf(
	    run->param, sizeof(run->param), "%s", param == NULL ? "" : param);
	*run->refused = (struct refused){ .refusal = refusal,
		.message = run->message,
		.param = param == NULL ? NULL : run->param };
	return -1;
}

/* Only characters that a header's value may contain: the name is the
 * client's. */
void
bridge_drop(struct bridge_run *run, struct span name)
{
	char clean[64];
	size_t n = 0;

	for (; n < sizeof(clean) - 1 && n < name.len; n++) {
		char c = name.p[n];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';

		clean[n] = plain ? c : '_';
	}
	if (n == 0) /* strstr finds nothing everywhere */
		clean[n++] = '_';
	clean[n] = '\0';
	for (const char *p = run->dropped.p;
	     p != NULL && (p = strstr(p, clean)) != NULL; p++)
		if ((p == run->dropped.p || p[-1] == ' ') &&
		    (p[n] == ',' || p[n] == '\0'))
			return;
	if (run->dropped.len + n + 2 > run->dropped.max_bytes)
		return;
	if (run->dropped.len > 0)
		buf_puts(&run->dropped, ", ");
	buf_puts(&run->dropped, clean);
}

const char *
bridge_dropped(const struct bridge_run *run)
{
	return run->dropped.p;
}

static int
pass(void *ctx, const struct jscan_value *value)
{
	(void)ctx;
	(void)value;
	return 0;
}

static void
write_stream(const struct bridge_run *run, struct buf *out)
{
	if (run->stream)
		buf_puts(out, ",\"stream\":true");
	if (run->stream && run->ask_usage)
		buf_puts(out, ",\"stream_options\":{\"include_usage\":true}");
}

int
bridge_request(struct bridge_run *run, struct span body, struct buf *out,
    struct refused *refused)
{
	struct jscan_error wrong;
	size_t max = BRIDGE_GROWTH * body.len + BRIDGE_GROWTH_BYTES;

	run->refused = refused;
	if (jscan(body, JSCAN_DEPTH_MAX, pass, NULL, &wrong) == -1)
		return bridge_refuse(run, REFUSE_INVALID_JSON, NULL,
		    "The body cannot be translated for this model: it is not "
		    "JSON (byte %zu).",
		    wrong.offset);
	body = jspan_document(body);
	if (!jspan_is_object(body))
		return bridge_refuse(run, REFUSE_INVALID_JSON, NULL,
		    "The body cannot be translated for this model: it is not "
		    "an object.");
	if (out->max_bytes > max)
		out->max_bytes = max;
	buf_puts(out, "{\"model\":");
	buf_json(out, span_of(run->upstream_model));
	if (run->ops->request(run, body, out) == -1)
		return -1;
	write_stream(run, out);
	buf_puts(out, "}");
	if (buf_failed(out))
		return bridge_refuse(run, REFUSE_TOO_LARGE, NULL,
		    "The request is too large to be translated.");
	return 0;
}

/* --- The response --- */

void
bridge_break(struct bridge_run *run, const char *why,
    const struct bridge_error *e, struct buf *out)
{
	if (run->ended)
		return;
	run->ended = true;
	run->last = BRIDGE_FAILED;
	run->why = why;
	if (!run->stream)
		return;
	if (!run->begun) {
		run->begun = true;
		run->ops->begin(run, out);
	}
	run->ops->fail(run, e, out);
}

/* `[DONE]`, perhaps with blanks around it. */
static bool
is_done(struct span data)
{
	while (data.len > 0 && (data.p[0] == ' ' || data.p[0] == '\t'))
		data = (struct span){ data.p + 1, data.len - 1 };
	while (data.len > 0 && strchr(" \t\r", data.p[data.len - 1]) != NULL)
		data.len--;
	return span_is(data, "[DONE]");
}

enum bridge_result
bridge_event(struct bridge_run *run, struct span data, struct buf *out)
{
	if (run->ended)
		return run->last;
	if (is_done(data)) {
		if (run->answered && run->finish == FINISH_NONE)
			run->finish = FINISH_STOP;
		return bridge_end(run, out);
	}
	bridge_take(run, data, out);
	return run->last;
}

enum bridge_result
bridge_end(struct bridge_run *run, struct buf *out)
{
	if (run->ended)
		return run->last;
	if (run->finish == FINISH_NONE)
		bridge_break_upstream(run,
		    run->answered
			? "The upstream's response ended in the middle."
			: "The upstream ended without a response.",
		    out);
	else
		bridge_finish(run, out);
	return run->last;
}

/* Anything but a completion may be an error without `error`. */
static void
break_no_response(struct bridge_run *run, struct span response, struct buf *out)
{
	struct bridge_error e = bridge_error_of(run, 0, response);
	struct buf words;

	buf_init(&words, BRIDGE_WORDS_MAX);
	words_of(response, &words);
	if (words.len == 0) {
		bridge_break_upstream(run,
		    "What the upstream sent is not a chat completion.", out);
	} else {
		buf_reset(&run->words);
		buf_printf(&run->words,
		    "Instead of a chat completion the upstream sent: %s",
		    words.p);
		e.message = run->words.p;
		bridge_break(run, e.message, &e, out);
	}
	buf_free(&words);
}

/* For reading a whole response: its events are discarded. */
enum bridge_result
bridge_response(struct bridge_run *run, struct span response, struct buf *out)
{
	struct buf nowhere;

	buf_init(&nowhere, 0);
	bridge_take(run, response, run->stream ? out : &nowhere);
	if (!run->ended && !run->answered)
		break_no_response(run, response, out);
	if (!run->ended && run->finish == FINISH_NONE)
		run->finish = FINISH_STOP;
	if (!run->ended)
		bridge_finish(run, run->stream ? out : &nowhere);
	if (run->last == BRIDGE_DONE && !run->stream)
		run->ops->object(run, out);
	buf_free(&nowhere);
	return run->last;
}

void
bridge_fail(struct bridge_run *run, const struct refused *r, struct buf *out)
{
	const struct refusal_spec *spec = refusal_spec(r->refusal);
	struct bridge_error e = { spec->code, spec->anthropic,
		r->message != NULL ? r->message : spec->text, spec->type };

	bridge_break(run, spec->code, &e, out);
}

bool
bridge_is_finished(const struct bridge_run *run)
{
	return run->finish != FINISH_NONE;
}

unsigned
bridge_alive(struct bridge_run *run, struct buf *out)
{
	if (!run->ended)
		run->ops->alive(run, out);
	return run->sequence;
}

void
bridge_resume(struct bridge_run *run, unsigned sequence)
{
	run->begun = true;
	run->sequence = sequence;
}

const char *
bridge_why(const struct bridge_run *run)
{
	return run->why;
}

void
bridge_set_usage(struct bridge_run *run, const struct bridge_usage *usage)
{
	run->usage = *usage;
}

void
bridge_count_tokens(uint64_t input_tokens, struct buf *out)
{
	buf_printf(
	    out, "{\"input_tokens\":%llu}", (unsigned long long)input_tokens);
}

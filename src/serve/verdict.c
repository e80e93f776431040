/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a response with a good status is recognised as an error, as
 * meaningless or as cut (verdict_judge.c: what a failure means).
 */
#include "config.h"

#include <string.h>

#include "base/find.h"
#include "base/jscan.h"
#include "serve/ending.h"
#include "serve/verdict.h"

/* ---- errors inside a good status -------------------------------------- */

struct members {
	bool error; /* `error` is there and not null */
	bool response; /* so is something that only responses have */
	bool empty_choices;
	bool usage;
	bool type_error; /* "type": "error" */
	bool words; /* `detail`, `message` and the like: what errors have */
	size_t output; /* bytes of the member that the model wrote, or 0 */
	bool choices; /* `choices` is there, empty or not */
	bool is_object;
	struct span type; /* the string's inside */
	enum endpoint_usage kind;
	struct usage *used; /* where that is collected, or NULL */
};

static void
note_type(struct members *m, const struct jscan_value *v)
{
	m->type_error = span_is(v->raw, "\"error\"");
	if (v->type == JSCAN_STRING && v->raw.len >= 2)
		m->type = (struct span){ v->raw.p + 1, v->raw.len - 2 };
}

/* The members of the document, or of its first element if it is an array
 * (Gemini's errors). */
static int
on_member(void *ctx, const struct jscan_value *v)
{
	struct members *m = ctx;
	const struct jscan_step *step = v->path;
	unsigned depth = v->depth;

	if (m->used != NULL)
		usage_value(m->kind, v, m->used);
	if (depth == 0 && v->begin)
		m->is_object = v->type == JSCAN_OBJECT;
	if (depth > 1 && step->key.p == NULL && step->index == 0) {
		step++;
		depth--;
	}
	/* MiniMax's error is beside what a response has, all of it empty. */
	if (depth == 2 && v->type == JSCAN_NUMBER && !span_is(v->raw, "0") &&
	    jscan_key_is(&step[0], "base_resp") &&
	    jscan_key_is(&step[1], "status_code"))
		m->error = true;
	if (depth != 1 || v->begin || step->key.p == NULL)
		return 0;
	if (jscan_key_is(step, "error"))
		m->error = v->type != JSCAN_NULL && v->type != JSCAN_FALSE;
	else if (jscan_key_is(step, "type"))
		note_type(m, v);
	else if (jscan_key_is(step, "choices")) {
		m->choices = v->type != JSCAN_NULL;
		m->empty_choices = v->type == JSCAN_NULL || v->raw.len <= 3;
		m->response |= !m->empty_choices;
		m->output = m->empty_choices ? 0 : v->raw.len;
	} else if (jscan_key_is(step, "usage"))
		m->usage = v->type == JSCAN_OBJECT;
	else if (jscan_key_is(step, "data") || jscan_key_is(step, "output") ||
	    jscan_key_is(step, "text") || jscan_key_is(step, "results") ||
	    jscan_key_is(step, "content") ||
	    jscan_key_is(step, "input_tokens")) {
		m->response |= v->type != JSCAN_NULL;
		if (jscan_key_is(step, "output") ||
		    jscan_key_is(step, "content"))
			m->output = v->raw.len;
	} else if (jscan_key_is(step, "detail") ||
	    jscan_key_is(step, "message") || jscan_key_is(step, "msg") ||
	    jscan_key_is(step, "errors") || jscan_key_is(step, "error_msg") ||
	    jscan_key_is(step, "error_message") || jscan_key_is(step, "fault"))
		m->words |= v->type != JSCAN_NULL;
	return 0;
}

static struct members
members_of(struct span json)
{
	struct members m = { .used = NULL };
	struct jscan_error error;

	/* Text that stops being JSON counts up to that byte. */
	m.is_object =
	    jscan(json, JSCAN_DEPTH_MAX, on_member, &m, &error) == 0 &&
	    m.is_object;
	return m;
}

static bool
is_error(const struct members *m)
{
	return (m->error && !m->response) || m->type_error;
}

/* {"detail": "…"} and nothing of a response. */
static bool
complains(const struct members *m)
{
	return m->words && !m->response && !m->choices && !m->usage;
}

bool
verdict_is_error(struct span name, struct span data)
{
	struct members m;

	if (span_is(name, "error"))
		return true;
	if (!find_says(data, "error"))
		return false;
	m = members_of(data);
	return is_error(&m);
}

static bool
is_ping(struct span name)
{
	return span_is(name, "ping") || span_is(name, "keepalive") ||
	    span_is(name, "keep-alive") || span_is(name, "heartbeat");
}

bool
verdict_is_idle(enum endpoint speaks, struct span name, struct span data)
{
	struct members m;

	if (is_ping(name))
		return true;
	if (data.len == 0 || span_is(name, "error"))
		return false;
	m = members_of(data);
	if (is_ping(m.type))
		return true;
	if (speaks != ENDPOINT_CHAT && speaks != ENDPOINT_COMPLETIONS)
		return false;
	return m.is_object && !m.choices && !m.error && !m.type_error &&
	    !m.usage;
}

bool
verdict_complains(struct span data)
{
	struct members m = members_of(data);

	return complains(&m) && !is_ping(m.type);
}

struct span
verdict_event_name(struct span name, struct span data)
{
	return name.len > 0 || !find_says(data, "\"type\"")
	    ? name
	    : members_of(data).type;
}

/* Most chunks say "finish_reason":null. */
static bool
says_reason(struct span json)
{
	static const char key[] = "\"finish_reason\"";
	const char *end = json.p + json.len, *p = json.p;

	while ((p = find_word((struct span){ p, (size_t)(end - p) },
		    (struct span){ key, sizeof(key) - 1 })) != NULL) {
		p += sizeof(key) - 1;
		while (p < end && memchr(" \t\r\n:", *p, 5) != NULL)
			p++;
		if (p < end && *p != 'n')
			return true;
	}
	return false;
}

bool
verdict_ends_badly(enum endpoint endpoint, struct span data)
{
	return (endpoint == ENDPOINT_CHAT ||
		   endpoint == ENDPOINT_COMPLETIONS) &&
	    data.len > 0 &&
	    (says_reason(data) || find_says(data, "\"error\"")) &&
	    ending_failed(endpoint, data);
}

bool
verdict_is_only_usage(struct span data)
{
	struct members m = members_of(data);

	return m.usage && m.empty_choices;
}

void
verdict_look(struct relay *r)
{
	struct members m = { .kind = r->counts, .used = &r->usage };
	struct span held = buf_span(&r->held);
	struct jscan_error error;

	if (jscan(held, JSCAN_DEPTH_MAX, on_member, &m, &error) == -1) {
		/* The scanner expected more: the value is incomplete. */
		r->ends_early = error.offset >= held.len;
		usage_read(m.kind, held, &r->usage);
	}
	r->output_bytes = m.output;
	r->error_whole = is_error(&m) || complains(&m);
	r->finish_failed |= ending_failed(r->speaks, held);
}

bool
verdict_is_dressed(const struct relay *r)
{
	return r->error_first || r->error_whole;
}

bool
verdict_is_short(const struct relay *r, uint64_t bytes_in)
{
	if (r->state != RELAY_PEEK)
		return false;
	if (r->is_sse && r->events == 0)
		return true;
	return r->bridge == NULL && (bytes_in == 0 || r->ends_early);
}

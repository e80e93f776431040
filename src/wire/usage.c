/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Finds `usage` in a response while the relay passes it on: hides how little of
 * a response is kept.  A state machine walks over the bytes, knows only keys
 * and nesting, and gathers the one member that matters; usage_fields.c reads
 * that member as JSON.
 */
#include "config.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/find.h"
#include "base/jscan.h"
#include "base/sum.h"
#include "base/task.h"
#include "wire/usage_internal.h"

enum {
	S_VALUE, /* outside of strings, or in a number or literal */
	S_STRING,
	S_ESCAPE,
	S_KEY, /* a string where a member's name is due */
	S_KEY_ESCAPE,
	S_COLON, /* after such a string */
};

void
usage_init(struct usage *u)
{
	memset(u, 0, sizeof(*u));
	u->cost_nanousd = -1;
}

/* The member with the usage. */
static const char *
name_of(enum endpoint_usage kind)
{
	return kind == ENDPOINT_USAGE_LLAMA ? "timings" : "usage";
}

/* Does the object at this key of the document contain a usage of its own? */
static bool
is_parent(enum endpoint_usage kind, struct span key)
{
	switch (kind) {
	case ENDPOINT_USAGE_RESPONSES:
		return span_is(key, "response");
	case ENDPOINT_USAGE_ANTHROPIC:
		return span_is(key, "message");
	default:
		return span_is(key, "x_groq");
	}
}

/* Members at this depth have names that matter. */
static bool
looks_at_keys(const struct usage_scan *s)
{
	return s->depth == 1 || (s->depth == 2 && s->inside);
}

void
usage_scan_init(struct usage_scan *s, enum endpoint_usage kind)
{
	/* Not all of it: text is large and unused while len is 0. */
	memset(s, 0, offsetof(struct usage_scan, text));
	s->len = 0;
	s->kind = kind;
	s->state = S_VALUE;
	usage_init(&s->usage);
}

static void
keep(struct usage_scan *s, const char *p, size_t n)
{
	if (s->capture_depth == 0)
		return;
	/* Over the cap it is no usage object; len tells. */
	if (n > sizeof(s->text) - s->len)
		s->len = sizeof(s->text);
	else {
		memcpy(s->text + s->len, p, n);
		s->len += n;
	}
}

static void
open_level(struct usage_scan *s, char c)
{
	if (s->wanted && c == '{' && s->capture_depth == 0) {
		s->capture_depth = s->depth + 1;
		s->len = 0;
	} else if (s->depth == 1 && c == '{')
		s->inside =
		    is_parent(s->kind, (struct span){ s->key, s->key_len });
	s->wanted = false;
	s->key_len = 0;
	if (s->depth < UINT_MAX)
		s->depth++;
}

/* Anthropic's stream begins with what went in, and an output count of one or
 * so: its usage counts as reported only when a later event has the final
 * count. */
static bool
fold_at(
    enum endpoint_usage kind, bool nested, struct span text, struct usage *out)
{
	if (!usage_fold(kind, text, out))
		return false;
	if (kind != ENDPOINT_USAGE_ANTHROPIC || !nested)
		out->reported = true;
	return true;
}

bool
usage_value(
    enum endpoint_usage kind, const struct jscan_value *v, struct usage *out)
{
	if (kind == ENDPOINT_USAGE_NONE || v->type != JSCAN_OBJECT ||
	    v->begin || v->depth < 1 || v->depth > 2 ||
	    !span_is(v->path[v->depth - 1].key, name_of(kind)))
		return false;
	if (v->depth == 2 && !is_parent(kind, v->path[0].key))
		return false;
	return fold_at(kind, v->depth == 2, v->raw, out);
}

/* After the bracket that ended the captured object. */
static void
close_level(struct usage_scan *s)
{
	if (s->capture_depth != 0 && s->depth == s->capture_depth) {
		if (s->len < sizeof(s->text) &&
		    fold_at(s->kind, s->capture_depth != 2,
			(struct span){ s->text, s->len }, &s->usage))
			s->found = true;
		s->capture_depth = 0;
	}
	s->wanted = false;
	if (s->depth > 0)
		s->depth--;
	if (s->depth <= 1)
		s->inside = false;
}

/* A string begins.  Whether it is a member's name is known only when a colon
 * follows; a value that is followed by none is forgotten at the comma. */
static void
begin_string(struct usage_scan *s)
{
	bool name = s->capture_depth == 0 && looks_at_keys(s) && !s->wanted;

	s->state = name ? S_KEY : S_STRING;
	s->key_len = 0;
}

static void
structural(struct usage_scan *s, const char *p)
{
	switch (*p) {
	case '{':
	case '[':
		open_level(s, *p);
		keep(s, p, 1);
		return;
	case '}':
	case ']':
		keep(s, p, 1);
		close_level(s);
		return;
	case '"':
		begin_string(s);
		break;
	case ':':
		break;
	case ',':
		s->wanted = false;
		s->key_len = 0;
		break;
	}
	keep(s, p, 1);
}

/* Consumes up to the next byte that means something; returns how many. */
static size_t
scan_value(struct usage_scan *s, const char *p, size_t len)
{
	size_t i = 0;

	while (i < len && p[i] != '"' && p[i] != '{' && p[i] != '}' &&
	    p[i] != '[' && p[i] != ']' && p[i] != ',')
		i++;
	keep(s, p, i);
	if (i == len)
		return i;
	structural(s, p + i);
	return i + 1;
}

static size_t
scan_string(struct usage_scan *s, const char *p, size_t len)
{
	const char *quote = memchr(p, '"', len);
	size_t n = quote == NULL ? len : (size_t)(quote - p);
	const char *escape = memchr(p, '\\', n);

	if (escape != NULL) {
		n = (size_t)(escape - p) + 1;
		s->state = S_ESCAPE;
	} else if (quote != NULL) {
		n++;
		s->state = S_VALUE;
	}
	keep(s, p, n);
	return n;
}

static size_t
scan_key(struct usage_scan *s, const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (p[i] == '"') {
			s->state = S_COLON;
			return i + 1;
		}
		/* None of our names needs a backslash. */
		if (p[i] == '\\') {
			s->state = S_KEY_ESCAPE;
			s->key_len = sizeof(s->key) + 1;
			return i + 1;
		}
		if (s->key_len < sizeof(s->key))
			s->key[s->key_len++] = p[i];
		else
			s->key_len = sizeof(s->key) + 1;
	}
	return i;
}

static size_t
scan_colon(struct usage_scan *s, const char *p)
{
	switch (*p) {
	case ' ':
	case '\t':
	case '\n':
	case '\r':
		return 1;
	case ':':
		if (s->key_len > sizeof(s->key))
			s->key_len = 0;
		s->wanted = span_is(
		    (struct span){ s->key, s->key_len }, name_of(s->kind));
		s->state = S_VALUE;
		return 1;
	default:
		s->key_len = 0;
		s->state = S_VALUE;
		return 0;
	}
}

void
usage_scan_push(struct usage_scan *s, struct span bytes)
{
	const char *p = bytes.p;
	size_t left = bytes.len, n = 0;

	if (s->kind == ENDPOINT_USAGE_NONE)
		return;
	for (; left > 0; p += n, left -= n) {
		switch (s->state) {
		case S_VALUE:
			n = scan_value(s, p, left);
			break;
		case S_STRING:
			n = scan_string(s, p, left);
			break;
		case S_KEY:
			n = scan_key(s, p, left);
			break;
		case S_COLON:
			n = scan_colon(s, p);
			break;
		default: /* the byte after a backslash */
			n = 1;
			keep(s, p, 1);
			s->state = s->state == S_ESCAPE ? S_STRING : S_KEY;
			break;
		}
	}
}

/* Folds what the scan found into what earlier events said. */
static void
merge(const struct usage_scan *s, struct usage *out)
{
	struct usage u = s->usage;

	u.characters = out->characters;
	u.images = out->images;
	if (u.cost_nanousd < 0)
		u.cost_nanousd = out->cost_nanousd;
	if (u.audio_ms == 0)
		u.audio_ms = out->audio_ms;
	*out = u;
}

bool
usage_scan_finish(struct usage_scan *s, struct usage *out)
{
	if (s->found)
		merge(s, out);
	return s->found;
}

struct finding {
	enum endpoint_usage kind;
	struct span json;
	struct usage *out;
	bool found;
};

/* It takes 8 KiB of stack. */
static void
read_found(void *ctx)
{
	struct finding *f = ctx;
	struct usage_scan s;

	usage_scan_init(&s, f->kind);
	s.usage = *f->out;
	usage_scan_push(&s, f->json);
	f->found = usage_scan_finish(&s, f->out);
}

bool
usage_read(enum endpoint_usage kind, struct span json, struct usage *out)
{
	struct finding f = { kind, json, out, false };

	if (kind == ENDPOINT_USAGE_NONE || !find_says(json, name_of(kind)))
		return false;
	task_aside(read_found, &f);
	return f.found;
}

/* An event's framing: id, object, created, model, choices, delta. */
#define EVENT_FRAME_BYTES 320
#define RESPONSE_FRAME_BYTES 400
#define BYTES_PER_TOKEN 4

void
usage_guess(
    struct usage *out, uint64_t input_tokens, uint64_t events, uint64_t bytes)
{
	uint64_t frame, by_text;

	if (out->reported)
		return;
	frame = events == 0 ? RESPONSE_FRAME_BYTES : events * EVENT_FRAME_BYTES;
	by_text = sum_minus_u64(bytes, frame) / BYTES_PER_TOKEN;
	/* A stream that was cut may have reported its input. */
	if (out->input == 0)
		out->input = input_tokens;
	if (events > by_text)
		by_text = events;
	if (by_text > out->output)
		out->output = by_text;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Reads what an answer says it used, while the relay passes it on.  Hides the
 * providers' dialects of `usage` and how little of an answer is kept: a state
 * machine walks over the bytes, knows only keys and nesting, and gathers the
 * one member that matters.  Only that member is then read as JSON.
 */
#include "config.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/jscan.h"
#include "wire/usage.h"

/* More tokens than any answer has; keeps sums of them far from overflow. */
#define USAGE_TOKENS_MAX INT64_C(1000000000000)
/* A day of audio; a million dollars. */
#define USAGE_AUDIO_MS_MAX INT64_C(86400000)
#define USAGE_COST_MAX INT64_C(1000000000000000)

enum {
	S_VALUE, /* outside of strings, or in a number or literal */
	S_STRING,
	S_ESCAPE,
	S_KEY, /* a string where a member's name is due */
	S_KEY_ESCAPE,
	S_COLON, /* behind such a string */
};

/* What the numbers of one usage object are, -1 where they are not there. */
struct found {
	int64_t prompt, completion, total;
	int64_t input, output;
	int64_t cached, cache_hit, cache_read, cache_creation, cache_write;
	int64_t write_5m, write_1h;
	int64_t reasoning;
	int64_t audio_ms;
	int64_t cost;
};

/* Where a number goes, and what it is multiplied by (a power of ten). */
struct field {
	struct span parent; /* p NULL: of the usage object itself */
	struct span name;
	size_t offset;
	unsigned scale;
	int64_t max;
};

#define NAME(text)                     \
	{                              \
		text, sizeof(text) - 1 \
	}
#define TOP             \
	{               \
		NULL, 0 \
	}
#define TOKENS(parent, name, member)                                   \
	{                                                              \
		parent, NAME(name), offsetof(struct found, member), 0, \
		    USAGE_TOKENS_MAX                                   \
	}

static const struct field fields[] = {
	TOKENS(TOP, "prompt_tokens", prompt),
	TOKENS(TOP, "completion_tokens", completion),
	TOKENS(TOP, "total_tokens", total),
	TOKENS(TOP, "input_tokens", input),
	TOKENS(TOP, "output_tokens", output),
	TOKENS(NAME("prompt_tokens_details"), "cached_tokens", cached),
	TOKENS(NAME("input_tokens_details"), "cached_tokens", cached),
	TOKENS(
	    NAME("prompt_tokens_details"), "cache_write_tokens", cache_write),
	TOKENS(NAME("input_tokens_details"), "cache_write_tokens", cache_write),
	TOKENS(TOP, "prompt_cache_hit_tokens", cache_hit),
	TOKENS(TOP, "cached_tokens", cache_hit),
	TOKENS(TOP, "cache_read_input_tokens", cache_read),
	TOKENS(TOP, "cache_creation_input_tokens", cache_creation),
	TOKENS(NAME("cache_creation"), "ephemeral_5m_input_tokens", write_5m),
	TOKENS(NAME("cache_creation"), "ephemeral_1h_input_tokens", write_1h),
	TOKENS(
	    NAME("completion_tokens_details"), "reasoning_tokens", reasoning),
	TOKENS(NAME("output_tokens_details"), "reasoning_tokens", reasoning),
	{ TOP, NAME("seconds"), offsetof(struct found, audio_ms), 3,
	    USAGE_AUDIO_MS_MAX },
	{ TOP, NAME("prompt_audio_seconds"), offsetof(struct found, audio_ms),
	    3, USAGE_AUDIO_MS_MAX },
	{ TOP, NAME("cost"), offsetof(struct found, cost), 9, USAGE_COST_MAX },
	{ NAME("cost"), NAME("total_cost"), offsetof(struct found, cost), 9,
	    USAGE_COST_MAX },
};

void
usage_init(struct usage *u)
{
	memset(u, 0, sizeof(*u));
	u->cost_nanousd = -1;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The exponent of a JSON number's text at i; far out of range where it is
 * absurd. */
static long
exponent(struct span s, size_t i)
{
	bool minus = false;
	long e = 0;

	if (i < s.len && (s.p[i] == '+' || s.p[i] == '-'))
		minus = s.p[i++] == '-';
	for (; i < s.len && is_digit(s.p[i]) && e < 1000; i++)
		e = e * 10 + (s.p[i] - '0');
	return minus ? -e : e;
}

/* A JSON number times 10^scale, rounded half up, in [0, max]; -1 for any
 * other.  By its decimal text: 0.1 has no exact double, and a price is
 * money. */
static int64_t
decimal(struct span s, unsigned scale, int64_t max)
{
	char digits[40];
	size_t n = 0, i = 0;
	long point = 0; /* how many of the digits stand before it */
	bool fraction = false;

	for (; i < s.len && (is_digit(s.p[i]) || s.p[i] == '.'); i++) {
		if (s.p[i] == '.') {
			fraction = true;
			continue;
		}
		if (n == 0 && s.p[i] == '0') {
			point -= fraction;
			continue;
		}
		point += !fraction;
		if (n < sizeof(digits))
			digits[n++] = s.p[i];
	}
	if (i == 0)
		return -1;
	if (i < s.len && (s.p[i] == 'e' || s.p[i] == 'E'))
		point += exponent(s, i + 1);
	point += scale;

	int64_t v = 0;
	for (long k = 0; k < point && n > 0; k++) {
		v = v * 10 + (k < (long)n ? digits[k] - '0' : 0);
		if (v > max)
			return -1;
	}
	if (point >= 0 && point < (long)n && digits[point] >= '5')
		v++;
	return v > max ? -1 : v;
}

static int
read_field(void *ctx, const struct jscan_value *value)
{
	const struct jscan_step *last;

	if (value->type != JSCAN_NUMBER || value->depth < 1 || value->depth > 2)
		return 0;
	last = &value->path[value->depth - 1];
	if (last->key.p == NULL ||
	    (value->depth == 2 && value->path[0].key.p == NULL))
		return 0;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const struct field *f = &fields[i];
		int64_t v;

		if ((f->parent.p != NULL) != (value->depth == 2) ||
		    !span_eq(last->key, f->name))
			continue;
		if (f->parent.p != NULL &&
		    !span_eq(value->path[0].key, f->parent))
			continue;
		v = decimal(value->raw, f->scale, f->max);
		if (v >= 0)
			memcpy((char *)ctx + f->offset, &v, sizeof(v));
	}
	return 0;
}

static uint64_t
less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* Some count what was cached beside the prompt, some reasoning beside the
 * completion (xAI; Gemini, without saying how much): the total decides. */
static void
fold_total(const struct found *f, struct usage *out)
{
	uint64_t sum = out->input + out->output, rest;

	if (f->total < 0 || (f->prompt < 0 && f->input < 0))
		return;
	rest = less((uint64_t)f->total, sum);
	if (out->cached > out->input) {
		uint64_t beside = rest < out->cached ? rest : out->cached;

		out->input += beside;
		rest -= beside;
	}
	if (f->completion >= 0 || f->output >= 0)
		out->output += rest;
}

/* OpenAI's way: input includes what was cached. */
static void
fold_openai(const struct found *f, struct usage *out)
{
	if (f->prompt >= 0)
		out->input = f->prompt;
	else if (f->input >= 0)
		out->input = f->input;
	if (f->completion >= 0)
		out->output = f->completion;
	else if (f->output >= 0)
		out->output = f->output;
	/* A reranker's or an embedder's only number may be the sum. */
	if (f->total >= 0 && f->prompt < 0 && f->input < 0)
		out->input = less(f->total, out->output);
	if (f->cached >= 0)
		out->cached = f->cached;
	else if (f->cache_hit >= 0)
		out->cached = f->cache_hit;
	if (f->cache_write >= 0)
		out->cache_write = f->cache_write;
	fold_total(f, out);
}

/* Anthropic's way: three kinds of input beside each other, and a later event
 * of the stream may bring only one of them. */
static void
fold_anthropic(const struct found *f, struct usage *out)
{
	uint64_t fresh = less(out->input, out->cached + out->cache_write);

	if (f->input >= 0)
		fresh = f->input;
	if (f->cache_read >= 0)
		out->cached = f->cache_read;
	if (f->write_1h >= 0)
		out->cache_write_1h = f->write_1h;
	if (f->cache_creation >= 0)
		out->cache_write = f->cache_creation;
	else if (f->write_5m >= 0 || f->write_1h >= 0)
		out->cache_write = (f->write_5m > 0 ? f->write_5m : 0) +
		    (f->write_1h > 0 ? f->write_1h : 0);
	out->input = fresh + out->cached + out->cache_write;
	if (f->output >= 0)
		out->output = f->output;
}

/* A part cannot be more than its whole, whatever upstream says. */
static void
bound_parts(struct usage *out)
{
	if (out->cached > out->input)
		out->cached = out->input;
	if (out->cache_write > out->input - out->cached)
		out->cache_write = out->input - out->cached;
	if (out->cache_write_1h > out->cache_write)
		out->cache_write_1h = out->cache_write;
	if (out->reasoning > out->output)
		out->reasoning = out->output;
}

static bool
any_tokens(const struct found *f)
{
	return f->prompt >= 0 || f->completion >= 0 || f->total >= 0 ||
	    f->input >= 0 || f->output >= 0;
}

/* Reads the text of one usage object. */
static bool
fold(enum endpoint_usage kind, struct span text, struct usage *out)
{
	struct found f;
	struct jscan_error error;

	memset(&f, 0xff, sizeof(f)); /* all of them -1 */
	if (jscan(text, JSCAN_DEPTH_MAX, read_field, &f, &error) != 0)
		return false;
	if (!any_tokens(&f) && f.audio_ms < 0 && f.cost < 0)
		return false;
	if (kind == ENDPOINT_USAGE_ANTHROPIC)
		fold_anthropic(&f, out);
	else
		fold_openai(&f, out);
	if (f.reasoning >= 0)
		out->reasoning = f.reasoning;
	if (f.audio_ms >= 0)
		out->audio_ms = f.audio_ms;
	if (f.cost >= 0)
		out->cost_nanousd = f.cost;
	bound_parts(out);
	return true;
}

/* Does the object at this key of the document hold a usage of its own? */
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
	/* Not all of it: text is large and means nothing while len is 0. */
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
 * so: its usage is reported only when a later event tells the end. */
static bool
fold_at(
    enum endpoint_usage kind, bool nested, struct span text, struct usage *out)
{
	if (!fold(kind, text, out))
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
	    !span_is(v->path[v->depth - 1].key, "usage"))
		return false;
	if (v->depth == 2 && !is_parent(kind, v->path[0].key))
		return false;
	return fold_at(kind, v->depth == 2, v->raw, out);
}

/* Behind the bracket that ended the captured object. */
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
step_value(struct usage_scan *s, const char *p, size_t len)
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
step_string(struct usage_scan *s, const char *p, size_t len)
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
step_key(struct usage_scan *s, const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (p[i] == '"') {
			s->state = S_COLON;
			return i + 1;
		}
		/* No name of ours needs a backslash. */
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
step_colon(struct usage_scan *s, const char *p)
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
		s->wanted =
		    span_is((struct span){ s->key, s->key_len }, "usage");
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
			n = step_value(s, p, left);
			break;
		case S_STRING:
			n = step_string(s, p, left);
			break;
		case S_KEY:
			n = step_key(s, p, left);
			break;
		case S_COLON:
			n = step_colon(s, p);
			break;
		default: /* the byte behind a backslash */
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

/* Its 8 KiB of stack are for the few events that have usage. */
__attribute__((noinline)) static bool
read_found(enum endpoint_usage kind, struct span json, struct usage *out)
{
	struct usage_scan s;

	usage_scan_init(&s, kind);
	s.usage = *out;
	usage_scan_push(&s, json);
	return usage_scan_finish(&s, out);
}

bool
usage_read(enum endpoint_usage kind, struct span json, struct usage *out)
{
	if (kind == ENDPOINT_USAGE_NONE || json.len == 0 ||
	    memmem(json.p, json.len, "\"usage\"", 7) == NULL)
		return false;
	return read_found(kind, json, out);
}

/* An event's framing: id, object, created, model, choices, delta. */
#define EVENT_FRAME_BYTES 320
#define ANSWER_FRAME_BYTES 400
#define BYTES_PER_TOKEN 4

void
usage_guess(
    struct usage *out, uint64_t input_tokens, uint64_t events, uint64_t bytes)
{
	uint64_t frame, by_text;

	if (out->reported)
		return;
	frame = events == 0 ? ANSWER_FRAME_BYTES : events * EVENT_FRAME_BYTES;
	by_text = less(bytes, frame) / BYTES_PER_TOKEN;
	/* A stream that was cut may have told what went in. */
	if (out->input == 0)
		out->input = input_tokens;
	if (events > by_text)
		by_text = events;
	if (by_text > out->output)
		out->output = by_text;
}

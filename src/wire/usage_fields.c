/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The numbers of one usage object: hides the providers' dialects of `usage`.
 */
#include "config.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/jscan.h"
#include "base/sum.h"
#include "wire/usage_internal.h"

/* More tokens than any response has; keeps sums of them far from overflow. */
#define USAGE_TOKENS_MAX INT64_C(1000000000000)
/* A day of audio; a million dollars. */
#define USAGE_AUDIO_MS_MAX INT64_C(86400000)
#define USAGE_COST_MAX INT64_C(1000000000000000)

/* The numbers of one usage object; -1: missing. */
struct found {
	int64_t prompt, completion, total;
	int64_t input, output;
	int64_t cached, cache_hit, cache_read, cache_creation, cache_write;
	int64_t write_5m, write_1h;
	int64_t reasoning;
	int64_t prompt_n, cache_n, predicted_n;
	int64_t audio_ms;
	int64_t cost;
};

/* The destination of a number, and its factor (a power of ten). */
struct field {
	struct span parent; /* p NULL: of the usage object itself */
	struct span name;
	size_t offset;
	unsigned scale;
	int64_t max;
};

#define NAME(text) SPAN_LITERAL(text)
#define TOKENS(member) \
	.offset = offsetof(struct found, member), .max = USAGE_TOKENS_MAX

static const struct field fields[] = {
	{ .name = NAME("prompt_tokens"), TOKENS(prompt) },
	{ .name = NAME("completion_tokens"), TOKENS(completion) },
	{ .name = NAME("total_tokens"), TOKENS(total) },
	{ .name = NAME("input_tokens"), TOKENS(input) },
	{ .name = NAME("output_tokens"), TOKENS(output) },
	{ .parent = NAME("prompt_tokens_details"),
	    .name = NAME("cached_tokens"),
	    TOKENS(cached) },
	{ .parent = NAME("input_tokens_details"),
	    .name = NAME("cached_tokens"),
	    TOKENS(cached) },
	{ .parent = NAME("prompt_tokens_details"),
	    .name = NAME("cache_write_tokens"),
	    TOKENS(cache_write) },
	{ .parent = NAME("input_tokens_details"),
	    .name = NAME("cache_write_tokens"),
	    TOKENS(cache_write) },
	{ .name = NAME("prompt_cache_hit_tokens"), TOKENS(cache_hit) },
	{ .name = NAME("cached_tokens"), TOKENS(cache_hit) },
	{ .name = NAME("cache_read_input_tokens"), TOKENS(cache_read) },
	{ .name = NAME("cache_creation_input_tokens"), TOKENS(cache_creation) },
	{ .parent = NAME("cache_creation"),
	    .name = NAME("ephemeral_5m_input_tokens"),
	    TOKENS(write_5m) },
	{ .parent = NAME("cache_creation"),
	    .name = NAME("ephemeral_1h_input_tokens"),
	    TOKENS(write_1h) },
	{ .parent = NAME("completion_tokens_details"),
	    .name = NAME("reasoning_tokens"),
	    TOKENS(reasoning) },
	{ .parent = NAME("output_tokens_details"),
	    .name = NAME("reasoning_tokens"),
	    TOKENS(reasoning) },
	{ .name = NAME("reasoning_tokens"), TOKENS(reasoning) },
	{ .name = NAME("prompt_n"), TOKENS(prompt_n) },
	{ .name = NAME("cache_n"), TOKENS(cache_n) },
	{ .name = NAME("predicted_n"), TOKENS(predicted_n) },
	{ .name = NAME("seconds"),
	    .offset = offsetof(struct found, audio_ms),
	    .scale = 3,
	    .max = USAGE_AUDIO_MS_MAX },
	{ .name = NAME("prompt_audio_seconds"),
	    .offset = offsetof(struct found, audio_ms),
	    .scale = 3,
	    .max = USAGE_AUDIO_MS_MAX },
	{ .name = NAME("cost"),
	    .offset = offsetof(struct found, cost),
	    .scale = 9,
	    .max = USAGE_COST_MAX },
	{ .parent = NAME("cost"),
	    .name = NAME("total_cost"),
	    .offset = offsetof(struct found, cost),
	    .scale = 9,
	    .max = USAGE_COST_MAX },
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The exponent of a JSON number's text at i; far out of range if it is
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
	long point = 0; /* how many of the digits are before it */
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

		/* Most names differ in length. */
		if (f->name.len != last->key.len ||
		    (f->parent.p != NULL) != (value->depth == 2) ||
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

/* Some providers count cached tokens apart from the prompt, some reasoning
 * apart from the completion (xAI; Gemini, without saying how much): the
 * total decides. */
static void
fold_total(const struct found *f, struct usage *out)
{
	uint64_t sum = out->input + out->output, rest;

	if (f->total < 0 || (f->prompt < 0 && f->input < 0))
		return;
	rest = sum_minus_u64((uint64_t)f->total, sum);
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
		out->input = sum_minus_u64(f->total, out->output);
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
	uint64_t fresh =
	    sum_minus_u64(out->input, out->cached + out->cache_write);

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

/* llama.cpp's timings: what was read anew beside what was kept. */
static void
fold_llama(const struct found *f, struct usage *out)
{
	if (f->cache_n >= 0)
		out->cached = f->cache_n;
	if (f->prompt_n >= 0)
		out->input = f->prompt_n + out->cached;
	if (f->predicted_n >= 0)
		out->output = f->predicted_n;
}

/* A part cannot exceed its whole, whatever the upstream reports. */
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
	    f->input >= 0 || f->output >= 0 || f->predicted_n >= 0;
}

bool
usage_fold(enum endpoint_usage kind, struct span text, struct usage *out)
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
	else if (kind == ENDPOINT_USAGE_LLAMA)
		fold_llama(&f, out);
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

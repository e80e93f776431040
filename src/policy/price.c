/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What a request costs: hides the fall-backs between the prices of a target
 * (cached tokens cost what input costs unless configured, and so on) and keeps
 * the sums from wrapping.  The plan asks before a request is sent, the ledger
 * after it.
 */
#include "config.h"

#include "base/sum.h"
#include "policy/price.h"

#define MILLION 1000000

/* count x nanousd, both at least 0. */
static int64_t
times(uint64_t count, int64_t nanousd)
{
	if (count == 0 || nanousd <= 0)
		return 0;
	if (count > (uint64_t)(INT64_MAX / nanousd))
		return INT64_MAX;
	return (int64_t)count * nanousd;
}

/* Rounded up, so that many small requests do not sum up to 0. */
static int64_t
per_million(uint64_t count, int64_t nanousd)
{
	int64_t rest = (int64_t)(count % MILLION);

	if (nanousd <= 0)
		return 0;
	return sum_i64(times(count / MILLION, nanousd),
	    rest * (nanousd / MILLION) +
		(rest * (nanousd % MILLION) + MILLION - 1) / MILLION);
}

static int64_t
or_else(int64_t price, int64_t other)
{
	return price >= 0 ? price : other;
}

static int64_t
larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static uint64_t
at_most(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t
tokens_times(uint64_t tokens, uint64_t choices)
{
	if (choices > 1 && tokens > UINT64_MAX / choices)
		return UINT64_MAX;
	return choices > 1 ? tokens * choices : tokens;
}

int64_t
price_cost(const struct price *price, const struct usage *usage)
{
	uint64_t cached = at_most(usage->cached, usage->input);
	uint64_t written = at_most(usage->cache_write, usage->input - cached);
	uint64_t hour = at_most(usage->cache_write_1h, written);
	uint64_t reasoning = at_most(usage->reasoning, usage->output);
	int64_t write = or_else(price->cache_write, price->input);
	int64_t sum;

	if (usage->cost_nanousd >= 0)
		return usage->cost_nanousd;
	if (!price->known)
		return -1;
	sum = per_million(usage->input - cached - written, price->input);
	sum = sum_i64(
	    sum, per_million(cached, or_else(price->cached, price->input)));
	sum = sum_i64(sum, per_million(written - hour, write));
	sum = sum_i64(
	    sum, per_million(hour, or_else(price->cache_write_1h, write)));
	sum =
	    sum_i64(sum, per_million(usage->output - reasoning, price->output));
	sum = sum_i64(sum,
	    per_million(reasoning, or_else(price->reasoning, price->output)));
	sum = sum_i64(sum, per_million(usage->characters, price->character));
	sum = sum_i64(sum,
	    times(usage->audio_ms, price->second) == INT64_MAX
		? INT64_MAX
		: (times(usage->audio_ms, price->second) + 999) / 1000);
	sum = sum_i64(sum, times(usage->images, price->image));
	return sum_i64(sum, larger(price->request, 0));
}

int64_t
price_worst(const struct target *target, uint64_t input_tokens,
    uint64_t max_output_tokens, uint64_t choices, uint64_t characters,
    uint64_t images)
{
	const struct price *price = &target->price;
	uint64_t output = max_output_tokens;
	int64_t sum;

	if (!price->known)
		return -1;
	if (output == 0)
		output = target->max_output;
	if (output == 0)
		output = PRICE_OUTPUT_UNSAID;
	output = tokens_times(output, choices);
	sum = per_million(input_tokens,
	    larger(larger(price->input, price->cached),
		larger(price->cache_write, price->cache_write_1h)));
	sum = sum_i64(
	    sum, per_million(output, larger(price->output, price->reasoning)));
	sum = sum_i64(sum, per_million(characters, price->character));
	sum = sum_i64(sum, times(images, price->image));
	return sum_i64(sum, larger(price->request, 0));
}

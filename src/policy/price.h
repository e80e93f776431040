/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Money: nano-USD, integers.  1 USD = 1,000,000,000 nano-USD.
 */
#ifndef POLICY_PRICE_H
#define POLICY_PRICE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"

/* What one request used.  Tokens of `input` include `cached` and
 * `cache_write`; `output` includes `reasoning` (OpenAI's way). */
struct usage {
	bool reported;		/* by the upstream; else our estimate */
	uint64_t input, cached, cache_write, output, reasoning;
	uint64_t cache_write_1h; /* of cache_write: what is kept for an hour */
	uint64_t characters;
	uint64_t audio_ms;
	uint64_t images;	/* that were asked for */
	int64_t cost_nanousd;	/* the upstream's own `usage.cost`, or -1 */
};

/* The cost, or -1 if no price is known.  Saturates, never wraps. */
int64_t price_cost(const struct price *, const struct usage *);
/* Tokens of output that are assumed if neither request nor target says. */
#define PRICE_OUTPUT_UNSAID 4096
/* The most it can cost: estimated input, max_output (or what the target
 * allows, or PRICE_OUTPUT_UNSAID); images 0: the request is not for images. */
int64_t price_worst(const struct target *, uint64_t input_tokens,
    uint64_t max_output_tokens, uint64_t choices, uint64_t characters,
    uint64_t images);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How many tokens a text is, without a tokenizer.
 */
#ifndef POLICY_ESTIMATE_H
#define POLICY_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* By a rule of thumb for each script (estimate.c): never much below the true
 * count, for any language.  Of a text over 64 KiB a sample is counted.  The
 * text is decoded; any bytes are accepted.
 *
 * A call's input_tokens is the sum over the texts of its prompt and its tools
 * with their keys, and 4 for each message, 1000 for each picture, 3000 for
 * each file, 1 for each 640 bytes of base64 sound, 1 for each number. */
uint64_t estimate_tokens(struct span text);

/* The sum over the texts of one request.  Each is counted until 16 KiB have
 * been; of the next ones an eighth or less is, and of what comes then one
 * byte in 32, spread over all of it, because a conversation of a megabyte is
 * mostly short texts.  All zero at first. */
struct estimate_sum {
	uint64_t tokens; /* of the finished texts and parts */
	size_t whole_bytes; /* of the texts that were counted as they are */
	uint64_t sample_units;
	size_t sample_bytes; /* what was counted of the part */
	size_t part_bytes; /* all of the part */
	size_t next_at; /* position of the next block to count */
	uint32_t seed; /* for its place */
	bool later; /* the part is not the first one */
};

void estimate_add(struct estimate_sum *, struct span text);
uint64_t estimate_total(const struct estimate_sum *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How many tokens a text is, without a tokenizer.
 */
#ifndef POLICY_ESTIMATE_H
#define POLICY_ESTIMATE_H

#include <stdint.h>

#include "base/span.h"

/* By a rule of thumb for each script (estimate.c): never much below the true
 * count, for any language.  Of a text over 256 KiB a sample is counted.  The
 * text is decoded; any bytes may come.
 *
 * A call's input_tokens is the sum over the texts of its prompt and its tools
 * with their keys, and 4 for each message, 1000 for each picture, 3000 for
 * each file, 1 for each 640 bytes of base64 sound, 1 for each number. */
uint64_t estimate_tokens(struct span text);

#endif

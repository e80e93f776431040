/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The usage that a response reports, read as the response passes.
 *
 * Streams: usage_read() on the data of each event; one without the word costs a
 * memmem.  Whole JSON responses: a usage_scan gets the bytes in any pieces and
 * keeps only the value of the member `usage` (at most USAGE_TEXT_MAX bytes),
 * wherever in the body it is.
 *
 * Read are the fields of OpenAI's chat, completions, embeddings, audio and
 * Responses API, of Anthropic's Messages API, DeepSeek's
 * prompt_cache_hit_tokens, OpenRouter's cost, Groq's x_groq; of llama.cpp's own
 * endpoints `timings` in the place of `usage`.  Numbers from upstream are
 * hostile too: negative, non-numeric or absurd values are left out.
 */
#ifndef WIRE_USAGE_H
#define WIRE_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/jscan.h"
#include "base/span.h"
#include "config/endpoint.h"
#include "policy/price.h"

#define USAGE_TEXT_MAX 8192

/* Nothing used, nothing reported, no cost known. */
void usage_init(struct usage *);

/* Reads a JSON text (an event's data, or a whole body) and folds what it
 * says into *out: later numbers replace earlier ones, as the cumulative
 * counts of a stream want it.  True if it had usage; then out->reported is
 * set, except for Anthropic's message_start, which reports only the input. A
 * text that is cut or not JSON counts as far as it can be read. */
bool usage_read(enum endpoint_usage, struct span json, struct usage *out);

/* The same for each value of a text that is being scanned anyway; true if it
 * was the usage. */
bool
usage_value(enum endpoint_usage, const struct jscan_value *, struct usage *out);

struct usage_scan {
	enum endpoint_usage kind;
	unsigned char state;
	bool inside; /* a member that may contain a nested `usage` */
	bool wanted; /* the value to come is usage */
	bool found;
	unsigned depth;
	unsigned capture_depth; /* where the captured object ends; 0: none */
	char key[16];
	size_t key_len;
	char text[USAGE_TEXT_MAX];
	size_t len;
	struct usage usage; /* as folded so far */
};

void usage_scan_init(struct usage_scan *, enum endpoint_usage);
void usage_scan_push(struct usage_scan *, struct span bytes);
/* After the last byte.  Folds into *out as usage_read does. */
bool usage_scan_finish(struct usage_scan *, struct usage *out);

/* For a response that reported nothing (cut, or the upstream never does):
 * input as the call was estimated, output by what was relayed: a token for
 * each event, or for each 4 bytes beside the usual framing, whichever is
 * more.  events 0: not a stream.  Does nothing if out->reported; partial
 * numbers are kept if they are larger. */
void usage_guess(
    struct usage *out, uint64_t input_tokens, uint64_t events, uint64_t bytes);

#endif

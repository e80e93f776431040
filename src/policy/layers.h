/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What a text says when it is decoded once more.  Whoever receives a request
 * may decode it, so private patterns are looked for in
 *
 * 	the text itself, composed, and as it is seen (pattern.h);
 * 	a text with escapes as JSON has them, and \x41, resolved;
 * 	a text with %41, decoded;
 * 	each run of at least LAYERS_RUN_MIN letters of base64 (or base64url),
 * 	over line breaks too, as far as it decodes to text, in UTF-8 or UTF-16
 * 	(of more than an alphabet: if its byte-order mark says so);
 *
 * and in what those say again, LAYERS_MAX deep.  Other encodings, compressed
 * data, and texts that are split are not put together.
 */
#ifndef POLICY_LAYERS_H
#define POLICY_LAYERS_H

#include "base/span.h"
#include "policy/pattern.h"

#define LAYERS_MAX 3
#define LAYERS_RUN_MIN 12

/* Searches a text and everything that it decodes to. */
void layers_scan(struct pattern_run *, struct span text);

/* Percent-decodes into out (text.len bytes); returns the length, which is
 * text.len if nothing was encoded. */
size_t layers_percent(struct span text, char *out);

#endif

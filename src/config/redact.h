/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The providers' keys in what a provider says.  Errors quote the key that was
 * sent, whole or as they print it ("sk-abc***wxyz"); none of that may reach a
 * client.
 *
 * A mask has the length of what it covers, so whatever frames the bytes still
 * holds.  Covered are, of every key of the configuration that has at least
 * REDACT_KEY_MIN bytes:
 *
 *	the key, and any REDACT_PIECE_MIN bytes of it in a row;
 *	its first and last letters around a run of * . x or an ellipsis, or
 *	around [REDACTED], when they are four or more together; its last four
 *	or more after words like "ending in";
 *	its base64, as Basic authentication has it;
 *
 * each also in JSON's escapes, percent-encoded or as HTML entities.
 */
#ifndef CONFIG_REDACT_H
#define CONFIG_REDACT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "config/settings.h"

#define REDACT_KEY_MIN 6
#define REDACT_PIECE_MIN 12

/* Covers them in place.  True: there was one. */
bool redact(const struct config *, char *p, size_t len);
/* Does it hold one?  (A header: it is left out then.) */
bool redact_finds(const struct config *, struct span text);

#endif

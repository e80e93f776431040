/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The providers' keys in what a provider says.  Errors quote the key that was
 * sent, whole or abbreviated ("sk-abc***wxyz"); none of that may reach a
 * client.
 *
 * A mask has the length of what it covers, so lengths that were announced stay
 * right.  For every key of the configuration, and the one that a client sent
 * for a provider, that has at least REDACT_KEY_MIN bytes, it covers:
 *
 * 	the key, and any REDACT_PIECE_MIN bytes of it in a row;
 * 	its first and last letters around a run of one sign (***, ...), a
 * 	symbol (an ellipsis, a bullet), or [REDACTED], when they are four or
 * 	more together; around signs of syntax (//, quotes) only if both are
 * 	there; its last four or more after words like "ending in";
 * 	its base64, as Basic authentication has it;
 *
 * each also in capitals, in JSON's escapes (twice, too), percent-encoded or as
 * HTML entities.
 *
 * That applies to errors, comments and headers.  In a model's output only long
 * keys are searched, whole or in pieces of REDACT_LONG_MIN: see sieve.h.
 */
#ifndef CONFIG_REDACT_H
#define CONFIG_REDACT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "config/secrets.h"
#include "config/settings.h"

#define REDACT_KEY_MIN 6
#define REDACT_PIECE_MIN 12
#define REDACT_LONG_MIN 16
/* Three places within base64's groups, two alphabets. */
#define REDACT_BASE64_FORMS 6
/* Of what redact_base64 writes. */
#define REDACT_BASE64_MAX (SECRET_MAX * 4 / 3 + 4)

#define REDACT_OWN 2
/* The keys that are covered in one response. */
struct redact_keys {
	const struct config *config; /* the providers' */
	/* The client's own, at a provider, and of this gateway (for a record
	 * of the exchange); p NULL: none. */
	struct span own[REDACT_OWN];
};

/* Covers keys in place.  True: there was one. */
bool redact(const struct redact_keys *, char *p, size_t len);
/* The same for long keys only. */
bool redact_long(const struct redact_keys *, char *p, size_t len);
/* The same for the others, which have fewer than REDACT_LONG_MIN bytes, but not
 * for what is left of a masked one.  Slow: for what is kept. */
bool redact_short(const struct redact_keys *, char *p, size_t len);
bool redact_has_short(const struct redact_keys *);
/* Does it contain one?  (A header that does is left out.) */
bool redact_finds(const struct redact_keys *, struct span text);

/* ---- between redact.c, redact_keys.c and sieve.c ----------------------- */

/* Each key of the configuration, of any length. */
void redact_each_key(const struct config *,
    void (*take)(void *ctx, struct span key), void *ctx);
/* The same, and the client's own. */
void redact_each_of(const struct redact_keys *,
    void (*take)(void *ctx, struct span key), void *ctx);
/* Long enough to be searched anywhere, and not a placeholder? */
bool redact_is_long(struct span key);
/* Too short for that, but long enough to be a key? */
bool redact_is_short(struct span key);
/* The letters of base64 that only the key decides, in lower case; out has
 * room for REDACT_BASE64_MAX.  Returns how many. */
size_t redact_base64(struct span key, unsigned form, char *out);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The last filter before a client: no long key of a provider passes in any byte
 * of a response, whatever it is (an error, a model's output, a comment, an
 * unknown field, a page), and however it is split over reads.
 *
 * A long key has REDACT_LONG_MIN bytes or more.  Covered are the key and any
 * REDACT_LONG_MIN bytes of it in a row: as they are, in capitals, in JSON's
 * escapes, percent-encoded, as entities, in base64.  A mask has the length of
 * what it covers.  Forms that could occur by chance (first and last letters,
 * short keys) are covered by redact.h, in errors.
 *
 * Usually it looks at one byte in eight.  Bytes at the end that could begin a
 * key are held until the next ones come.
 */
#ifndef CONFIG_SIEVE_H
#define CONFIG_SIEVE_H

#include <stddef.h>

#include "base/span.h"
#include "config/redact.h"
#include "config/settings.h"

/* The most that is held of a response. */
#define SIEVE_HELD_MAX 512

struct sieve;

/* NULL: there is no long key.  The configuration has to stay. */
struct sieve *sieve_new(const struct config *);
/* One that also covers keys->own, for one request; keys and base (NULL: there
 * is none) have to stay.  It takes sieve_own_bytes().  NULL: none of keys->own
 * is long. */
struct sieve *sieve_with(
    const struct sieve *base, const struct redact_keys *keys);
size_t sieve_own_bytes(const struct sieve *);
void sieve_free(struct sieve *);

/* The held bytes of one response; all zero is none. */
struct sieve_held {
	char p[SIEVE_HELD_MAX];
	size_t len;
};

/* Gives what may pass to put, and returns put's result if it is not 0.
 * sieve NULL: all of it. */
int sieve_push(const struct sieve *, struct sieve_held *, struct span bytes,
    int (*put)(void *ctx, struct span), void *ctx);
/* The response ends here: the rest of it. */
int sieve_end(const struct sieve *, struct sieve_held *,
    int (*put)(void *ctx, struct span), void *ctx);

#endif

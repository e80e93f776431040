/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The last filter before a client: no long key of a provider passes in any
 * byte of a response, whatever that is (an error, a model's words, a comment,
 * a field that nobody knows, a page), and however it was packed into reads.
 *
 * A long key has REDACT_LONG_MIN bytes or more.  Covered are the key and any
 * REDACT_LONG_MIN bytes of it in a row: as they are, in capitals, in JSON's
 * escapes, percent-encoded, as entities, in base64.  A mask has the length of
 * what it covers.  Forms that could be chance (first and last letters, short
 * keys) are for redact.h, which reads errors.
 *
 * Most bytes cost a look at one in eight of them.  Bytes at the end that could
 * begin a key are held until the next ones come.
 */
#ifndef CONFIG_SIEVE_H
#define CONFIG_SIEVE_H

#include <stddef.h>

#include "base/span.h"
#include "config/settings.h"

/* The most that is held of a response. */
#define SIEVE_HELD_MAX 512

struct sieve;

/* NULL: there is no long key.  The configuration has to stay. */
struct sieve *sieve_new(const struct config *);
void sieve_free(struct sieve *);

/* What of one response is held; all zero is nothing. */
struct sieve_held {
	char p[SIEVE_HELD_MAX];
	size_t len;
};

/* Hands what may pass to put, whose result other than 0 is returned.  sieve
 * NULL: all of it. */
int sieve_push(const struct sieve *, struct sieve_held *, struct span bytes,
    int (*put)(void *ctx, struct span), void *ctx);
/* The response ends here: the rest of it. */
int sieve_end(const struct sieve *, struct sieve_held *,
    int (*put)(void *ctx, struct span), void *ctx);

#endif

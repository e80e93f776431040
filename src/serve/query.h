/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Reads the query of a request, for our own endpoints.
 */
#ifndef SERVE_QUERY_H
#define SERVE_QUERY_H

#include "base/arena.h"
#include "base/span.h"
#include "wire/io.h"

/* What follows a name ("=30", "&...", ""), or NULL: the name does not occur. */
const char *query_find(struct io *, const char *name);
/* The number after the name, at most `most`; without one, `otherwise`. */
unsigned
query_number(struct io *, const char *name, unsigned most, unsigned otherwise);
/* The text that it is given; NULL: none, or no text. */
const char *query_text(struct io *, const char *name, struct arena *);
/* Percent-decoding (RFC 3986 §2.1); NULL for a NUL or a broken escape. */
const char *query_decode(struct span, struct arena *);

#endif

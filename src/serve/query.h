/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What the query of a request says to endpoints of our own.
 */
#ifndef SERVE_QUERY_H
#define SERVE_QUERY_H

#include "wire/io.h"

/* What is after a name ("=30", "&...", ""), or NULL: it is not there. */
const char *query_find(struct io *, const char *name);
/* The number that it is given, `most` at the most, or `otherwise`. */
unsigned
query_number(struct io *, const char *name, unsigned most, unsigned otherwise);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Reads the query of a request, for our own endpoints.
 */
#ifndef SERVE_QUERY_H
#define SERVE_QUERY_H

#include "wire/io.h"

/* What follows a name ("=30", "&...", ""), or NULL: the name does not occur. */
const char *query_find(struct io *, const char *name);
/* The number after the name, at most `most`; without one, `otherwise`. */
unsigned
query_number(struct io *, const char *name, unsigned most, unsigned otherwise);

#endif

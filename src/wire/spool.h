/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A request's body, gathered once: in memory up to a size, after that in an
 * unlinked file that is mapped for reading.  Either way it is one span.
 */
#ifndef WIRE_SPOOL_H
#define WIRE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"
#include "base/span.h"
#include "wire/io.h"

struct spool {
	char *memory; /* malloc'ed, or the mapping */
	size_t len, size;
	size_t charged; /* to hold */
	struct memory_hold *hold;
	int fd; /* -1: in memory */
	size_t memory_max;
	const char *dir;
};

enum spool_result {
	SPOOL_OK,
	SPOOL_TOO_LARGE,
	SPOOL_CUT,
	SPOOL_STARVED, /* no memory is left for it, now */
	SPOOL_ERROR
};

/* Memory is charged to hold (or NULL), which says what is lacking if it is
 * starved. */
void spool_init(struct spool *, const char *dir, size_t memory_max,
    struct memory_hold *hold);
/* Reads to the end.  length as announced, -1 unknown.  SPOOL_CUT: the body
 * ended before its length, or the stream broke.  SPOOL_ERROR: errno. */
enum spool_result
spool_read(struct spool *, struct io *, long long length, size_t max_bytes);
struct span spool_span(const struct spool *);
/* Memory and file are given back; may be called twice. */
void spool_free(struct spool *);

#endif

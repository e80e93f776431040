/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Memory with the lifetime of one request: many small allocations, one reset.
 *
 * An arena frees nothing piece by piece.  It serves one thread.  What a client
 * sends reaches it only in bounded amounts (parameters, model names, reasons);
 * bodies live in a spool.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/span.h"

struct arena;

/* A new arena.  Out of memory is fatal, here and below. */
struct arena *arena_new(void);
void arena_free(struct arena *);

/* Zeroed bytes, aligned for any type. */
void *arena_alloc(struct arena *, size_t bytes);
char *arena_strdup(struct arena *, const char *);
/* The span's bytes with a NUL after them. */
char *arena_text(struct arena *, struct span);
char *arena_printf(struct arena *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Forget everything; one block stays for the next request. */
void arena_reset(struct arena *);

#endif

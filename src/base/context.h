/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A second stack, and the way to it and back.  For task.c.
 */
#ifndef BASE_CONTEXT_H
#define BASE_CONTEXT_H

#include <stdbool.h>

struct context;

/* NULL with errno: no memory for a stack. */
struct context *context_new(void);
void context_free(struct context *);

/* The next context_enter() calls fn(arg) on the stack. */
void context_set(struct context *, void (*fn)(void *), void *arg);
/* Goes there; true when it came back by context_leave(), false when fn has
 * returned. */
bool context_enter(struct context *);
/* Called on the stack: returns to the caller of context_enter(). */
void context_leave(struct context *);

/* Frees most of the memory of a stack that nothing runs on. */
void context_trim(struct context *);

#endif

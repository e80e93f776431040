/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * One regular expression: hides the engine.  Two files implement this header
 * and the build uses one of them: regex_pcre2.c (PCRE2 with its just-in-time
 * compiler) or regex_posix.c (the C library's).
 */
#ifndef POLICY_REGEX_H
#define POLICY_REGEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Compiled; const after that, shared by all threads. */
struct regex {
	void *code;
	size_t min_length; /* bytes of the shortest text that can match */
};

/* Working memory for one search at a time: one for each thread. */
struct regex_engine;

/* -1: the engine's reason is in message. */
int regex_compile(
    struct regex *, const char *pattern, char *message, size_t size);
void regex_free(struct regex *);

struct regex_engine *regex_engine_new(void);
void regex_engine_free(struct regex_engine *); /* NULL is accepted */

/* 1: it matches, 0: it does not, -1: not decided within the bounds.  The text
 * is valid UTF-8, the deadline is of clock_cpu_ns(). */
int regex_search(const struct regex *, struct regex_engine *, struct span text,
    int64_t deadline_ns);

#endif

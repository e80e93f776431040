/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The private patterns of a configuration, compiled once and shared by all
 * threads; pattern.h is the search of one request with them.
 *
 * Everything that leaves is searched: all strings and numbers of a body, with
 * its keys; a form's names, file names, header lines, fields and files; and
 * what is sent beside the body.  Each text is searched alone, as it is and
 * decoded (policy/layers.h): a text that is split over two strings is not
 * joined.  A file is searched if it is a text.  Pictures and sound are not
 * private; any other file is, because it cannot be read (PATTERN_UNREADABLE).
 */
#ifndef POLICY_PATTERNS_H
#define POLICY_PATTERNS_H

#include <stddef.h>
#include <stdio.h>

#include "config/settings.h"
#include "policy/regex.h"

/* Only pattern.c looks inside. */
struct patterns {
	size_t n;
	const char **names;
	struct regex *regexes;
	size_t shortest; /* bytes of the shortest text that one could match */
};

/* NULL when one does not compile, and the reason is written to err. */
struct patterns *patterns_new(const struct config *, FILE *err);
void patterns_free(struct patterns *); /* NULL is accepted */
/* Tries one pattern.  -1 and a message: it is not a valid expression, or it
 * matches the empty text and so every request. */
int patterns_check(const char *pattern, char *message, size_t size);

#endif

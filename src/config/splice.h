/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Editing the text of a file of settings in place: unchanged parts keep their
 * bytes, comments and layout included.  Pure: text in, text out.
 *
 * The text has to be one that libconfig has read; if a function reads it
 * differently, it fails and the text is unchanged.
 */
#ifndef CONFIG_SPLICE_H
#define CONFIG_SPLICE_H

#include <stddef.h>

#include "base/buf.h"

/* Adds a group { body } at the end of the list `name` of the text, which is
 * created if it does not exist.  -1: the list can't be found, or is not a
 * list. */
int splice_add(struct buf *text, const char *name, const char *body);
/* Removes the group number `at` of it; comments around it stay. */
int splice_remove(struct buf *text, const char *name, size_t at);
/* In that group, gives the setting `path` ("place", "budget.concurrent") a
 * value as written in a file, or removes it (value NULL).  -1 also if the
 * path leads through something that is not a group. */
int splice_set(struct buf *text, const char *name, size_t at,
    const char *path, const char *value);
/* "a \"string\"" between quotes, escaped as libconfig wants it. */
void splice_quote(struct buf *out, const char *text);

#endif

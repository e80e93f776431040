/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Differences between two texts, by lines.
 */
#ifndef CTL_DIFF_H
#define CTL_DIFF_H

#include <stdio.h>

#include "base/buf.h"
#include "base/span.h"

/* A unified diff with three lines around each change; nothing if both are the
 * same.  The spans of `hidden` (n of them) are not shown. */
void diff_print(const char *name, struct span before, struct span after,
    const struct span *hidden, size_t n, FILE *);

/* Undoes the change from before to after in current, a text that has grown from
 * after.  -1: a changed place was changed again, or cannot be distinguished
 * from another. */
int diff_take_back(struct span before, struct span after, struct span current,
    struct buf *out);

#endif

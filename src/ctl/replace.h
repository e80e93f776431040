/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Replaces a file whole: a reader sees the old one or the new one.
 */
#ifndef CTL_REPLACE_H
#define CTL_REPLACE_H

#include "base/buf.h"

/* Written beside, synced, renamed.  -1: errno, and the old one stays. */
int replace_file(const char *path, const struct buf *text, unsigned mode);

#endif

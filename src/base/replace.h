/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Replaces a file whole: a reader sees the old one or the new one, and who
 * could read the old one can read the new one.
 */
#ifndef BASE_REPLACE_H
#define BASE_REPLACE_H

#include "base/buf.h"

/* Written beside, synced, renamed; owner and mode as of replace_own().  -1:
 * errno, and the old one stays. */
int replace_file(const char *path, const struct buf *text, unsigned mode);

/* Gives the file fd, which is to replace path, the owner and the group of
 * path, or, while there is none, the group of its directory; then mode (bits of
 * 0777).  What this user may not give stays as it is.  -1: errno. */
int replace_own(int fd, const char *path, unsigned mode);

#endif

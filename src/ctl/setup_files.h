/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Files as setup_files.c and setup_record.c handle them.
 */
#ifndef CTL_SETUP_FILES_H
#define CTL_SETUP_FILES_H

#include <stdbool.h>

#include "base/buf.h"

/* errno about the path; returns -1. */
int setup_complain(const char *path);
/* The directory of a tool's record; the caller frees. */
char *setup_state_path(const char *tool);

/* Adds the file to text; one that is not there is empty.  *mode are its
 * permissions.  -1: said. */
int setup_file_read(
    const char *path, struct buf *text, bool *exists, unsigned *mode);
/* Replaces it whole.  -1: said, and the old one stays. */
int setup_file_write(const char *path, const struct buf *text, unsigned mode);

/* The directories of a path, mode 0700.  *made (if made is not NULL) becomes
 * the first that was missing; the caller frees.  -1: said. */
int setup_dirs_make(const char *path, char **made);
/* Removes the empty ones of them, up to made. */
void setup_dirs_remove(const char *path, const char *made);

#endif

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

/* Prints errno's message for the path.  Returns -1. */
int setup_complain(const char *path);
/* The directory of a tool's record; the caller frees. */
char *setup_state_path(const char *tool);

/* Adds the file to text; a missing file is empty.  *mode gets its permissions.
 * -1 after an error message. */
int setup_file_read(
    const char *path, struct buf *text, bool *exists, unsigned *mode);
/* Replaces the whole file.  -1 after an error message; the old file stays. */
int setup_file_write(const char *path, const struct buf *text, unsigned mode);

/* Makes the directories of a path, with mode 0700.  *made (if made is not NULL)
 * becomes the first that was missing; the caller frees it.  -1 after an error
 * message. */
int setup_dirs_make(const char *path, char **made);
/* Removes the empty directories of a path, up to made. */
void setup_dirs_remove(const char *path, const char *made);

#endif

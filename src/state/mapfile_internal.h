/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What mapfile_dir.c (the directory and the names in it) does for mapfile.c
 * (the contents and the maps).
 */
#ifndef STATE_MAPFILE_INTERNAL_H
#define STATE_MAPFILE_INTERNAL_H

#include <sys/stat.h>

#include "state/mapfile.h"

/* In each directory: held while a file is made or grown there. */
#define MAPFILE_LOCK "lock"

/* An open directory: is it ours?  -1 with errno and one line in why. */
int mapfile_check_dir_fd(int fd, const char *dir, char *why, size_t size);
/* Opens a plain file of the right owner that nobody else can write or name,
 * and no symbolic link.  -1 with errno. */
int mapfile_open_existing(int dir_fd, const char *name, struct stat *);
/* Makes a file, 0600, that must not exist.  -1 with errno. */
int mapfile_create(int dir_fd, const char *name);
/* May this process make a file that it could not open for this reason? */
bool mapfile_may_make(int error);

#endif

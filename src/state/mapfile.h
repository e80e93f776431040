/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A file under runtime_dir, mapped and shared by every process of every pool
 * that uses the directory: what outlives a request without a database.
 *
 * The directory must be ours (owner, no write for others); nothing is opened
 * through a symbolic link.  A file is never made smaller or larger while it
 * may be mapped: another size or version is a new file, renamed into place.
 */
#ifndef STATE_MAPFILE_H
#define STATE_MAPFILE_H

#include <stddef.h>
#include <stdint.h>

/* Makes the directory (0750) where its parent exists, and checks it: owner,
 * mode, that flock works there.  -1: one line in why. */
int mapfile_check_dir(const char *dir, char *why, size_t size);

/* Maps dir/name, making it (zeroed, 0600) where it is missing or was made for
 * another magic or size.  NULL with errno.  magic holds the version. */
void *mapfile_open(const char *dir, const char *name, uint64_t magic,
    size_t bytes);
void mapfile_close(void *, size_t bytes);

#endif

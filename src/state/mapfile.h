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
 * may be mapped: another size or version is a new file, renamed into place
 * (who has the old one mapped keeps it).  Its blocks are written when it is
 * made, so that no later store fails for want of space.
 *
 * Root may use a service's directory (`tailgate status` as root): what it
 * makes there is given to the directory's owner.
 */
#ifndef STATE_MAPFILE_H
#define STATE_MAPFILE_H

#include <stddef.h>
#include <stdint.h>

/* Makes the directory (0750) where its parent exists, and checks it: owner,
 * mode, that flock works there.  -1: one line in why. */
int mapfile_check_dir(const char *dir, char *why, size_t size);
/* The same for dir/name; returns a descriptor of it, or -1. */
int mapfile_open_dir(const char *dir, const char *name, char *why,
    size_t size);

/* Maps dir/name, making it (zeroed, 0600) where it is missing or was made for
 * another magic or size.  NULL with errno.  magic holds the version; it stands
 * in a header of the file, not in what is returned: all of the bytes are the
 * caller's, aligned to 64. */
void *mapfile_open(const char *dir, const char *name, uint64_t magic,
    size_t bytes);
void mapfile_close(void *, size_t bytes);

/* Opens dir/name for locking, making it (empty, 0600) where it is missing.
 * -1 with errno; EPERM: not ours or not a plain file. */
int mapfile_open_lock(int dir_fd, const char *name);

#endif

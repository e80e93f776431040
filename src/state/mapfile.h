/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A file under runtime_dir, mapped and shared by every process of every pool
 * that uses the directory: the state that outlives a request, without a
 * database.
 *
 * The directory must be ours (owner, no write for others); nothing is opened
 * through a symbolic link.  A file is never made smaller or larger while it may
 * be mapped: another size or version is a new file, renamed into place
 * (processes that have the old one mapped keep it).  Its blocks are written
 * when it is made, so that no later store fails for lack of space.
 *
 * Root may use a service's directory (`tailgate status` as root): the files
 * that it makes there are given to the directory's owner.
 */
#ifndef STATE_MAPFILE_H
#define STATE_MAPFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What this process may do to the files.  Only the service may replace a
 * file of another version: a command of another version would take the file
 * away from the serving processes. */
enum mapfile_role {
	MAPFILE_SERVICE, /* makes and replaces them; the default */
	MAPFILE_GUEST, /* makes what is missing */
	MAPFILE_ONLOOKER, /* changes nothing; what is missing reads as zeros */
};
void mapfile_set_role(enum mapfile_role);
bool mapfile_only_looks(void);

/* Makes the directory (0750) if its parent exists, and checks it: owner,
 * mode, that flock works there.  -1: one line in why. */
int mapfile_check_dir(const char *dir, char *why, size_t size);
/* The same for dir/name; returns a descriptor of it, or -1. */
int mapfile_open_dir(const char *dir, const char *name, char *why,
    size_t size);

/* Another build, which shares runtime_dir with this one, keeps the same in
 * another form (for tests/upgrade.sh); all but the table of processes, whose
 * form is a promise between versions. */
#ifdef TAILGATE_OTHER_VERSION
#define MAPFILE_MAGIC(magic) ((magic) + 1)
#else
#define MAPFILE_MAGIC(magic) (magic)
#endif

/* Maps dir/name, making it (zeroed, 0600) if it is missing or was made for
 * another magic or size.  NULL with errno.  magic holds the version; it
 * stands in a header of the file, not in what is returned: all of the bytes
 * are the caller's, aligned to 64.  Another's version that may not be
 * replaced: EINVAL, for which mapfile_error() has words.  An onlooker's
 * can't be written to. */
void *mapfile_open(const char *dir, const char *name, uint64_t magic,
    size_t bytes);
void mapfile_close(void *, size_t bytes);

/* A file of which only the first `first` bytes have blocks yet: it has its
 * full length, but takes no more space.  mapfile_grow() gives blocks to the
 * bytes up to `upto`; nothing may be stored beyond what was grown to, by
 * this process or another.  -1 with errno: no space, or only looking. */
void *mapfile_open_part(const char *dir, const char *name, uint64_t magic,
    size_t bytes, size_t first);
int mapfile_grow(const char *dir, const char *name, void *, size_t upto);
/* Up to where there are blocks. */
size_t mapfile_grown(const void *);

const char *mapfile_error(int error);

/* Opens dir/name for locking, making it (empty, 0600) if it is missing (an
 * onlooker makes none).  -1 with errno; EPERM: not ours or not a plain file. */
int mapfile_open_lock(int dir_fd, const char *name);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The directory of the mapped files: hides the checks of it and of each file in
 * it (its owner, that nobody else may write, that flock works) before one is
 * used.
 */
#include "config.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "state/mapfile_internal.h"

static enum mapfile_role role = MAPFILE_SERVICE;

void
mapfile_set_role(enum mapfile_role to)
{
	role = to;
}

bool
mapfile_only_looks(void)
{
	return role == MAPFILE_ONLOOKER;
}

static int
say(char *why, size_t size, const char *dir, const char *text)
{
	int saved = errno;

	snprintf(why, size, "%s: %s", dir, text);
	errno = saved;
	return -1;
}

static bool
owner_is_ours(const struct stat *st)
{
	return st->st_uid == geteuid() || geteuid() == 0;
}

/* Gives what root made to the service whose directory it is. */
static int
adopt(int fd, const struct stat *parent)
{
	if (geteuid() != 0 || parent->st_uid == 0)
		return 0;
	return fchown(fd, parent->st_uid, parent->st_gid);
}

int
mapfile_check_dir_fd(int fd, const char *dir, char *why, size_t size)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return say(why, size, dir, strerror(errno));
	if (!owner_is_ours(&st)) {
		errno = EPERM;
		snprintf(why, size,
		    "%s: belongs to user %ld, not to user %ld "
		    "that runs tailgate",
		    dir, (long)st.st_uid, (long)geteuid());
		return -1;
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		errno = EPERM;
		return say(
		    why, size, dir, "others may write to it: chmod go-w");
	}
	return 0;
}

/* Some file systems refuse flock, some grant it to everybody. */
static int
check_flock(int dir_fd, const char *dir, char *why, size_t size)
{
	int a, b = -1, rv = -1;

	if ((a = mapfile_open_lock(dir_fd, MAPFILE_LOCK)) == -1 ||
	    (b = mapfile_open_lock(dir_fd, MAPFILE_LOCK)) == -1)
		say(why, size, dir, strerror(errno));
	else if (flock(a, LOCK_SH) == -1)
		snprintf(why, size, "%s: flock: %s", dir, strerror(errno));
	else if (flock(b, LOCK_EX | LOCK_NB) == 0)
		say(why, size, dir, "flock does not exclude others there");
	else if (errno != EWOULDBLOCK)
		snprintf(why, size, "%s: flock: %s", dir, strerror(errno));
	else
		rv = 0;
	if (a != -1)
		close(a);
	if (b != -1)
		close(b);
	return rv;
}

static int
make_dir_at(int parent, const char *name)
{
	struct stat st;
	int fd;

	if (mapfile_only_looks())
		return 0;
	if (mkdirat(parent, name, 0750) == -1)
		return errno == EEXIST ? 0 : -1;
	if (parent == AT_FDCWD || fstat(parent, &st) == -1)
		return 0;
	fd = openat(
	    parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return -1;
	adopt(fd, &st);
	close(fd);
	return 0;
}

/* Opens (and makes) name under parent, shown to people as path. */
static int
open_dir_at(
    int parent, const char *name, const char *path, char *why, size_t size)
{
	int fd;

	if (make_dir_at(parent, name) == -1)
		return say(why, size, path, strerror(errno));
	fd = openat(
	    parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return say(why, size, path,
		    errno == ELOOP || errno == ENOTDIR
			? "not a directory (a symbolic link is "
			  "not followed)"
			: strerror(errno));
	if (mapfile_check_dir_fd(fd, path, why, size) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

int
mapfile_check_dir(const char *dir, char *why, size_t size)
{
	int fd, rv;

	if ((fd = open_dir_at(AT_FDCWD, dir, dir, why, size)) == -1)
		return mapfile_only_looks() && errno == ENOENT ? 0 : -1;
	rv = mapfile_only_looks() ? 0 : check_flock(fd, dir, why, size);
	close(fd);
	return rv;
}

int
mapfile_open_dir(const char *dir, const char *name, char *why, size_t size)
{
	char path[1024];
	int parent, fd;

	if ((parent = open_dir_at(AT_FDCWD, dir, dir, why, size)) == -1)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open_dir_at(parent, name, path, why, size);
	close(parent);
	return fd;
}

/* A plain file of the right owner that nobody else can write or name. */
static int
check_file(int dir_fd, int fd, struct stat *st)
{
	struct stat dir;

	if (fstat(fd, st) == -1 || fstat(dir_fd, &dir) == -1)
		return -1;
	if (st->st_nlink == 0) { /* replaced since it was opened */
		errno = ENOENT;
		return -1;
	}
	if (!S_ISREG(st->st_mode) || st->st_nlink > 1 ||
	    (st->st_mode & (S_IWGRP | S_IWOTH)) ||
	    (st->st_uid != dir.st_uid && !owner_is_ours(st))) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

int
mapfile_open_existing(int dir_fd, const char *name, struct stat *st)
{
	int fd;

	/* O_NONBLOCK: should it be a FIFO, opening must not hang. */
	fd = openat(dir_fd, name,
	    (mapfile_only_looks() ? O_RDONLY : O_RDWR) | O_NOFOLLOW |
		O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1)
		return -1;
	if (check_file(dir_fd, fd, st) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

int
mapfile_create(int dir_fd, const char *name)
{
	struct stat dir;
	int fd;

	fd = openat(dir_fd, name,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd != -1 && fstat(dir_fd, &dir) == 0)
		adopt(fd, &dir);
	return fd;
}

int
mapfile_open_lock(int dir_fd, const char *name)
{
	struct stat st;
	int fd, tries;

	for (tries = 0; tries < 8; tries++) {
		fd = mapfile_open_existing(dir_fd, name, &st);
		if (fd != -1 || errno != ENOENT || mapfile_only_looks())
			return fd;
		fd = mapfile_create(dir_fd, name);
		if (fd != -1 || errno != EEXIST)
			return fd;
	}
	return -1;
}

bool
mapfile_may_make(int error)
{
	return (error == ENOENT && role != MAPFILE_ONLOOKER) ||
	    (error == EINVAL && role == MAPFILE_SERVICE);
}

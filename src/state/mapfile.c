/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Files that processes share by mapping them.  It hides how such a file comes
 * into being while others want it at the same moment: whoever makes one holds
 * the lock of the directory, writes it whole beside its place and renames it.
 * A request meets this floor only through what slots, health, meters and
 * budgets have mapped before.
 */
#include "config.h"

#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "state/mapfile.h"

#define LOCK_NAME "lock"
#define NAME_SIZE 256

/* Stands before the caller's bytes; its size keeps them aligned. */
struct header {
	uint64_t magic;
	uint64_t bytes;
	_Atomic uint64_t grown; /* of bytes, those that have blocks */
	uint64_t inode;
	char reserved[32];
};

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

const char *
mapfile_error(int error)
{
	return error == EINVAL
	    ? "is of another version of tailgate, which serves; use that "
	      "version's commands, or reload the gateway (SIGHUP)"
	    : strerror(error);
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

static int
check_dir_fd(int fd, const char *dir, char *why, size_t size)
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

	if ((a = mapfile_open_lock(dir_fd, LOCK_NAME)) == -1 ||
	    (b = mapfile_open_lock(dir_fd, LOCK_NAME)) == -1)
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
	if (check_dir_fd(fd, path, why, size) == -1) {
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

static int
open_existing(int dir_fd, const char *name, struct stat *st)
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

static int
create(int dir_fd, const char *name)
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
		fd = open_existing(dir_fd, name, &st);
		if (fd != -1 || errno != ENOENT || mapfile_only_looks())
			return fd;
		fd = create(dir_fd, name);
		if (fd != -1 || errno != EEXIST)
			return fd;
	}
	return -1;
}

/* Real zeros, not a hole: a store into a hole of a full disk is SIGBUS. */
static int
fill(int fd, size_t from, size_t upto)
{
	static const char zeros[16384];
	size_t done, part;
	ssize_t n;

	for (done = from; done < upto; done += (size_t)n) {
		part = upto - done;
		if (part > sizeof(zeros))
			part = sizeof(zeros);
		n = pwrite(
		    fd, zeros, part, (off_t)(sizeof(struct header) + done));
		if (n == -1)
			return -1;
	}
	return 0;
}

static int
fill_new(int fd, struct header *h)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -1;
	h->inode = st.st_ino;
	if (write(fd, h, sizeof(*h)) != (ssize_t)sizeof(*h)) {
		errno = ENOSPC;
		return -1;
	}
	if (fill(fd, 0, h->grown) == -1)
		return -1;
	return ftruncate(fd, (off_t)(sizeof(*h) + h->bytes));
}

/* Under the directory's lock, so there is one maker and one spare name. */
static int
make_file(int dir_fd, const char *name, struct header *h)
{
	char spare[NAME_SIZE];
	int fd, saved;

	snprintf(spare, sizeof(spare), ".%s.new", name);
	unlinkat(dir_fd, spare, 0);
	if ((fd = create(dir_fd, spare)) == -1)
		return -1;
	if (fill_new(fd, h) == 0 && renameat(dir_fd, spare, dir_fd, name) == 0)
		return fd;
	saved = errno;
	unlinkat(dir_fd, spare, 0);
	close(fd);
	errno = saved;
	return -1;
}

/* Maps an open file if it is what is wanted; NULL with EINVAL where not. */
static void *
map(int fd, const struct stat *st, uint64_t magic, size_t bytes)
{
	struct header *h;
	size_t all = sizeof(*h) + bytes;

	if (st->st_size != (off_t)all) {
		errno = EINVAL;
		return NULL;
	}
	h = mmap(NULL, all,
	    mapfile_only_looks() ? PROT_READ : PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	if (h == MAP_FAILED)
		return NULL;
	if (h->magic != magic || h->bytes != bytes) {
		munmap(h, all);
		errno = EINVAL;
		return NULL;
	}
	return h + 1;
}

/* What is there already; NULL with ENOENT or EINVAL: it has to be made. */
static void *
map_existing(int dir_fd, const char *name, uint64_t magic, size_t bytes)
{
	struct stat st;
	void *p;
	int fd, saved;

	if ((fd = open_existing(dir_fd, name, &st)) == -1)
		return NULL;
	p = map(fd, &st, magic, bytes);
	saved = errno;
	close(fd);
	errno = saved;
	return p;
}

/* May it be made, since it could not be opened for this reason? */
static bool
may_make(int error)
{
	return (error == ENOENT && role != MAPFILE_ONLOOKER) ||
	    (error == EINVAL && role == MAPFILE_SERVICE);
}

/* For an onlooker: as one that has just been made. */
static void *
map_zeros(size_t bytes)
{
	struct header *h;

	h = mmap(
	    NULL, sizeof(*h) + bytes, PROT_READ, MAP_PRIVATE | MAP_ANON, -1, 0);
	return h == MAP_FAILED ? NULL : h + 1;
}

static void *
map_new(int dir_fd, const char *name, struct header *h)
{
	struct stat st;
	void *p = NULL;
	int lock, fd;

	if ((lock = mapfile_open_lock(dir_fd, LOCK_NAME)) == -1)
		return NULL;
	while (flock(lock, LOCK_EX) == -1)
		if (errno != EINTR)
			goto out;
	p = map_existing(dir_fd, name, h->magic, h->bytes);
	if (p != NULL || !may_make(errno))
		goto out;
	if ((fd = make_file(dir_fd, name, h)) == -1)
		goto out;
	if (fstat(fd, &st) == 0)
		p = map(fd, &st, h->magic, h->bytes);
	close(fd);
out:
	close(lock);
	return p;
}

void *
mapfile_open(const char *dir, const char *name, uint64_t magic, size_t bytes)
{
	return mapfile_open_part(dir, name, magic, bytes, bytes);
}

/* Under the directory's lock: the blocks, then the word that they exist. */
static int
grow(int dir_fd, const char *name, struct header *h, size_t upto)
{
	struct stat st;
	int fd, rv;

	if (h->grown >= upto)
		return 0;
	if ((fd = open_existing(dir_fd, name, &st)) == -1)
		return -1;
	if (st.st_ino != h->inode) { /* replaced since it was mapped */
		close(fd);
		errno = ENOENT;
		return -1;
	}
	rv = fill(fd, h->grown, upto);
	if (rv == 0)
		atomic_store(&h->grown, upto);
	close(fd);
	return rv;
}

int
mapfile_grow(const char *dir, const char *name, void *p, size_t upto)
{
	struct header *h = (struct header *)p - 1;
	int dir_fd, lock = -1, rv = -1;

	if (mapfile_grown(p) >= upto)
		return 0;
	if (mapfile_only_looks() || upto > h->bytes) {
		errno = EINVAL;
		return -1;
	}
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir_fd != -1 &&
	    (lock = mapfile_open_lock(dir_fd, LOCK_NAME)) != -1) {
		while ((rv = flock(lock, LOCK_EX)) == -1 && errno == EINTR)
			continue;
		if (rv == 0)
			rv = grow(dir_fd, name, h, upto);
	}
	if (lock != -1)
		close(lock);
	if (dir_fd != -1)
		close(dir_fd);
	return rv;
}

size_t
mapfile_grown(const void *p)
{
	return ((const struct header *)p - 1)->grown;
}

void *
mapfile_open_part(const char *dir, const char *name, uint64_t magic,
    size_t bytes, size_t first)
{
	struct header new = { .magic = magic, .bytes = bytes, .grown = first };
	char why[1200];
	void *p;
	int dir_fd, saved;

	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir_fd == -1)
		return mapfile_only_looks() && errno == ENOENT
		    ? map_zeros(bytes)
		    : NULL;
	if (check_dir_fd(dir_fd, dir, why, sizeof(why)) == -1) {
		close(dir_fd);
		errno = EPERM;
		return NULL;
	}
	p = map_existing(dir_fd, name, magic, bytes);
	if (p == NULL && may_make(errno))
		p = map_new(dir_fd, name, &new);
	else if (p == NULL && errno == ENOENT)
		p = map_zeros(bytes);
	saved = errno;
	close(dir_fd);
	errno = saved;
	return p;
}

void
mapfile_close(void *p, size_t bytes)
{
	struct header *h = p;

	if (p != NULL)
		munmap(h - 1, sizeof(*h) + bytes);
}

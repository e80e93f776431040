/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Files that processes share by mapping them: hides how a file is made while
 * other processes want it, too.  The maker holds the directory's lock, writes
 * the file whole under another name and renames it.  Requests use only what
 * slots, health, meters and budgets mapped at the start.
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

#include "state/mapfile_internal.h"

#define NAME_SIZE 256

/* Precedes the caller's bytes; its size keeps them aligned. */
struct header {
	uint64_t magic;
	uint64_t bytes;
	_Atomic uint64_t grown; /* of bytes, those that have blocks */
	uint64_t inode;
	char reserved[32];
};

const char *
mapfile_error(int error)
{
	return error == EINVAL
	    ? "is of another version of tailgate, which serves; use that "
	      "version's commands, or reload the gateway (SIGHUP)"
	    : strerror(error);
}

/* Real zeros, not a hole: a store into a hole on a full disk raises SIGBUS. */
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
	if ((fd = mapfile_create(dir_fd, spare)) == -1)
		return -1;
	if (fill_new(fd, h) == 0 && renameat(dir_fd, spare, dir_fd, name) == 0)
		return fd;
	saved = errno;
	unlinkat(dir_fd, spare, 0);
	close(fd);
	errno = saved;
	return -1;
}

/* Maps an open file if it has the right form; NULL with EINVAL if not. */
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

/* The existing file; NULL with ENOENT or EINVAL: it has to be made. */
static void *
map_existing(int dir_fd, const char *name, uint64_t magic, size_t bytes)
{
	struct stat st;
	void *p;
	int fd, saved;

	if ((fd = mapfile_open_existing(dir_fd, name, &st)) == -1)
		return NULL;
	p = map(fd, &st, magic, bytes);
	saved = errno;
	close(fd);
	errno = saved;
	return p;
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

	if ((lock = mapfile_open_lock(dir_fd, MAPFILE_LOCK)) == -1)
		return NULL;
	while (flock(lock, LOCK_EX) == -1)
		if (errno != EINTR)
			goto out;
	p = map_existing(dir_fd, name, h->magic, h->bytes);
	if (p != NULL || !mapfile_may_make(errno))
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
	if ((fd = mapfile_open_existing(dir_fd, name, &st)) == -1)
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
	    (lock = mapfile_open_lock(dir_fd, MAPFILE_LOCK)) != -1) {
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
	if (mapfile_check_dir_fd(dir_fd, dir, why, sizeof(why)) == -1) {
		close(dir_fd);
		errno = EPERM;
		return NULL;
	}
	p = map_existing(dir_fd, name, magic, bytes);
	if (p == NULL && mapfile_may_make(errno))
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

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides where a request's body is.  It runs after identify and before the call
 * is measured: the body is read to its end here, once, and is a span from then
 * on, in memory or in an unlinked file.  Memory grows with the bytes that came,
 * not with the length announced: up to that, address space is taken once the
 * first part is there, and the kernel fills it as it is written to.
 */
#include "config.h"

#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/task.h"
#include "wire/spool.h"

/* A body up to here takes one malloc and no growing. */
#define SPOOL_FIRST_BYTES ((size_t)256 * 1024)
#define SPOOL_UNKNOWN_BYTES ((size_t)16 * 1024)
#define SPOOL_COPY_BYTES ((size_t)64 * 1024)
/* From here on memory comes in huge pages, and is rounded up to whole ones
 * where that is little of it. */
#define SPOOL_HUGE_BYTES ((size_t)2 * 1024 * 1024)
#define SPOOL_ROUND_BYTES (4 * SPOOL_HUGE_BYTES)
/* The memory of a body of such a size is kept for the next one: agents send
 * one with every turn, and a page fault for each 4 KiB of it takes a tenth of
 * what the whole request does. */
#define SPARE_LEAST_BYTES ((size_t)64 * 1024)
#define SPARE_MOST_BYTES ((size_t)1024 * 1024 + 4096)

/* Of tasks, which are one at a time; a thread has none. */
static struct {
	char *memory;
	size_t size;
} spare;

void
spool_init(struct spool *s, const char *dir, size_t memory_max,
    struct memory_hold *hold)
{
	memset(s, 0, sizeof(*s));
	s->fd = -1;
	s->dir = dir;
	s->hold = hold;
	/* None takes more than a quarter of what all have. */
	if (memory_max > memory_budget() / 4)
		memory_max = memory_budget() / 4;
	s->memory_max = memory_max;
}

static int
open_unlinked(const char *dir)
{
	char path[PATH_MAX];
	int fd;

#ifdef O_TMPFILE
	fd = open(dir, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (fd != -1 || errno == ENOENT || errno == EACCES)
		return fd;
#endif
	if (snprintf(path, sizeof(path), "%s/body.XXXXXXXXXX", dir) >=
	    (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd != -1 && unlink(path) == -1) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

struct writing {
	int fd;
	const char *p;
	size_t len;
	int error;
};

static void
write_here(void *ctx)
{
	struct writing *w = ctx;

	while (w->len > 0) {
		ssize_t n = write(w->fd, w->p, w->len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			w->error = errno;
			return;
		}
		w->p += n;
		w->len -= (size_t)n;
	}
}

/* A disk may hang. */
static int
write_all(int fd, const char *p, size_t len)
{
	struct writing w = { fd, p, len, 0 };

	task_offload(write_here, &w);
	errno = w.error;
	return w.error == 0 ? 0 : -1;
}

/* A page fault for each 4 KiB would cost more than reading a large body. */
static char *
alloc_huge(size_t size)
{
	void *p;

	if (size >= SPOOL_ROUND_BYTES)
		size = (size + SPOOL_HUGE_BYTES - 1) & ~(SPOOL_HUGE_BYTES - 1);
	if (posix_memalign(&p, SPOOL_HUGE_BYTES, size) != 0)
		return NULL;
#ifdef MADV_HUGEPAGE
	madvise(p, size, MADV_HUGEPAGE);
#endif
	return p;
}

/* The charge is all of it, before the bytes come: what has been begun can be
 * ended. */
static bool
charge(struct spool *s, size_t size)
{
	if (size > s->charged) {
		if (!memory_take(s->hold, size - s->charged))
			return false;
	} else
		memory_give(s->hold, s->charged - size);
	s->charged = size;
	return true;
}

/* For a body of that length there is a spare, which is its memory now.  False:
 * there is none, or no more memory for this request. */
static bool
take_spare(struct spool *s, long long length)
{
	if (task_self() == NULL || length < (long long)SPARE_LEAST_BYTES ||
	    (size_t)length >= spare.size || spare.size > s->memory_max ||
	    !charge(s, spare.size))
		return false;
	s->memory = spare.memory;
	s->size = spare.size;
	spare.memory = NULL;
	spare.size = 0;
	return true;
}

/* Frees the memory, or keeps it as the spare. */
static void
free_memory(struct spool *s)
{
	char *p = s->memory;

	if (task_self() != NULL && s->size > spare.size &&
	    s->size > SPARE_LEAST_BYTES && s->size <= SPARE_MOST_BYTES) {
		p = spare.memory;
		spare.memory = s->memory;
		spare.size = s->size;
	}
	free(p);
}

static bool
resize(struct spool *s, size_t size)
{
	char *p;

	if (!charge(s, size))
		return false;
	if (size < SPOOL_HUGE_BYTES)
		p = realloc(s->memory, size);
	else if ((p = alloc_huge(size)) != NULL) {
		if (s->len > 0)
			memcpy(p, s->memory, s->len);
		free(s->memory);
	}
	if (p == NULL)
		return false; /* what is charged goes with the rest */
	s->memory = p;
	s->size = size;
	return true;
}

/* One byte more than the body, so that reading finds its end without growing
 * once more. */
static size_t
first_size(const struct spool *s, long long length)
{
	size_t size = SPOOL_UNKNOWN_BYTES;

	if (length >= 0)
		size = (unsigned long long)length < SPOOL_FIRST_BYTES
		    ? (size_t)length + 1
		    : SPOOL_FIRST_BYTES;
	return size <= s->memory_max ? size : s->memory_max + 1;
}

/* The next size, where what came has filled this one. */
static bool
grow(struct spool *s, long long length)
{
	size_t size = s->size < SIZE_MAX / 2 ? s->size * 2 : SIZE_MAX;

	if (length >= 0 && (unsigned long long)length >= s->size)
		size = (size_t)length + 1;
	if (size > s->memory_max)
		size = s->memory_max + 1;
	return resize(s, size);
}

/* Reads until the end, or until the memory is full (SPOOL_OK, *full). */
static enum spool_result
read_memory(struct spool *s, struct io *io, long long length, size_t max_bytes,
    bool *full)
{
	ssize_t n;

	*full = false;
	if (!take_spare(s, length) && !resize(s, first_size(s, length)))
		return SPOOL_STARVED;
	for (;;) {
		if (s->len > max_bytes)
			return SPOOL_TOO_LARGE;
		if (s->len > s->memory_max) {
			*full = true;
			return SPOOL_OK;
		}
		if (s->len == s->size && !grow(s, length))
			return SPOOL_STARVED;
		n = io_read(io, s->memory + s->len, s->size - s->len);
		if (n == -1)
			return SPOOL_CUT;
		if (n == 0)
			return SPOOL_OK;
		s->len += (size_t)n;
	}
}

/* The rest of a body whose beginning is in the file already. */
static enum spool_result
copy_rest(struct spool *s, int fd, struct io *io, size_t max_bytes)
{
	ssize_t n;

	while ((n = io_read(io, s->memory, s->size)) > 0) {
		s->len += (size_t)n;
		if (s->len > max_bytes)
			return SPOOL_TOO_LARGE;
		if (write_all(fd, s->memory, (size_t)n) == -1)
			return SPOOL_ERROR;
	}
	return n == 0 ? SPOOL_OK : SPOOL_CUT;
}

/* Replaces the memory by the mapping. */
static enum spool_result
map(struct spool *s, int fd)
{
	void *p = mmap(NULL, s->len, PROT_READ, MAP_PRIVATE, fd, 0);

	if (p == MAP_FAILED)
		return errno == ENOMEM ? SPOOL_STARVED : SPOOL_ERROR;
	free(s->memory);
	charge(s, 0);
	s->memory = p;
	s->size = s->len;
	s->fd = fd;
	return SPOOL_OK;
}

/* Its content is in the file. */
static bool
make_copy_room(struct spool *s)
{
	free(s->memory);
	s->memory = NULL;
	s->size = 0;
	if (!charge(s, SPOOL_COPY_BYTES))
		return false;
	s->memory = memory_alloc(SPOOL_COPY_BYTES);
	s->size = SPOOL_COPY_BYTES;
	return true;
}

static enum spool_result
read_file(struct spool *s, struct io *io, size_t max_bytes)
{
	enum spool_result result = SPOOL_ERROR;
	int saved, fd = open_unlinked(s->dir);

	if (fd == -1)
		return SPOOL_ERROR;
	if (write_all(fd, s->memory, s->len) == 0) {
		result = SPOOL_STARVED;
		if (make_copy_room(s))
			result = copy_rest(s, fd, io, max_bytes);
		if (result == SPOOL_OK)
			result = map(s, fd);
	}
	if (result != SPOOL_OK) {
		saved = errno;
		close(fd);
		errno = saved;
	}
	return result;
}

enum spool_result
spool_read(struct spool *s, struct io *io, long long length, size_t max_bytes)
{
	enum spool_result result;
	bool full;
	int saved;

	if (length >= 0 && (unsigned long long)length > max_bytes)
		return SPOOL_TOO_LARGE;
	result = read_memory(s, io, length, max_bytes, &full);
	if (result == SPOOL_OK && full)
		result = read_file(s, io, max_bytes);
	/* More than announced is as wrong as less. */
	if (result == SPOOL_OK && length >= 0 &&
	    s->len != (unsigned long long)length)
		result = SPOOL_CUT;
	if (result != SPOOL_OK) {
		saved = errno;
		spool_free(s);
		errno = saved;
	}
	return result;
}

struct span
spool_span(const struct spool *s)
{
	return (struct span){ s->memory, s->len };
}

void
spool_free(struct spool *s)
{
	charge(s, 0);
	if (s->fd == -1) {
		free_memory(s);
	} else {
		munmap(s->memory, s->size);
		close(s->fd);
	}
	s->memory = NULL;
	s->len = s->size = 0;
	s->fd = -1;
}

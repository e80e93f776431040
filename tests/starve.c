/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Memory that runs out when a test says so: a library for LD_PRELOAD.  The file
 * that TAILGATE_TEST_STARVE names holds a struct starve, which the test writes
 * in place.  Of one process's allocations of at least `least` bytes, `many`
 * fail, from number `from` on.  So do `lookups` lookups of names, of which all
 * others find the loopback address.
 */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mapped.h"

/* glibc's own functions, for a library that replaces malloc(3). */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

/* Native 64-bit numbers, for the test to write. */
struct starve {
	_Atomic int64_t pid; /* 0: nothing fails */
	_Atomic int64_t from; /* 1: the next one */
	_Atomic int64_t many;
	_Atomic int64_t least;
	_Atomic int64_t seen; /* counted since the test set it to 0 */
	_Atomic int64_t failed;
	_Atomic int64_t lookups; /* that are still to fail, of all processes */
};

static struct starve *volatile starve;

__attribute__((constructor)) static void
begin(void)
{
	starve = mapped_file(
	    "TAILGATE_TEST_STARVE", sizeof(*starve), PROT_READ | PROT_WRITE);
}

static int
fails(size_t bytes)
{
	struct starve *s = starve;
	int64_t number;

	if (s == NULL || s->pid == 0 || s->pid != getpid() ||
	    bytes < (size_t)s->least)
		return 0;
	number = ++s->seen;
	if (number < s->from || number >= s->from + s->many)
		return 0;
	s->failed++;
	errno = ENOMEM;
	return 1;
}

void *
malloc(size_t bytes)
{
	return fails(bytes) ? NULL : __libc_malloc(bytes);
}

void *
calloc(size_t n, size_t bytes)
{
	return fails(n * bytes) ? NULL : __libc_calloc(n, bytes);
}

void *
realloc(void *old, size_t bytes)
{
	return bytes > 0 && fails(bytes) ? NULL : __libc_realloc(old, bytes);
}

/* Used for the stacks of tasks. */
void *
mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	if ((flags & MAP_ANONYMOUS) != 0 && fails(bytes))
		return MAP_FAILED;
	return (void *)syscall(
	    SYS_mmap, at, bytes, protection, flags, fd, offset);
}

int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
    struct addrinfo **out)
{
	static int (*next)(const char *, const char *, const struct addrinfo *,
	    struct addrinfo **);

	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
	if (starve != NULL && starve->lookups > 0) {
		starve->lookups--;
		return EAI_MEMORY;
	}
	return next(name == NULL ? NULL : "127.0.0.1", service, hints, out);
}

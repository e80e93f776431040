/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The file by which a test controls a library of LD_PRELOAD.  It is mapped
 * before a sandbox closes.
 */
#ifndef TESTS_MAPPED_H
#define TESTS_MAPPED_H

#include <sys/mman.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* The first bytes of the file that an environment variable names; protection is
 * PROT_READ, with PROT_WRITE or without.  NULL: there is none. */
static inline void *
mapped_file(const char *variable, size_t bytes, int protection)
{
	const char *path = getenv(variable);
	int flags = protection & PROT_WRITE ? O_RDWR : O_RDONLY;
	int fd = path == NULL ? -1 : open(path, flags | O_CLOEXEC);
	void *map;

	if (fd == -1)
		return NULL;
	map = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);
	close(fd);
	return map == MAP_FAILED ? NULL : map;
}

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Removes the directory of a unit test, or only what is in it.  Ends the test
 * if that fails.
 */
#ifndef TESTS_UNIT_DIRECTORY_H
#define TESTS_UNIT_DIRECTORY_H

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int directory_from; /* the level of the walk at which removing begins */

static inline int
directory_remove_one(const char *path, const struct stat *st, int type,
    struct FTW *walk)
{
	(void)st;
	(void)type;
	return walk->level < directory_from ? 0 : remove(path);
}

static inline void
directory_walk(const char *dir, int from)
{
	directory_from = from;
	if (nftw(dir, directory_remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0) {
		printf("Bail out! %s: %s\n", dir, strerror(errno));
		exit(99);
	}
}

/* Afterwards the directory is empty. */
static inline void
directory_clear(const char *dir)
{
	directory_walk(dir, 1);
}

static inline void
directory_remove(const char *dir)
{
	directory_walk(dir, 0);
}

#endif

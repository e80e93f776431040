/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides who uses which file of budgets: each process holds a lock on a file in
 * runtime_dir/budget.users whose name is the id of the process's budgets file.
 */
#include "config.h"

#include <sys/file.h>

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "state/budget_internal.h"
#include "state/mapfile.h"

#define USERS_NAME "budget.users"

static int
open_users(const struct budget_book *b, char *why, size_t size)
{
	return mapfile_open_dir(b->config->runtime_dir, USERS_NAME, why, size);
}

static void
user_name(uint64_t id, char name[17])
{
	snprintf(name, 17, "%016" PRIx64, id);
}

/* If several look at once, one of them finds it. */
static uint64_t
id_of(struct budget_book *b)
{
	uint64_t id;

	budget_lock(b);
	while (b->file->id == 0)
		arc4random_buf(&b->file->id, sizeof(b->file->id));
	id = b->file->id;
	budget_unlock(b);
	return id;
}

int
budget_users_join(struct budget_book *b, char *why, size_t size)
{
	char name[17];
	int dir;

	if (mapfile_only_looks())
		return 0;
	if ((dir = open_users(b, why, size)) == -1)
		return -1;
	user_name(id_of(b), name);
	b->user_fd = mapfile_open_lock(dir, name);
	close(dir);
	if (b->user_fd != -1 && flock(b->user_fd, LOCK_SH) == 0)
		return 0;
	snprintf(why, size, "%s/%s/%s: %s", b->config->runtime_dir, USERS_NAME,
	    name, strerror(errno));
	return -1;
}

/* Does a process hold its lock?  If not, the file is removed. */
static bool
is_used(int dir, const char *name)
{
	int fd = mapfile_open_lock(dir, name);
	bool used = fd == -1 || flock(fd, LOCK_EX | LOCK_NB) == -1;

	if (!used)
		unlinkat(dir, name, 0);
	if (fd != -1)
		close(fd);
	return used;
}

/* A process that can't be checked counts. */
bool
budget_users_others(const struct budget_book *b)
{
	char why[512], own[17];
	struct dirent *entry;
	int fd = open_users(b, why, sizeof(why));
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	bool found = dir == NULL;

	user_name(b->file->id, own);
	while (!found && (entry = readdir(dir)) != NULL)
		found = strlen(entry->d_name) == 16 &&
		    strcmp(entry->d_name, own) != 0 &&
		    is_used(fd, entry->d_name);
	if (dir != NULL)
		closedir(dir);
	else if (fd != -1)
		close(fd);
	return found;
}

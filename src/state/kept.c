/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a file is replaced as a whole, and which files are not ours.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "state/kept.h"

#define FILE_MAX_BYTES (4 * 1024 * 1024)

static int
kept_open(const char *path)
{
	struct stat st;
	int fd;

	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    st.st_size > FILE_MAX_BYTES) {
		log_warn("%s: not a file of ours", path);
		close(fd);
		return -1;
	}
	return fd;
}

json_t *
kept_load(const struct config *config, const char *name)
{
	char path[4096];
	json_error_t error;
	json_t *root;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", config->runtime_dir, name);
	if ((fd = kept_open(path)) == -1)
		return NULL;
	root = json_loadfd(fd, JSON_REJECT_DUPLICATES, &error);
	close(fd);
	if (root == NULL)
		log_warn("%s:%d: %s", path, error.line, error.text);
	return root;
}

/* The service must be able to read what root has written. */
static void
adopt(const struct config *config, const char *path, int fd)
{
	struct stat dir;

	if (geteuid() == 0 && stat(config->runtime_dir, &dir) == 0 &&
	    fchown(fd, dir.st_uid, dir.st_gid) == -1)
		log_warn("%s: fchown: %s", path, strerror(errno));
}

int
kept_store(const struct config *config, const char *name, const json_t *root)
{
	char path[4096], temp[4096 + 16];
	int fd, saved, result = -1;

	snprintf(path, sizeof(path), "%s/%s", config->runtime_dir, name);
	snprintf(temp, sizeof(temp), "%s.XXXXXX", path);
	if ((fd = mkostemp(temp, O_CLOEXEC)) == -1)
		return -1;
	adopt(config, path, fd);
	result = json_dumpfd(root, fd, JSON_INDENT(1));
	if (close(fd) == -1 || result == -1 || rename(temp, path) == -1) {
		saved = errno;
		unlink(temp);
		errno = saved;
		result = -1;
	}
	return result;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a file is replaced.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/replace.h"

static int
write_all(int fd, const struct buf *text)
{
	size_t done = 0;

	while (done < text->len) {
		ssize_t n = write(fd, text->p + done, text->len - done);

		if (n == -1 && errno != EINTR)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	return fsync(fd);
}

/* The directory that path lies in. */
static int
stat_directory(const char *path, struct stat *st)
{
	const char *slash = strrchr(path, '/');
	char *dir;
	int status;

	if (slash == NULL)
		return stat(".", st);
	if ((dir = strndup(path, (size_t)(slash - path) + 1)) == NULL)
		fatal("out of memory");
	status = stat(dir, st);
	free(dir);
	return status;
}

int
replace_own(int fd, const char *path, unsigned mode)
{
	uid_t owner = (uid_t)-1;
	struct stat st;

	if (stat(path, &st) == 0)
		owner = st.st_uid;
	else if (errno != ENOENT || stat_directory(path, &st) == -1)
		return -1;
	/* Who may not give a file away may still give it to a group. */
	if (fchown(fd, owner, st.st_gid) == -1 &&
	    (errno != EPERM ||
		(fchown(fd, (uid_t)-1, st.st_gid) == -1 && errno != EPERM)))
		return -1;
	return fchmod(fd, mode);
}

int
replace_file(const char *path, const struct buf *text, unsigned mode)
{
	mode_t mask = umask(077);
	char *temp = NULL;
	int fd, status = 0, why;

	if (asprintf(&temp, "%s.tailgate-XXXXXX", path) == -1)
		fatal("out of memory");
	fd = mkostemp(temp, O_CLOEXEC);
	umask(mask);
	if (fd == -1)
		status = -1;
	else if (replace_own(fd, path, mode) == -1 ||
	    write_all(fd, text) == -1 || close(fd) == -1 ||
	    rename(temp, path) == -1) {
		status = -1;
		why = errno;
		unlink(temp);
		errno = why;
	}
	free(temp);
	return status;
}

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
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl/replace.h"

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
	else if (write_all(fd, text) == -1 || fchmod(fd, mode) == -1 ||
	    close(fd) == -1 || rename(temp, path) == -1) {
		status = -1;
		why = errno;
		unlink(temp);
		errno = why;
	}
	free(temp);
	return status;
}

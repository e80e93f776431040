/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how the new program's messages are read, and that it may hang.
 */
#include "config.h"

#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/settings.h"
#include "serve/proof.h"
#include "serve/upgrade.h"

/* Loading 65,536 clients takes a second. */
#define PROOF_MS 60000
#define SAID_BYTES 16384

struct proof {
	pid_t pid;
	int fd;
	int64_t until_ms;
	size_t len;
	char said[SAID_BYTES];
};

const char *
proof_clients_are_gone(const char *read_file, const struct config *next)
{
	static char said[4200];

	if (read_file == NULL || next->clients_read ||
	    strcmp(read_file, next->clients_file) != 0)
		return NULL;
	snprintf(said, sizeof(said),
	    "%s is gone; if it shall have no clients, write `clients = ( );` "
	    "into it",
	    read_file);
	return said;
}

struct proof *
proof_start(const char *config_path, const char *read_file)
{
	struct proof *p = calloc(1, sizeof(*p));
	int ends[2], saved;

	if (p == NULL || pipe(ends) == -1) {
		free(p);
		return NULL;
	}
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	p->fd = ends[0];
	p->until_ms = clock_now_ms() + PROOF_MS;
	p->pid = upgrade_prove(config_path, read_file, ends[1]);
	saved = errno;
	close(ends[1]);
	if (p->pid == -1) {
		close(p->fd);
		free(p);
		errno = saved;
		return NULL;
	}
	return p;
}

pid_t
proof_pid(const struct proof *p)
{
	return p->pid;
}

int
proof_fd(const struct proof *p)
{
	return p->fd;
}

/* What does not fit is read and dropped: a full pipe would block the
 * program. */
void
proof_read(struct proof *p)
{
	char rest[4096];
	ssize_t n;

	do {
		size_t room = sizeof(p->said) - 1 - p->len;

		n = room > 0 ? read(p->fd, p->said + p->len, room)
			     : read(p->fd, rest, sizeof(rest));
		if (room > 0 && n > 0)
			p->len += (size_t)n;
	} while (n > 0);
	if (n == 0) { /* end of file */
		close(p->fd);
		p->fd = -1;
	}
}

void
proof_expire(struct proof *p)
{
	if (clock_now_ms() < p->until_ms)
		return;
	log_error(
	    "the new program did not end its check in %d s", PROOF_MS / 1000);
	p->until_ms = CLOCK_NEVER;
	kill(p->pid, SIGKILL);
}

bool
proof_end(struct proof *p, int status)
{
	bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	char *text = p->said, *line;

	if (p->fd != -1)
		proof_read(p);
	while ((line = strsep(&text, "\n")) != NULL)
		if (*line != '\0')
			log_warn("the new program says: %s", line);
	if (!good && WIFSIGNALED(status))
		log_error(
		    "the new program died of signal %d", WTERMSIG(status));
	if (p->fd != -1)
		close(p->fd);
	free(p);
	return good;
}

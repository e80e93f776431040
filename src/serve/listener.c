/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides where the listening socket comes from.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "serve/listener.h"

/* A burst of connections waits here while others are accepted; lighttpd
 * responds 500 to those that do not fit.  The system caps it (somaxconn). */
#define BACKLOG 4096
#define LISTEN_FDS_START 3

static bool
is_listening(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on;
}

bool
listener_is_cgi(void)
{
	struct stat st;

	return getenv("GATEWAY_INTERFACE") != NULL &&
	    getenv("REQUEST_METHOD") != NULL &&
	    (fstat(STDIN_FILENO, &st) == -1 || !is_listening(STDIN_FILENO));
}

/* sd_listen_fds(3)'s protocol. */
static int
from_environment(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	bool ours = pid != NULL && fds != NULL &&
	    strtol(pid, NULL, 10) == (long)getpid() && strcmp(fds, "1") == 0;

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return ours && is_listening(LISTEN_FDS_START) ? LISTEN_FDS_START : -1;
}

static int
from_stdin(void)
{
	int fd, null;

	if (!is_listening(STDIN_FILENO) ||
	    (fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)) == -1)
		return -1;
	if ((null = open("/dev/null", O_RDONLY)) != -1) {
		dup2(null, STDIN_FILENO);
		close(null);
	}
	return fd;
}

/* Is somebody serving there? */
static bool
is_alive(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool alive = fd != -1 &&
	    connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0;

	if (fd != -1)
		close(fd);
	return alive;
}

/* Removes a socket that a dead pool has left; anything else stays. */
static int
make_room(const struct sockaddr_un *sun, char *why, size_t size)
{
	struct stat st;

	if (lstat(sun->sun_path, &st) == -1)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(why, size,
		    "%s: exists and is not a socket; choose another path",
		    sun->sun_path);
		return -1;
	}
	if (is_alive(sun)) {
		snprintf(why, size,
		    "%s: another pool is serving there; stop it first",
		    sun->sun_path);
		return -1;
	}
	return unlink(sun->sun_path);
}

static int
make_socket(const char *path, char *why, size_t size)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, rc;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		/* It may be longer than the room in any message. */
		snprintf(why, size, "%.*s...: longer than %zu bytes",
		    (int)sizeof(sun.sun_path), path, sizeof(sun.sun_path) - 1);
		return -1;
	}
	strcpy(sun.sun_path, path);
	if (make_room(&sun, why, size) == -1)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	mask = umask(0117); /* 0660: the web server's group */
	rc = bind(fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(mask);
	if (fd == -1 || rc == -1 || listen(fd, BACKLOG) == -1) {
		snprintf(why, size, "%s: %s%s", path, strerror(errno),
		    errno == ENOENT || errno == EACCES
			? "; make its directory, owned by the user that runs "
			  "this: install -d -o USER DIRECTORY"
			: "");
		if (fd != -1)
			close(fd);
		return -1;
	}
	return fd;
}

int
listener_open(const char *path, bool *made, char *why, size_t size)
{
	int fd = from_environment();

	*made = false;
	why[0] = '\0';
	if (fd == -1)
		fd = from_stdin();
	if (fd == -1 && path != NULL) {
		fd = make_socket(path, why, size);
		*made = fd != -1;
	}
	if (fd == -1) {
		if (why[0] == '\0')
			snprintf(why, size,
			    path == NULL
				? "no socket: use -s PATH, or start it from "
				  "lighttpd, spawn-fcgi or systemd"
				: "%s: can't be used as a socket",
			    path);
		return -1;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	/* A worker accepts what has come, without blocking. */
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return fd;
}

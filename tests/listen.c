/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Listening sockets for tests, without a fixed port and without a race.
 *
 *	listen [-0] [-a ADDRESS | -u PATH] [-e NAME] [-p FILE]
 *	    command [argument ...]
 *		makes a listening socket (a port that the kernel chose on
 *		127.0.0.1 or ADDRESS, or PATH) and runs the command with it as
 *		descriptor 3 and LISTEN_FDS, or as descriptor 0 with -0.  The
 *		port goes into the environment as NAME and into FILE.
 *	listen -r -p FILE
 *		keeps a port without listening until it is killed: connections
 *		to it are refused, yet a server that sets SO_REUSEADDR or
 *		SO_REUSEPORT may bind it.
 *	listen -f -p FILE
 *		listens and never accepts, its queue already full: a client that
 *		connects waits (if the kernel drops what does not fit, as Linux
 *		does).
 *	listen -c PATH
 *		exits 0 when somebody listens at PATH.
 */
#include "config.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
unix_address(const char *path, struct sockaddr_un *sun)
{
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(sun->sun_path))
		errx(99, "%s: too long for a socket", path);
	strcpy(sun->sun_path, path);
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int
is_listening(const char *path)
{
	struct sockaddr_un sun;
	int fd = unix_address(path, &sun);

	return connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0 ? 0 : 1;
}

static int
bind_unix(const char *path)
{
	struct sockaddr_un sun;
	int fd = unix_address(path, &sun);

	if (fd == -1 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1)
		err(99, "%s", path);
	return fd;
}

static int
bind_tcp(const char *address, bool shared, char port[8])
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int fd, on = 1;

	if (inet_pton(AF_INET, address, &sin.sin_addr) != 1)
		errx(99, "%s: not an IPv4 address", address);
	if ((fd = socket(AF_INET, SOCK_STREAM, 0)) == -1 ||
	    bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		err(99, "%s", address);
	/* Only after bind(2), so that no other process had the port. */
	if (shared) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	}
	snprintf(port, 8, "%d", ntohs(sin.sin_port));
	return fd;
}

/* Connects until a connection has to wait; all of them stay open. */
static void
fill_queue(int listener)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	struct pollfd p = { .events = POLLOUT };

	if (listen(listener, 0) == -1 ||
	    getsockname(listener, (struct sockaddr *)&sin, &len) == -1)
		err(99, "listen");
	do {
		if ((p.fd = socket(AF_INET, SOCK_STREAM, 0)) == -1)
			err(99, "socket");
		fcntl(p.fd, F_SETFL, O_NONBLOCK);
		if (connect(p.fd, (struct sockaddr *)&sin, len) == -1 &&
		    errno != EINPROGRESS)
			err(99, "connect");
	} while (poll(&p, 1, 200) == 1);
}

/* Written whole at once, so that a reader never sees half a number. */
static void
write_port(const char *path, const char *port)
{
	char tmp[1024];
	FILE *f;

	snprintf(tmp, sizeof(tmp), "%s.new", path);
	if ((f = fopen(tmp, "w")) == NULL || fprintf(f, "%s\n", port) < 0 ||
	    fclose(f) == EOF || rename(tmp, path) == -1)
		err(99, "%s", path);
}

/* Puts it on descriptor `to`, which exec keeps. */
static void
hand_over(int fd, int to)
{
	char pid[16];

	if (fd != to && (dup2(fd, to) == -1 || close(fd) == -1))
		err(99, "dup2");
	if (fcntl(to, F_SETFD, 0) == -1)
		err(99, "fcntl");
	if (to == 0)
		return;
	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_PID", pid, 1);
}

int
main(int argc, char **argv)
{
	const char *path = NULL, *name = NULL, *file = NULL;
	const char *address = "127.0.0.1";
	bool keep = false, zero = false, full = false;
	char port[8] = "";
	int ch, fd;

	while ((ch = getopt(argc, argv, "+0a:c:e:fp:ru:")) != -1)
		switch (ch) {
		case '0':
			zero = true;
			break;
		case 'a':
			address = optarg;
			break;
		case 'c':
			return is_listening(optarg);
		case 'e':
			name = optarg;
			break;
		case 'f':
			keep = full = true;
			break;
		case 'p':
			file = optarg;
			break;
		case 'r':
			keep = true;
			break;
		case 'u':
			path = optarg;
			break;
		default:
			return 99;
		}
	if (!keep && optind == argc)
		errx(99, "no command");
	fd = path != NULL ? bind_unix(path)
			  : bind_tcp(address, keep && !full, port);
	if (!keep && listen(fd, 1024) == -1)
		err(99, "listen");
	if (full)
		fill_queue(fd);
	if (file != NULL)
		write_port(file, port);
	while (keep)
		pause();
	if (name != NULL)
		setenv(name, port, 1);
	hand_over(fd, zero ? 0 : 3);
	execvp(argv[optind], argv + optind);
	err(99, "%s", argv[optind]);
}

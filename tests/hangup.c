/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A client that hangs up, for tests/cancel.sh.
 *
 *	hangup [-k path] host:port REQUEST ANSWER
 *
 * sends the bytes of the file REQUEST on a new connection and writes what comes
 * back to the file ANSWER.  With -k it first requests path, whose response has
 * a Content-Length, on the same connection.  On SIGTERM it closes the
 * connection and prints the time: CLOCK_MONOTONIC in ns, and the time of day in
 * ms.  When the other side closes first it prints "eof".
 *
 *	hangup -t
 *
 * prints the present time the same way.
 */
#include "config.h"

#include <sys/socket.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int hang_up[2];

static void
on_term(int sig)
{
	(void)sig;
	if (write(hang_up[1], "", 1) == -1)
		_exit(99);
}

static int
connect_to(const char *target)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV },
			*ai;
	const char *colon = strrchr(target, ':');
	char host[64];
	int fd, on = 1;

	if (colon == NULL)
		errx(99, "%s: no port", target);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - target), target);
	if (getaddrinfo(host, colon + 1, &hints, &ai) != 0)
		errx(99, "%s: no address and port", target);
	if ((fd = socket(ai->ai_family, SOCK_STREAM, 0)) == -1 ||
	    connect(fd, ai->ai_addr, ai->ai_addrlen) == -1)
		err(99, "%s", target);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	freeaddrinfo(ai);
	return fd;
}

static void
send_all(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n == -1)
			err(99, "send");
		p += n;
		len -= (size_t)n;
	}
}

/* One request and its response, so that the connection is not a new one. */
static void
warm(int fd, const char *path)
{
	char buf[65536], *end, *value;
	size_t len = 0, want = SIZE_MAX;
	ssize_t n;

	snprintf(buf, sizeof(buf), "GET %s HTTP/1.1\r\nHost: t\r\n\r\n", path);
	send_all(fd, buf, strlen(buf));
	while (len < want) {
		n = recv(fd, buf + len, sizeof(buf) - 1 - len, 0);
		if (n <= 0)
			errx(99, "%s: no answer", path);
		len += (size_t)n;
		buf[len] = '\0';
		if ((end = strstr(buf, "\r\n\r\n")) == NULL)
			continue;
		if ((value = strcasestr(buf, "\r\nContent-Length:")) == NULL)
			errx(99, "%s: no length", path);
		want = (size_t)(end + 4 - buf) + strtoul(value + 17, NULL, 10);
	}
}

static void
send_file(int fd, const char *path)
{
	char buf[65536];
	int file = open(path, O_RDONLY);
	ssize_t n;

	if (file == -1)
		err(99, "%s", path);
	while ((n = read(file, buf, sizeof(buf))) > 0)
		send_all(fd, buf, (size_t)n);
	close(file);
}

static void
say_now(void)
{
	struct timespec mono, wall;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &wall);
	printf("%" PRId64 " %" PRId64 "\n",
	    (int64_t)mono.tv_sec * 1000000000 + mono.tv_nsec,
	    (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000);
}

static void
receive(int fd, int response)
{
	struct pollfd fds[2] = { { .fd = hang_up[0], .events = POLLIN },
		{ .fd = fd, .events = POLLIN } };
	char buf[65536];
	ssize_t n;

	for (;;) {
		if (poll(fds, 2, -1) == -1 && errno != EINTR)
			err(99, "poll");
		if (fds[1].revents != 0) {
			if ((n = recv(fd, buf, sizeof(buf), 0)) <= 0) {
				puts("eof");
				return;
			}
			if (write(response, buf, (size_t)n) != n)
				err(99, "write");
		}
		if (fds[0].revents != 0) {
			close(fd);
			say_now();
			return;
		}
	}
}

int
main(int argc, char **argv)
{
	const char *path = NULL;
	int ch, fd, response;

	while ((ch = getopt(argc, argv, "k:t")) != -1) {
		if (ch == 't') {
			say_now();
			return 0;
		}
		if (ch != 'k')
			return 99;
		path = optarg;
	}
	if (optind + 3 != argc)
		errx(99, "usage: hangup [-k path] target request answer");
	if (pipe(hang_up) == -1)
		err(99, "pipe");
	signal(SIGTERM, on_term);
	response = open(argv[optind + 2], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (response == -1)
		err(99, "%s", argv[optind + 2]);
	fd = connect_to(argv[optind]);
	if (path != NULL)
		warm(fd, path);
	send_file(fd, argv[optind + 1]);
	receive(fd, response);
	return 0;
}

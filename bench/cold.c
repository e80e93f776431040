/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The time from exec to the first response.  Starts a FastCGI program with a
 * listening socket as descriptor 0, connects at once, asks for /v1/models and
 * waits for the end of the response.  Prints ms, one line per run.
 *
 *	cold SOCKET KEY RUNS command [argument ...]
 */
#include "config.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../tests/text.h"

static int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void
record(struct text *out, int type, const char *p, size_t len)
{
	unsigned char head[8] = { 1, (unsigned char)type, 0, 1,
		(unsigned char)(len >> 8), (unsigned char)len, 0, 0 };

	text_add(out, head, sizeof(head));
	text_add(out, p, len);
}

/* Both lengths stay below 128. */
static void
param(struct text *out, const char *name, const char *value)
{
	unsigned char lengths[2] = { (unsigned char)strlen(name),
		(unsigned char)strlen(value) };

	text_add(out, lengths, sizeof(lengths));
	text_puts(out, name);
	text_puts(out, value);
}

static void
make_request(struct text *out, const char *key)
{
	static const char begin[8] = { 0, 1 }; /* responder */
	struct text params = { 0 };
	char bearer[100];

	snprintf(bearer, sizeof(bearer), "Bearer %s", key);
	param(&params, "REQUEST_METHOD", "GET");
	param(&params, "SCRIPT_NAME", "/v1");
	param(&params, "PATH_INFO", "/models");
	param(&params, "REQUEST_URI", "/v1/models");
	param(&params, "REMOTE_ADDR", "127.0.0.1");
	param(&params, "SERVER_SOFTWARE", "bench");
	param(&params, "HTTP_AUTHORIZATION", bearer);
	record(out, 1, begin, sizeof(begin));
	record(out, 4, params.p, params.len);
	record(out, 4, "", 0);
	record(out, 5, "", 0);
	text_free(&params);
}

static int
listening(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	unlink(sun->sun_path);
	if (fd == -1 ||
	    bind(fd, (const struct sockaddr *)sun, sizeof(*sun)) == -1 ||
	    listen(fd, 1024) == -1)
		err(1, "%s", sun->sun_path);
	return fd;
}

static void
ask(const struct sockaddr_un *sun, const struct text *request)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct text response = { 0 };
	ssize_t n;

	if (connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == -1 ||
	    write(fd, request->p, request->len) != (ssize_t)request->len)
		err(1, "connect");
	do {
		text_room(&response, 65536);
		n = read(fd, response.p + response.len, 65536);
		if (n > 0)
			response.len += (size_t)n;
	} while (n > 0);
	close(fd);
	text_fill(&response, '\0', 1);
	if (memmem(response.p, response.len, "\"object\"", 8) == NULL)
		errx(1, "no list of models came");
	text_free(&response);
}

static void
once(const struct sockaddr_un *sun, const struct text *request, char **command)
{
	int fd = listening(sun);
	int64_t begun = now_ns();
	pid_t pid = fork();

	if (pid == 0) {
		dup2(fd, 0);
		close(fd);
		execv(command[0], command);
		err(127, "%s", command[0]);
	}
	close(fd);
	ask(sun, request);
	printf("%.2f\n", (double)(now_ns() - begun) / 1e6);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

int
main(int argc, char **argv)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct text request = { 0 };

	if (argc < 5)
		errx(1, "bad usage; see the head of cold.c");
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", argv[1]);
	make_request(&request, argv[2]);
	for (int i = 0; i < atoi(argv[3]); i++)
		once(&sun, &request, argv + 4);
	text_free(&request);
	return 0;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The FastCGI socket's input: records and parameters of any lengths.  Input:
 * the bytes as they arrive.  Whatever they are, the process goes on; a request
 * that is accepted has well-formed parameters and a body.
 */
#include "config.h"

#include <sys/socket.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "wire/fcgi.h"
#include "wire/io.h"

static const char *const names[] = { "REQUEST_METHOD", "SCRIPT_NAME",
	"PATH_INFO", "HTTP_AUTHORIZATION", "HTTP_HOST", "A", "" };

static void
use(struct io *io)
{
	char body[4096];
	ssize_t n;

	for (size_t i = 0; i + 1 < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = io_param(io, names[i]);

		MUST(value == NULL || strlen(value) < (1u << 20));
	}
	while ((n = io_read(io, body, sizeof(body))) > 0)
		MUST((size_t)n <= sizeof(body));
	io_write(io, "Status: 204 No Content\r\n\r\n", 26);
	io_flush(io);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fcgi *f;
	struct io *io;
	int fds[2];

	if (f == NULL)
		f = fcgi_new();
	/* The socket's buffer must hold all of it. */
	if (size > 65536)
		return 0;
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	MUST(fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0);
	MUST(write(fds[1], data, size) == (ssize_t)size);
	MUST(shutdown(fds[1], SHUT_WR) == 0);
	io = fcgi_begin(f, fds[0]);
	if (io != NULL) {
		use(io);
		fcgi_end(f, false);
	}
	close(fds[1]);
	return 0;
}

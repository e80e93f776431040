/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides that there is no FastCGI: the same struct io over the environment and
 * descriptors 0 and 1, for a web server that starts one process for each
 * request.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire/cgi.h"

#define CGI_BUFFER_BYTES 32768

extern char **environ;

struct cgi {
	struct io io;
	bool counted; /* CONTENT_LENGTH was given */
	unsigned long long left; /* of the body, where counted */
	size_t len;
	char buffer[CGI_BUFFER_BYTES];
};

static const char *
cgi_param(struct io *io, const char *name)
{
	size_t len = strlen(name);
	const char *found = NULL;

	(void)io;
	for (char **e = environ; *e != NULL; e++) {
		if (strncmp(*e, name, len) != 0 || (*e)[len] != '=')
			continue;
		found = io_param_one(name, found, *e + len + 1);
	}
	return found;
}

/* A server need not close descriptor 0 after the body (RFC 3875 §4.2), so a
 * counted body ends with its count. */
static ssize_t
cgi_read(struct io *io, void *p, size_t len)
{
	struct cgi *c = (struct cgi *)io;
	ssize_t n;

	if (c->counted && len > c->left)
		len = (size_t)c->left;
	if (len == 0)
		return 0;
	do
		n = read(STDIN_FILENO, p, len);
	while (n == -1 && errno == EINTR);
	if (n == 0 && c->counted)
		return -1;
	if (n > 0 && c->counted)
		c->left -= (unsigned long long)n;
	return n;
}

static int
put(struct cgi *c, const char *p, size_t len)
{
	while (len > 0 && !c->io.failed) {
		ssize_t n = write(STDOUT_FILENO, p, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			c->io.failed = true;
			break;
		}
		p += n;
		len -= (size_t)n;
	}
	return c->io.failed ? -1 : 0;
}

static int
cgi_flush(struct io *io)
{
	struct cgi *c = (struct cgi *)io;
	size_t len = c->len;

	c->len = 0;
	return put(c, c->buffer, len);
}

static int
cgi_write(struct io *io, const void *p, size_t len)
{
	struct cgi *c = (struct cgi *)io;

	if (len > sizeof(c->buffer) - c->len && cgi_flush(io) == -1)
		return -1;
	if (len >= sizeof(c->buffer))
		return put(c, p, len);
	memcpy(c->buffer + c->len, p, len);
	c->len += len;
	return c->io.failed ? -1 : 0;
}

static const struct io_ops cgi_ops = {
	.param = cgi_param,
	.read = cgi_read,
	.write = cgi_write,
	.flush = cgi_flush,
};

struct io *
cgi_begin(void)
{
	static struct cgi c;
	const char *length = getenv("CONTENT_LENGTH");
	char *end;
	long long n;

	memset(&c, 0, sizeof(c));
	c.io.ops = &cgi_ops;
	c.io.fd = -1;
	if (length != NULL && *length != '\0') {
		errno = 0;
		n = strtoll(length, &end, 10);
		/* Some servers send -1 for a chunked body. */
		c.counted = *end == '\0' && errno == 0 && n >= 0;
		c.left = c.counted ? (unsigned long long)n : 0;
	}
	signal(SIGPIPE, SIG_IGN);
	return &c.io;
}

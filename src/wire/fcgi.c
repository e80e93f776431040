/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides libfcgi.  The first and last step of a request's way: a connected
 * socket becomes a struct io, and is closed behind it.
 *
 * FCGX_Accept_r can lose a request when a signal comes between its accept and
 * the end of the parameters.  So the connection is accepted by serve/ and put
 * where FCGX_Accept_r expects one that was kept open: ipcFd with
 * keepConnection set.  Both fields are below "don't use anything below here"
 * of fcgiapp.h and the same from 2.4.0 to 2.4.7; tests/process.sh would notice.
 */
#include "config.h"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <fcgiapp.h>

#include "base/log.h"
#include "wire/fcgi.h"

#define DRAIN_MAX (256u << 20) /* of a body that nobody reads */
/* A web server that neither sends nor takes a byte for so long has died. */
#define PEER_TIMEOUT_S 120
/* Any socket takes so much at once. */
#define ROOM_BYTES 4096

/* As many as any web server sends; behind them a plain search serves. */
#define PARAMS_MAX 128
#define SLOTS 64

struct fcgi {
	struct io io; /* first: ops get this pointer back */
	FCGX_Request request;
	size_t written; /* up to ROOM_BYTES */
	char **rest; /* those that did not fit */
	struct span params[PARAMS_MAX]; /* their names */
	size_t nparams;
	/* By a hash of the name: the last that has it, and the one before
	 * each; + 1, 0 is none. */
	unsigned char last[SLOTS], before[PARAMS_MAX];
};

static size_t
slot_of(struct span name)
{
	return (name.len * 7 + (unsigned char)name.p[name.len - 1]) % SLOTS;
}

/* FCGX_GetParam compares with each of the strings, 5 us for our twenty
 * questions. */
static void
index_params(struct fcgi *f)
{
	char **e = f->request.envp;

	memset(f->last, 0, sizeof(f->last));
	for (f->nparams = 0; f->nparams < PARAMS_MAX && *e != NULL; e++) {
		const char *equals = strchr(*e, '=');
		size_t i = f->nparams, slot;

		if (equals == NULL || equals == *e)
			continue;
		f->params[i] = (struct span){ *e, (size_t)(equals - *e) };
		slot = slot_of(f->params[i]);
		f->before[i] = f->last[slot];
		f->last[slot] = (unsigned char)(i + 1);
		f->nparams++;
	}
	f->rest = e;
}

static const char *
fcgi_param(struct io *io, const char *name)
{
	struct fcgi *f = (struct fcgi *)io;
	struct span want = span_of(name);
	const char *found = NULL, *value;

	/* From the last one to the first. */
	for (size_t i = f->last[slot_of(want)]; i != 0; i = f->before[i - 1]) {
		if (!span_eq(f->params[i - 1], want))
			continue;
		value = f->params[i - 1].p + want.len + 1;
		found =
		    found == NULL ? value : io_param_one(name, value, found);
	}
	for (char **e = f->rest; *e != NULL; e++) {
		if (strncmp(*e, name, want.len) != 0 || (*e)[want.len] != '=')
			continue;
		found = io_param_one(name, found, *e + want.len + 1);
	}
	return found;
}

static ssize_t
fcgi_read(struct io *io, void *p, size_t len)
{
	struct fcgi *f = (struct fcgi *)io;
	int want = len > 1 << 20 ? 1 << 20 : (int)len;
	int n = FCGX_GetStr(p, want, f->request.in);

	if (n == want)
		return n;
	/* Short: the end, or the web server left in the middle. */
	if (FCGX_GetError(f->request.in) != 0)
		return -1;
	if (n == 0)
		io->watchable = true;
	return n;
}

static void
set_timeout(int fd, int option)
{
	struct timeval tv = { PEER_TIMEOUT_S, 0 };

	setsockopt(fd, SOL_SOCKET, option, &tv, sizeof(tv));
}

/* The first write that may have to wait is bounded, and all behind it: most
 * answers are small and need no system call for that. */
static void
bound_writes(struct fcgi *f, size_t len)
{
	if (f->written > ROOM_BYTES)
		return;
	f->written += len;
	if (f->written > ROOM_BYTES)
		set_timeout(f->io.fd, SO_SNDTIMEO);
}

static int
fcgi_write(struct io *io, const void *p, size_t len)
{
	struct fcgi *f = (struct fcgi *)io;
	const char *at = p;

	bound_writes(f, len);
	while (len > 0 && !io->failed) {
		int n = len > 1 << 20 ? 1 << 20 : (int)len;

		if (FCGX_PutStr(at, n, f->request.out) != n)
			io->failed = true;
		at += n;
		len -= (size_t)n;
	}
	return io->failed ? -1 : 0;
}

static int
fcgi_flush(struct io *io)
{
	struct fcgi *f = (struct fcgi *)io;

	if (!io->failed && FCGX_FFlush(f->request.out) < 0)
		io->failed = true;
	return io->failed ? -1 : 0;
}

static const struct io_ops fcgi_ops = { fcgi_param, fcgi_read, fcgi_write,
	fcgi_flush };

int
fcgi_init(void)
{
	return FCGX_Init() == 0 ? 0 : -1;
}

struct fcgi *
fcgi_new(void)
{
	struct fcgi *f = calloc(1, sizeof(*f));

	if (f == NULL || FCGX_InitRequest(&f->request, -1, 0) != 0)
		fatal("out of memory");
	f->io.ops = &fcgi_ops;
	f->io.fd = -1;
	return f;
}

void
fcgi_free(struct fcgi *f)
{
	if (f == NULL)
		return;
	FCGX_Free(&f->request, 1);
	free(f);
}

struct io *
fcgi_begin(struct fcgi *f, int fd)
{
	set_timeout(fd, SO_RCVTIMEO);
	f->written = 0;
	f->request.ipcFd = fd;
	f->request.keepConnection = 1;
	if (FCGX_Accept_r(&f->request) < 0) {
		/* It has closed the socket, and failed to accept from -1. */
		f->request.ipcFd = -1;
		return NULL;
	}
	f->io.fd = fd;
	f->io.watchable = false;
	f->io.failed = false;
	index_params(f);
	return &f->io;
}

/* An answer may come before the body was read (a wrong key).  Caddy writes
 * all of its side before it looks at ours, and says 502 when that fails; even
 * of a GET there is an empty record to come. */
static void
drain(struct fcgi *f)
{
	char junk[4096];
	size_t left = DRAIN_MAX;
	int n;

	FCGX_FFlush(f->request.out);
	while (left > 0 &&
	    (n = FCGX_GetStr(junk, sizeof(junk), f->request.in)) > 0)
		left -= left < (size_t)n ? left : (size_t)n;
}

/* When lighttpd finds the head of an answer and its broken end in one turn, it
 * makes a Content-Length of what it has, and the answer looks whole.  So the
 * break comes a moment after it has taken the rest. */
static void
let_it_be_taken(int fd)
{
	struct timespec moment = { 0, 20 * 1000 * 1000 };
	int queued = 0;

	for (int i = 0; i < 50; i++) {
		if (ioctl(fd, TIOCOUTQ, &queued) == -1 || queued == 0)
			break;
		nanosleep(&moment, NULL);
	}
	nanosleep(&moment, NULL);
}

/* nginx, when it does not buffer, takes a connection that closes early for a
 * response that is whole, and a client with a Content-Length waits on; a
 * record of a version that is none it calls an error, and hangs up (1.22). */
static void
spoil(struct fcgi *f)
{
	static const char record[8] = { 0 };
	const char *software = fcgi_param(&f->io, "SERVER_SOFTWARE");

	if (software != NULL && strncmp(software, "nginx", 5) == 0)
		send(f->io.fd, record, sizeof(record),
		    MSG_DONTWAIT | MSG_NOSIGNAL);
}

void
fcgi_end(struct fcgi *f, bool cut)
{
	if (!cut && !f->io.watchable && !f->io.failed)
		drain(f);
	/* Attached, the close would wait up to 2 s for the web server's EOF;
	 * the body was read, so nothing is lost by closing at once. */
	FCGX_Detach(&f->request);
	if (cut) {
		FCGX_FFlush(f->request.out);
		let_it_be_taken(f->io.fd);
		spoil(f);
		FCGX_Free(&f->request, 1);
	} else
		FCGX_Finish_r(&f->request);
	/* Left open where the web server asked for FCGI_KEEP_CONN. */
	if (f->request.ipcFd >= 0) {
		close(f->request.ipcFd);
		f->request.ipcFd = -1;
	}
	f->request.detached = 0;
	f->io.fd = -1;
}

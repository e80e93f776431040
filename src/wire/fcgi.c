/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides libfcgi.  The first and last step of a request's way: a connected
 * socket becomes a struct io, and is closed after it.
 *
 * FCGX_Accept_r can lose a request when a signal comes between its accept and
 * the end of the parameters.  So the connection is accepted by serve/ and put
 * where FCGX_Accept_r expects one that was kept open: ipcFd with
 * keepConnection set.  Both fields are below "don't use anything below here"
 * of fcgiapp.h and the same from 2.4.0 to 2.4.7; tests/process.sh would notice.
 *
 * What is written goes round libfcgi, whose writes block until the web server
 * takes them: the records are made here (FastCGI 1.0, 3.3), and what the
 * socket has no room for stays in a queue.
 */
#include "config.h"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <fcgiapp.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "wire/fcgi.h"

#define DRAIN_MAX (256u << 20) /* of a body that nobody reads */
/* A web server that sends no byte for so long has died. */
#define PEER_TIMEOUT_S 120
#define HEAD_BYTES 8
/* Of a record's content; a multiple of 8 needs no padding. */
#define RECORD_BYTES 65528
/* Beyond this a write does wait: the end of a bridged response (32 MiB at the
 * most) must not, for it may come in the pump. */
#define QUEUE_BYTES (IO_HELD_BYTES + ((size_t)40 << 20))
/* Where memory is scarce: still more than comes after io_full() was asked. */
#define QUEUE_SHORT_BYTES (8 * IO_HELD_FEW_BYTES)
#define KEPT_BYTES ((size_t)16 << 10) /* from one request to the next */
#define LOOK_MS 250
#define NO_RECORD SIZE_MAX

enum record { END_REQUEST = 3, STDOUT = 6 };

/* As many as any web server sends; after them a plain search serves. */
#define PARAMS_MAX 128
#define SLOTS 64

struct fcgi {
	struct io io; /* first: ops get this pointer back */
	FCGX_Request request;
	struct buf out; /* records; those before `sent` are gone */
	size_t sent;
	size_t open; /* where the last one begins, if it may still grow */
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

/* ---- writing ---------------------------------------------------------- */

static void
put_head(char *head, enum record type, int id, size_t len)
{
	const unsigned char bytes[HEAD_BYTES] = { 1, (unsigned char)type,
		(unsigned char)(id >> 8), (unsigned char)id,
		(unsigned char)(len >> 8), (unsigned char)len, 0, 0 };

	memcpy(head, bytes, HEAD_BYTES);
}

static void
add_record(struct fcgi *f, enum record type, const char *content, size_t len)
{
	char head[HEAD_BYTES];

	put_head(head, type, f->request.requestId, len);
	buf_add(&f->out, head, HEAD_BYTES);
	buf_add(&f->out, content, len);
}

static void
close_record(struct fcgi *f)
{
	if (f->open == NO_RECORD)
		return;
	put_head(f->out.p + f->open, STDOUT, f->request.requestId,
	    f->out.len - f->open - HEAD_BYTES);
	f->open = NO_RECORD;
}

static void
set_queued(struct fcgi *f, size_t n, bool moved)
{
	/* Since when does it wait? */
	if (n > 0 && (moved || f->io.queued == 0))
		f->io.moved_ms = clock_now_ms();
	if (n != f->io.queued)
		io_count((ptrdiff_t)n - (ptrdiff_t)f->io.queued);
	f->io.queued = n;
}

/* What has been sent needs no room any more. */
static void
forget_sent(struct fcgi *f)
{
	if (f->sent < f->out.len && f->sent < f->out.len / 2 + KEPT_BYTES)
		return;
	buf_drop(&f->out, f->sent);
	if (f->open != NO_RECORD)
		f->open -= f->sent;
	f->sent = 0;
	if (f->out.len == 0 && f->out.size > KEPT_BYTES)
		buf_free(&f->out);
}

static void
charge(struct fcgi *f)
{
	io_charge(&f->io, f->out.len > KEPT_BYTES ? f->out.len : 0);
}

/* As much of the closed records as the socket takes at once. */
static void
send_some(struct fcgi *f)
{
	size_t end = f->open != NO_RECORD ? f->open : f->out.len;
	size_t before = f->sent;
	ssize_t n = 0;

	while (f->sent < end && n != -1) {
		n = send(f->io.fd, f->out.p + f->sent, end - f->sent,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			f->sent += (size_t)n;
		else if (n == -1 && errno == EINTR)
			n = 0;
	}
	if (n == -1 && errno != EAGAIN && errno != EWOULDBLOCK) {
		f->io.failed = true;
		f->sent = end;
	}
	set_queued(f, end - f->sent, f->sent != before);
	forget_sent(f);
	charge(f);
}

/* Waits until no more than max is queued, or the client is given up. */
static void
wait_for_room(struct fcgi *f, size_t max)
{
	struct pollfd p = { .fd = f->io.fd, .events = POLLOUT };

	while (!f->io.failed && f->io.queued > max) {
		if (io_stalls(&f->io)) {
			log_info("the client reads nothing of its response; "
				 "dropped");
			f->io.failed = true;
		} else if (poll(&p, 1, LOOK_MS) == 1)
			send_some(f);
	}
}

static size_t
queue_most(const struct io *io)
{
	return memory_is_scarce(io->hold) ? QUEUE_SHORT_BYTES : QUEUE_BYTES;
}

static int
fcgi_write(struct io *io, const void *p, size_t len)
{
	static const char no_head[HEAD_BYTES];
	struct fcgi *f = (struct fcgi *)io;
	const char *at = p;

	while (len > 0 && !io->failed) {
		size_t n;

		if (f->open == NO_RECORD) {
			f->open = f->out.len;
			buf_add(&f->out, no_head, HEAD_BYTES);
		}
		n = RECORD_BYTES - (f->out.len - f->open - HEAD_BYTES);
		n = n < len ? n : len;
		buf_add(&f->out, at, n);
		at += n;
		len -= n;
		if (f->out.len - f->open == HEAD_BYTES + RECORD_BYTES) {
			close_record(f);
			send_some(f);
			if (io->queued > QUEUE_SHORT_BYTES &&
			    io->queued > queue_most(io))
				wait_for_room(f, queue_most(io) / 2);
		}
	}
	return io->failed ? -1 : 0;
}

static int
fcgi_flush(struct io *io)
{
	struct fcgi *f = (struct fcgi *)io;

	close_record(f);
	if (!io->failed)
		send_some(f);
	return io->failed ? -1 : 0;
}

static const struct io_ops fcgi_ops = { fcgi_param, fcgi_read, fcgi_write,
	fcgi_flush };

/* Where a thread goes on whose libfcgi gave up; NULL: nowhere. */
static _Thread_local jmp_buf *escape;

/* libfcgi asserts that it got the memory for a parameter, and the other side
 * says how much that is: two lengths whose sum overflows ask for all there is
 * (2.4.2 to 2.4.6), and under a limit 1 GB is too much as well.  That is the
 * end of a connection and not of a process.  The handler returns where it was
 * somebody else who aborted, and then abort() ends the process. */
static void
on_abort(int sig)
{
	jmp_buf *to = escape;

	(void)sig;
	escape = NULL;
	if (to != NULL)
		longjmp(*to, 1);
}

int
fcgi_init(void)
{
	/* Not deferred, so that longjmp has no mask to restore. */
	struct sigaction action = { .sa_handler = on_abort,
		.sa_flags = SA_NODEFER };

	sigemptyset(&action.sa_mask);
	if (sigaction(SIGABRT, &action, NULL) == -1)
		return -1;
	return FCGX_Init() == 0 ? 0 : -1;
}

/* libfcgi reads BEGIN_REQUEST and the parameters; false: there was no request,
 * and the socket is closed. */
static bool
accept_request(struct fcgi *f)
{
	jmp_buf here;
	int rc;

	escape = &here;
	if (setjmp(here) != 0) {
		log_warn("a web server's parameters are longer than memory");
		FCGX_Free(&f->request, 1);
		FCGX_InitRequest(&f->request, -1, 0);
		return false;
	}
	rc = FCGX_Accept_r(&f->request);
	escape = NULL;
	if (rc < 0) {
		/* It has closed the socket, and failed to accept from -1. */
		f->request.ipcFd = -1;
		return false;
	}
	return true;
}

struct fcgi *
fcgi_new(void)
{
	struct fcgi *f = calloc(1, sizeof(*f));

	if (f == NULL || FCGX_InitRequest(&f->request, -1, 0) != 0)
		fatal("out of memory");
	f->io.ops = &fcgi_ops;
	f->io.fd = -1;
	/* Never reached: QUEUE_BYTES are waited for. */
	buf_init(&f->out, 2 * QUEUE_BYTES);
	return f;
}

void
fcgi_free(struct fcgi *f)
{
	if (f == NULL)
		return;
	FCGX_Free(&f->request, 1);
	buf_free(&f->out);
	free(f);
}

struct io *
fcgi_begin(struct fcgi *f, int fd)
{
	struct timeval tv = { PEER_TIMEOUT_S, 0 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	f->request.ipcFd = fd;
	f->request.keepConnection = 1;
	if (!accept_request(f))
		return NULL;
	/* Nothing is written by libfcgi. */
	FCGX_FreeStream(&f->request.out);
	FCGX_FreeStream(&f->request.err);
	f->io = (struct io){ .ops = &fcgi_ops, .fd = fd };
	f->open = NO_RECORD;
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

	fcgi_flush(&f->io);
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
	static const char complete[8]; /* FCGI_REQUEST_COMPLETE, status 0 */

	if (!cut && !f->io.watchable && !f->io.failed)
		drain(f);
	close_record(f);
	if (!cut) {
		add_record(f, STDOUT, NULL, 0);
		add_record(f, END_REQUEST, complete, sizeof(complete));
	}
	if (!f->io.failed)
		send_some(f);
	wait_for_room(f, 0);
	if (cut && !f->io.failed) {
		let_it_be_taken(f->io.fd);
		spoil(f);
	}
	/* Detached, or freeing would wait up to 2 s for the web server's EOF;
	 * the body was read, so nothing is lost by closing at once. */
	FCGX_Detach(&f->request);
	FCGX_Free(&f->request, 0);
	close(f->io.fd);
	f->request.ipcFd = -1;
	f->request.detached = 0;
	set_queued(f, 0, false);
	buf_reset(&f->out);
	f->sent = 0;
	forget_sent(f);
	charge(f);
	f->io.hold = NULL;
	f->io.fd = -1;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides FastCGI (1.0).  The first and last step of a request's way: a connected
 * socket becomes a struct io, and is closed after it.
 *
 * Nothing here blocks the loop.  What comes is read by fcgi_in.c; what goes out
 * is put into records here (3.3), and what the socket has no room for stays in
 * a queue.
 */
#include "config.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/task.h"
#include "wire/fcgi.h"
#include "wire/fcgi_in.h"
#include "wire/fcgi_params.h"

#define DRAIN_MAX (256u << 20) /* of a body that nobody reads */
/* A web server that sends no byte for this long has died. */
#define PEER_TIMEOUT_MS 120000
/* Of a record's content; a multiple of 8 needs no padding. */
#define RECORD_BYTES 65528
/* Beyond the bound of queued bytes (io.h) a write waits. */
#define QUEUE_BYTES ((size_t)256 << 10)
/* The end of a bridged response (at most 32 MiB) repeats all of it. */
#define QUEUE_SLOT_BYTES (IO_HELD_SLOT_BYTES + ((size_t)40 << 20))
/* Where memory is scarce: still more than comes after io_full() was asked. */
#define QUEUE_SHORT_BYTES ((size_t)512 << 10)
/* Of what is written, so much at once: a queue that is empty has room for it
 * whatever memory there is. */
#define PIECE_BYTES ((size_t)8 << 10)
#define KEPT_BYTES ((size_t)16 << 10) /* from one request to the next */
#define LOOK_MS 250
#define TAKEN_MS 20
#define NO_RECORD SIZE_MAX

struct fcgi {
	struct io io; /* first: ops get this pointer back */
	struct fcgi_in in;
	struct fcgi_params params;
	struct buf out; /* records; those before `sent` are gone */
	size_t sent;
	size_t open; /* where the last one begins, if it may still grow */
};

static const char *
fcgi_param(struct io *io, const char *name)
{
	struct fcgi *f = (struct fcgi *)io;

	return fcgi_params_find(&f->params, name);
}

static ssize_t
fcgi_read(struct io *io, void *p, size_t len)
{
	struct fcgi *f = (struct fcgi *)io;
	ssize_t n = fcgi_in_body(&f->in, p, len, io->wait_ms);

	if (n == 0)
		io->watchable = true;
	return n;
}

/* ---- writing ---------------------------------------------------------- */

static void
add_record(
    struct fcgi *f, enum fcgi_record type, const char *content, size_t len)
{
	char head[FCGI_HEAD_BYTES];

	fcgi_in_put_head(head, type, f->in.id, len);
	buf_add(&f->out, head, FCGI_HEAD_BYTES);
	buf_add(&f->out, content, len);
}

static void
close_record(struct fcgi *f)
{
	if (f->open == NO_RECORD)
		return;
	fcgi_in_put_head(f->out.p + f->open, FCGI_STDOUT, f->in.id,
	    f->out.len - f->open - FCGI_HEAD_BYTES);
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

/* Drops what has been sent. */
static void
forget_sent(struct fcgi *f)
{
	if (f->sent < f->out.len && f->sent < f->out.len / 2 + KEPT_BYTES)
		return;
	buf_drop(&f->out, f->sent);
	if (f->open != NO_RECORD)
		f->open -= f->sent;
	f->sent = 0;
	/* The next stream that writes reuses it while it is in the
	 * processor's cache. */
	if (f->out.len == 0)
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
		} else if (task_poll(&p, 1, LOOK_MS) == 1)
			send_some(f);
	}
}

static size_t
queue_max(const struct io *io)
{
	return !io->has_slot             ? QUEUE_BYTES
	    : memory_is_scarce(io->hold) ? QUEUE_SHORT_BYTES
					 : QUEUE_SLOT_BYTES;
}

/* Room for so many bytes more of the queue.  Without memory for them what is
 * queued goes out first: nothing of a response is left out.  False: the client
 * is given up. */
static bool
make_room(struct fcgi *f, size_t n)
{
	if (buf_room(&f->out, n))
		return true;
	f->out.failed = f->out.starved = false;
	close_record(f);
	send_some(f);
	wait_for_room(f, 0);
	if (!f->io.failed && !buf_room(&f->out, n))
		f->io.failed = true;
	return !f->io.failed;
}

static int
fcgi_write(struct io *io, const void *p, size_t len)
{
	static const char no_head[FCGI_HEAD_BYTES];
	struct fcgi *f = (struct fcgi *)io;
	const char *at = p;

	while (len > 0 && !io->failed) {
		size_t n, left;

		n = len < PIECE_BYTES ? len : PIECE_BYTES;
		if (!make_room(f, FCGI_HEAD_BYTES + n))
			break;
		if (f->open == NO_RECORD) {
			f->open = f->out.len;
			buf_add(&f->out, no_head, FCGI_HEAD_BYTES);
		}
		left = RECORD_BYTES - (f->out.len - f->open - FCGI_HEAD_BYTES);
		n = n < left ? n : left;
		buf_add(&f->out, at, n);
		at += n;
		len -= n;
		if (f->out.len - f->open == FCGI_HEAD_BYTES + RECORD_BYTES) {
			close_record(f);
			send_some(f);
			if (io->queued > QUEUE_BYTES &&
			    io->queued > queue_max(io))
				wait_for_room(f, queue_max(io) / 2);
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

struct fcgi *
fcgi_new(void)
{
	struct fcgi *f = memory_zero(sizeof(*f));

	f->io.ops = &fcgi_ops;
	f->io.fd = -1;
	fcgi_params_init(&f->params);
	/* Never reached: writes wait at queue_max(). */
	buf_init_modest(&f->out, 2 * QUEUE_SLOT_BYTES + KEPT_BYTES);
	return f;
}

void
fcgi_free(struct fcgi *f)
{
	if (f == NULL)
		return;
	fcgi_params_free(&f->params);
	buf_free(&f->out);
	free(f);
}

struct io *
fcgi_begin(struct fcgi *f, int fd)
{
	fcgi_in_init(&f->in, fd);
	if (!fcgi_in_head(&f->in, &f->params, PEER_TIMEOUT_MS)) {
		fcgi_in_free(&f->in);
		fcgi_params_free(&f->params);
		task_forget(fd);
		close(fd);
		return NULL;
	}
	f->io = (struct io){ .ops = &fcgi_ops,
		.fd = fd,
		.wait_ms = PEER_TIMEOUT_MS,
		.authorizes = f->in.authorizes };
	f->open = NO_RECORD;
	return &f->io;
}

/* A response may come before the body was read (a wrong key).  Caddy writes
 * all of its side before it looks at ours, and says 502 when that fails; even
 * of a GET there is an empty record to come. */
static void
drain(struct fcgi *f)
{
	char junk[4096];
	size_t left = DRAIN_MAX;
	ssize_t n;

	fcgi_flush(&f->io);
	while (left > 0 && (n = fcgi_read(&f->io, junk, sizeof(junk))) > 0)
		left -= left < (size_t)n ? left : (size_t)n;
}

/* If lighttpd reads the head of a response and its broken end together, it
 * adds a Content-Length of what it has, and the response looks whole.  So
 * the connection breaks a moment after lighttpd has read the rest. */
static void
let_it_be_taken(int fd)
{
/* Other systems' sockets do not tell, and pledge(2) ends who asks. */
#ifdef __linux__
	int queued = 0;

	for (int i = 0; i < 50; i++) {
		if (ioctl(fd, TIOCOUTQ, &queued) == -1 || queued == 0)
			break;
		task_sleep(TAKEN_MS);
	}
#endif
	(void)fd;
	task_sleep(TAKEN_MS);
}

/* Without buffering, nginx treats a connection that closes early as a whole
 * response, and a client with a Content-Length goes on waiting; a record of
 * an invalid version is an error for it, and it closes (1.22). */
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
	if (!cut && !f->io.failed &&
	    make_room(f, 2 * FCGI_HEAD_BYTES + sizeof(complete))) {
		add_record(f, FCGI_STDOUT, NULL, 0);
		add_record(f, FCGI_END, complete, sizeof(complete));
	}
	if (!f->io.failed)
		send_some(f);
	wait_for_room(f, 0);
	if (cut && !f->io.failed) {
		let_it_be_taken(f->io.fd);
		spoil(f);
	}
	task_forget(f->io.fd);
	close(f->io.fd);
	fcgi_in_free(&f->in);
	fcgi_params_free(&f->params);
	set_queued(f, 0, false);
	buf_reset(&f->out);
	f->sent = 0;
	forget_sent(f);
	charge(f);
	f->io.hold = NULL;
	f->io.fd = -1;
}

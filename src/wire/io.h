/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * One request's connection to the web server, FastCGI or plain CGI: its
 * parameters, its body, and the way back.  wire/fcgi.c is one
 * implementation, wire/cgi.c the other.
 */
#ifndef WIRE_IO_H
#define WIRE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/memory.h"
#include "base/span.h"

struct io;

/* The functions of one implementation. */
/* The most that is read and discarded of a body that is not needed: a web
 * server that is still writing it would not read the response. */
#define IO_DRAIN_MAX ((size_t)512 * 1024 * 1024)

struct io_ops {
	const char *(*param)(struct io *, const char *name);
	ssize_t (*read)(struct io *, void *, size_t);
	int (*write)(struct io *, const void *, size_t);
	int (*flush)(struct io *);
};

struct io {
	const struct io_ops *ops;
	int fd; /* to notice that the client has gone; -1: none */
	bool watchable; /* POLLIN on fd means "gone" (body is read) */
	bool failed; /* a write or flush has failed */
	int wait_ms; /* a read waits no longer for more of the body */
	size_t queued; /* written, but not taken by the web server */
	/* What is queued is charged to hold (NULL: only to the budget), as far
	 * as it is more than a connection keeps anyway. */
	struct memory_hold *hold;
	size_t charged;
	bool has_slot; /* more may be queued then */
	bool authorizes; /* FastCGI's role of an authorizer: the web server goes
			  * on by itself after a 200 */
	int64_t moved_ms; /* when it last took a byte of what is queued */
	/* A client that reads nothing for this long is dropped if others
	 * want what it holds; wanted NULL: nobody ever does. */
	int64_t idle_ms;
	bool (*wanted)(void *ctx);
	void *wanted_ctx;
};

/* With more held of a response that the web server does not take, nothing is
 * read from the provider: IO_HELD_BYTES, or for a response that holds a slot
 * IO_HELD_SLOT_BYTES, so that most give their slot back when they are complete
 * (unless all of the process hold IO_HELD_ALL_BYTES, or memory is scarce). */
#define IO_HELD_BYTES ((size_t)64 << 10)
#define IO_HELD_SLOT_BYTES ((size_t)4 << 20)
#define IO_HELD_ALL_BYTES ((size_t)64 << 20)

/* The value of a repeated parameter: of two headers that differ only in -
 * and _, one was smuggled in, and we cannot tell which.  No parameter that
 * we use has this value. */
#define IO_PARAM_TWICE ","

/* The value of a parameter that was found as `found` (or NULL) and now as
 * `next`. */
const char *io_param_one(const char *name, const char *found, const char *next);

/* A CGI parameter, or NULL. */
static inline const char *
io_param(struct io *io, const char *name)
{
	return io->ops->param(io, name);
}

/* Body bytes: n, 0 at the end, -1 when it ended early or broke. */
static inline ssize_t
io_read(struct io *io, void *p, size_t len)
{
	return io->ops->read(io, p, len);
}

/* Both return -1 once the client can't be reached, and from then on.  Over
 * FastCGI neither waits for the web server (but far beyond IO_HELD_BYTES):
 * what it does not take is queued, and goes out with a later flush. */
static inline int
io_write(struct io *io, const void *p, size_t len)
{
	return io->ops->write(io, p, len);
}

static inline int
io_flush(struct io *io)
{
	return io->ops->flush(io);
}

/* Has the web server let go of the connection?  Only after the body was read
 * to its end; does not block. */
bool io_gone(struct io *);

/* Is more queued than should be? */
bool io_full(const struct io *);
/* Records that a queue has become longer or shorter by so much. */
void io_count(ptrdiff_t delta);
/* Sets how much is charged for the queue from now on. */
void io_charge(struct io *, size_t bytes);
/* Has the client read nothing for so long that it must be dropped? */
bool io_stalls(const struct io *);

/* From now on no read waits for longer than ms for more of the body. */
void io_hurry(struct io *, int ms);

#endif

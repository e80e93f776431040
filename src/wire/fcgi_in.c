/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a request is split into records, and records into reads.  A body is
 * read directly to its final place; only bytes beyond a record's end go through
 * the buffer.
 */
#include "config.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/scratch.h"
#include "base/task.h"
#include "wire/fcgi_in.h"

#define PROTOCOL 1
#define RESPONDER 1
#define AUTHORIZER 2
#define UNKNOWN_ROLE 3

void
fcgi_in_init(struct fcgi_in *in, int fd)
{
	*in = (struct fcgi_in){ .fd = fd };
}

void
fcgi_in_free(struct fcgi_in *in)
{
	scratch_give(in->buf);
	in->buf = NULL;
	in->at = in->end = 0;
}

/* ---- bytes ------------------------------------------------------------ */

static bool
broken(struct fcgi_in *in)
{
	in->broken = true;
	return false;
}

/* Reads what is there into one buffer and then the other; waits for the
 * first byte.  0: the connection ended. */
static size_t
receive(struct fcgi_in *in, struct iovec *iov, int n, int wait_ms)
{
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = (size_t)n };
	struct pollfd p = { .fd = in->fd, .events = POLLIN };
	ssize_t got;
	int rc;

	while ((got = recvmsg(in->fd, &message, MSG_DONTWAIT)) <= 0) {
		if (got == -1 && errno == EINTR)
			continue;
		if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
			broken(in);
			return 0;
		}
		rc = task_poll_again(&p, 1, wait_ms);
		if (rc == 0) {
			broken(in);
			return 0;
		}
	}
	return (size_t)got;
}

/* Gets this many bytes in one piece into the buffer. */
static bool
need(struct fcgi_in *in, size_t n, int wait_ms)
{
	struct iovec iov;

	if (in->buf == NULL)
		in->buf = scratch_take();
	while (in->end - in->at < n) {
		memmove(in->buf, in->buf + in->at, in->end - in->at);
		in->end -= in->at;
		in->at = 0;
		iov = (struct iovec){ in->buf + in->end,
			SCRATCH_BYTES - in->end };
		in->end += receive(in, &iov, 1, wait_ms);
		if (in->broken)
			return false;
	}
	return true;
}

/* Some of the content, to p; it may read ahead. */
static size_t
take(struct fcgi_in *in, void *p, size_t len, int wait_ms)
{
	struct iovec iov[2];
	size_t n = in->end - in->at;

	if (len > in->content)
		len = in->content;
	if (n > 0) {
		len = n < len ? n : len;
		memcpy(p, in->buf + in->at, len);
		in->at += len;
	} else {
		iov[0] = (struct iovec){ p, len };
		iov[1] = (struct iovec){ in->buf, SCRATCH_BYTES };
		/* Reads beyond the content only if it is complete. */
		n = receive(in, iov, len == in->content ? 2 : 1, wait_ms);
		in->at = 0;
		in->end = n > len ? n - len : 0;
		len = n < len ? n : len;
	}
	in->content -= len;
	return len;
}

static bool
skip(struct fcgi_in *in, size_t n, int wait_ms)
{
	while (n > 0) {
		size_t part = n < SCRATCH_BYTES ? n : SCRATCH_BYTES;

		if (in->end == in->at && !need(in, 1, wait_ms))
			return false;
		if (part > in->end - in->at)
			part = in->end - in->at;
		in->at += part;
		n -= part;
	}
	return true;
}

/* ---- records ---------------------------------------------------------- */

void
fcgi_in_put_head(char *head, enum fcgi_record type, unsigned id, size_t len)
{
	const unsigned char bytes[FCGI_HEAD_BYTES] = { PROTOCOL,
		(unsigned char)type, (unsigned char)(id >> 8),
		(unsigned char)id, (unsigned char)(len >> 8),
		(unsigned char)len, 0, 0 };

	memcpy(head, bytes, FCGI_HEAD_BYTES);
}

static void
reply(struct fcgi_in *in, enum fcgi_record type, unsigned id,
    const char content[8], size_t len)
{
	char record[FCGI_HEAD_BYTES + 8];

	fcgi_in_put_head(record, type, id, len);
	memcpy(record + FCGI_HEAD_BYTES, content, len);
	(void)!send(
	    in->fd, record, FCGI_HEAD_BYTES + len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The next record's head; *id is its request's. */
static bool
next_record(struct fcgi_in *in, unsigned *id, int wait_ms)
{
	const unsigned char *head;

	if (!skip(in, in->content + in->padding, wait_ms) ||
	    !need(in, FCGI_HEAD_BYTES, wait_ms))
		return false;
	head = (const unsigned char *)in->buf + in->at;
	in->at += FCGI_HEAD_BYTES;
	in->type = (enum fcgi_record)head[1];
	*id = (unsigned)(head[2] << 8 | head[3]);
	in->content = (size_t)(head[4] << 8 | head[5]);
	in->padding = head[6];
	return head[0] == PROTOCOL ? true : broken(in);
}

/* The reply to an unknown management record. */
static void
response_management(struct fcgi_in *in)
{
	const char unknown[8] = { (char)in->type };

	if (in->type == FCGI_VALUES) /* we report none */
		reply(in, FCGI_VALUES_RESULT, 0, unknown, 0);
	else
		reply(in, FCGI_UNKNOWN, 0, unknown, sizeof(unknown));
}

static bool
begin(struct fcgi_in *in, unsigned id, int wait_ms)
{
	static const char refused[8] = { 0, 0, 0, 0, UNKNOWN_ROLE };
	unsigned char body[8];
	unsigned role;

	if (in->content != sizeof(body) || !need(in, sizeof(body), wait_ms))
		return broken(in);
	memcpy(body, in->buf + in->at, sizeof(body));
	in->at += sizeof(body);
	in->content = 0;
	role = (unsigned)body[0] << 8 | body[1];
	in->authorizes = role == AUTHORIZER;
	if (role != RESPONDER && role != AUTHORIZER) {
		reply(in, FCGI_END, id, refused, sizeof(refused));
		return broken(in);
	}
	in->id = (uint16_t)id;
	return true;
}

/* The content of a PARAMS record; an empty one ends them. */
static bool
add_params(struct fcgi_in *in, struct fcgi_params *params, int wait_ms)
{
	while (in->content > 0) {
		size_t n = in->end - in->at;

		if (n == 0) {
			if (!need(in, 1, wait_ms))
				return false;
			continue;
		}
		n = n < in->content ? n : in->content;
		if (!fcgi_params_add(params, in->buf + in->at, n)) {
			log_warn("a web server's parameters are longer than "
				 "%zu bytes",
			    FCGI_PARAMS_BYTES);
			return broken(in);
		}
		in->at += n;
		in->content -= n;
	}
	return true;
}

bool
fcgi_in_head(struct fcgi_in *in, struct fcgi_params *params, int wait_ms)
{
	bool more = true, last = false;
	unsigned id;

	while (more && !last) {
		if (!next_record(in, &id, wait_ms))
			return false;
		if (id == 0)
			response_management(in);
		else if (in->id == 0)
			more = in->type == FCGI_BEGIN && begin(in, id, wait_ms);
		else if (id != in->id || in->type == FCGI_ABORT)
			more = false; /* one connection, one request */
		else if (in->type == FCGI_PARAMS) {
			last = in->content == 0;
			more = add_params(in, params, wait_ms);
		}
	}
	return more && fcgi_params_end(params);
}

/* The body's next record that is not empty. */
static bool
next_of_body(struct fcgi_in *in, int wait_ms)
{
	unsigned id;

	while (next_record(in, &id, wait_ms)) {
		if (id != in->id && id != 0)
			return broken(in);
		if (id == in->id && in->type == FCGI_ABORT)
			return broken(in);
		if (id != in->id || in->type != FCGI_STDIN)
			continue;
		if (in->content > 0)
			return true;
		/* What is readable after it would mean that the client has
		 * left. */
		if (!skip(in, in->padding, wait_ms))
			return false;
		in->padding = 0;
		in->ended = true;
		return false;
	}
	return false;
}

ssize_t
fcgi_in_body(struct fcgi_in *in, void *p, size_t len, int wait_ms)
{
	size_t n = 0;

	if (in->ended || len == 0)
		return 0;
	if (!in->broken && in->buf == NULL)
		in->buf = scratch_take();
	if (!in->broken &&
	    ((in->content > 0 && in->type == FCGI_STDIN) ||
		next_of_body(in, wait_ms)))
		n = take(in, p, len, wait_ms);
	if (in->ended)
		fcgi_in_free(in);
	return in->broken ? -1 : (ssize_t)n;
}

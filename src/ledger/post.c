/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the sockets between a serving process and the ledger's process, and
 * what is done when that is slow, dies or is replaced.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ledger/desk.h"
#include "ledger/frame.h"
#include "ledger/post.h"

/* A frame's memory that is kept for the next. */
#define KEEP_BYTES (128 * 1024)

struct ledger_post {
	int desk;
	int fd; /* -1: none yet */
	bool greeted;
	unsigned asked; /* of the first lines: sent, and no reply yet */
	unsigned unsure; /* of them: sent, and nobody can reply any more */
	struct buf out;
	struct ledger_gap_way *way; /* or NULL */
};

static void
hang_up(struct ledger_post *p)
{
	if (p->fd != -1)
		close(p->fd);
	p->fd = -1;
	p->greeted = false;
	if (p->asked > 0)
		p->unsure = p->asked;
	p->asked = 0;
}

/* ---- bytes ------------------------------------------------------------- */

static bool
wait_for(int fd, short events, int64_t until_ms)
{
	struct pollfd poller = { .fd = fd, .events = events };

	for (;;) {
		int64_t left_ms = until_ms - clock_now_ms();
		int n = poll(&poller, 1, left_ms < 0 ? 0 : (int)left_ms);

		if (n > 0)
			return true;
		if (n == 0) {
			errno = ETIMEDOUT;
			return false;
		}
		if (errno != EINTR)
			return false;
	}
}

/* Another try makes sense, once fd is ready. */
static bool
may_wait(int fd, short events, int64_t until_ms)
{
	return errno == EINTR ||
	    ((errno == EAGAIN || errno == EWOULDBLOCK) &&
		wait_for(fd, events, until_ms));
}

/* Sends all of it; a part would be useless. */
static int
send_all(int fd, struct span bytes, int64_t until_ms)
{
	while (bytes.len > 0) {
		ssize_t n =
		    send(fd, bytes.p, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n == -1) {
			if (may_wait(fd, POLLOUT, until_ms))
				continue;
			return -1;
		}
		bytes.p += n;
		bytes.len -= (size_t)n;
	}
	return 0;
}

/* A reply is short and written at once: it comes whole. */
static int
read_reply(struct ledger_post *p, struct frame_reply *reply, int64_t until_ms)
{
	ssize_t n;

	for (;;) {
		n = recv(p->fd, reply, sizeof(*reply), MSG_DONTWAIT);
		if (n == -1 && may_wait(p->fd, POLLIN, until_ms))
			continue;
		if (n == -1 && errno == ETIMEDOUT)
			return -1;
		if (n == sizeof(*reply) && reply->magic == FRAME_MAGIC)
			return 0;
		hang_up(p);
		errno = ECONNRESET;
		return -1;
	}
}

/* ---- the desk ---------------------------------------------------------- */

static int
call(struct ledger_post *p, int64_t until_ms)
{
	int ends[2], rc, saved;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == -1)
		return -1;
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	fcntl(ends[1], F_SETFD, FD_CLOEXEC);
	while ((rc = ledger_desk_send(p->desk, ends[1])) == -1 &&
	    may_wait(p->desk, POLLOUT, until_ms))
		;
	saved = errno;
	close(ends[1]);
	if (rc == -1) {
		close(ends[0]);
		errno = saved;
		return -1;
	}
	p->fd = ends[0];
	return 0;
}

/* Ready for frames.  A process that has not greeted yet may do so later. */
static int
connect_to_keeper(
    struct ledger_post *p, struct frame_reply *greeting, int64_t until_ms)
{
	if (p->fd == -1 && call(p, until_ms) == -1)
		return -1;
	if (p->greeted)
		return 0;
	if (read_reply(p, greeting, until_ms) == -1)
		return -1;
	p->greeted = true;
	return 0;
}

/* ---- lines ------------------------------------------------------------- */

/* How many of them were sent outside. */
static unsigned
drop_first(struct ledger_drafts *lines, unsigned n)
{
	struct ledger_draft *line;
	unsigned external = 0;

	while (n-- > 0 && (line = STAILQ_FIRST(lines)) != NULL) {
		STAILQ_REMOVE_HEAD(lines, entry);
		external += line->external;
		ledger_draft_free(line);
	}
	return external;
}

static void
put_line(struct buf *b, const struct ledger_draft *line)
{
	/* Without the newline that a draft begins with. */
	struct frame_line head = { .len = (uint32_t)line->len - 1,
		.external = line->external };

	buf_add(b, &head, sizeof(head));
	buf_add(b, line->text.p + 1, line->len - 1);
}

/* As many of the first lines as fit into one frame; lines whose fate is
 * unknown go alone. */
static unsigned
make_frame(struct ledger_post *p, const struct ledger_drafts *lines)
{
	struct frame head = { .magic = FRAME_MAGIC, .again = p->unsure > 0 };
	unsigned max = p->unsure > 0 ? p->unsure : FRAME_LINES_MAX;
	const struct ledger_draft *line;
	struct buf *b = &p->out;

	if (b->size > KEEP_BYTES) {
		buf_free(b);
		buf_init(b, sizeof(head) + FRAME_BYTES_MAX);
	}
	buf_reset(b);
	buf_add(b, &head, sizeof(head));
	STAILQ_FOREACH (line, lines, entry) {
		if (head.nlines == max ||
		    b->len + sizeof(struct frame_line) + line->len >
			FRAME_BYTES_MAX)
			break;
		put_line(b, line);
		head.nlines++;
	}
	head.nbytes = (uint32_t)(b->len - sizeof(head));
	memcpy(b->p, &head, sizeof(head));
	return head.nlines;
}

/* One frame and its reply, or the reply to the one before. */
static int
exchange(struct ledger_post *p, struct ledger_drafts *lines, int64_t until_ms)
{
	struct frame_reply reply;
	unsigned external;

	if (connect_to_keeper(p, &reply, until_ms) == -1)
		return -1;
	if (p->asked == 0) {
		p->asked = make_frame(p, lines);
		if (send_all(p->fd, buf_span(&p->out), until_ms) == -1) {
			/* Perhaps in part: the connection can't be used any
			 * more. */
			hang_up(p);
			return -1;
		}
	}
	if (read_reply(p, &reply, until_ms) == -1)
		return -1;
	if (reply.done > p->asked)
		reply.done = p->asked;
	external = drop_first(lines, reply.done);
	ledger_gap_on_way(
	    p->way, -(int)reply.done, -(int)external, clock_wall_ms());
	p->asked = p->unsure = 0;
	errno = reply.error;
	return reply.error == 0 ? 0 : -1;
}

int
ledger_post_append(
    struct ledger_post *p, struct ledger_drafts *lines, int64_t until_ms)
{
	bool again = false;

	while (!STAILQ_EMPTY(lines)) {
		bool talked = p->fd != -1;

		if (exchange(p, lines, until_ms) == 0)
			continue;
		/* The ledger's process has gone: connects to its successor. */
		if (p->fd != -1 || !talked || again)
			return -1;
		again = true;
	}
	return 0;
}

/* ---- opening ----------------------------------------------------------- */

struct ledger_post *
ledger_post_open(int desk, char *why, size_t size)
{
	int64_t until_ms = clock_now_ms() + LEDGER_PATIENCE_MS;
	struct ledger_post *p = calloc(1, sizeof(*p));
	struct frame_reply greeting = { .error = 0 };

	if (p == NULL)
		fatal("out of memory");
	p->desk = desk;
	p->fd = -1;
	buf_init(&p->out, sizeof(struct frame) + FRAME_BYTES_MAX);
	if (connect_to_keeper(p, &greeting, until_ms) == 0 &&
	    greeting.error == 0)
		return p;
	if (p->greeted)
		snprintf(why, size, "%.*s: %s%s", (int)sizeof(greeting.which),
		    greeting.which, strerror(greeting.error),
		    greeting.error == EACCES
			? "; `tailgate check --user` with this user's name "
			  "says how to repair it"
			: "");
	else
		snprintf(
		    why, size, "the ledger's process: %s", strerror(errno));
	ledger_post_close(p);
	return NULL;
}

void
ledger_post_count(struct ledger_post *p, struct ledger_gap_way *way)
{
	p->way = way;
}

void
ledger_post_close(struct ledger_post *p)
{
	if (p == NULL)
		return;
	hang_up(p);
	buf_free(&p->out);
	free(p);
}

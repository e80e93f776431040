/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides who may deliver lines, and that they come through sockets whose other
 * ends an attacker may control: nothing here waits for one of them, and none of
 * them can use up what the others need.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ledger/callers.h"
#include "ledger/desk.h"
#include "ledger/form.h"
#include "ledger/frame.h"

/* No process has more than one and its successor. */
#define CALLERS_OF_ONE 2
#define CALLERS_MAX 1024
/* From one caller at once: one that never pauses keeps nobody else waiting. */
#define CALLS_MAX 64
/* How much of a frame's memory is kept for the next. */
#define KEEP_BYTES (128 * 1024)
#define WARN_EVERY_MS 60000

/* A process that delivers lines. */
struct caller {
	int fd;
	pid_t pid; /* 0: not known */
	struct frame head;
	size_t have; /* bytes of the frame, its head included */
	char *body;
	size_t body_size;
};

struct ledger_callers {
	struct ledger_file *file;
	struct ledger_gap *gap;
	int desk; /* -1: no process can call any more */
	struct caller *callers[CALLERS_MAX]; /* the oldest first */
	size_t ncallers;
	struct pollfd fds[CALLERS_MAX + 1];
	int64_t lock_until_ms; /* of this call */
};

/* ---- callers ----------------------------------------------------------- */

static void
caller_remove(struct ledger_callers *k, size_t i)
{
	struct caller *c = k->callers[i];

	close(c->fd);
	free(c->body);
	free(c);
	k->ncallers--;
	memmove(&k->callers[i], &k->callers[i + 1],
	    (k->ncallers - i) * sizeof(k->callers[0]));
}

/* The process that made the pair of sockets. */
static pid_t
peer_of(int fd)
{
/* OpenBSD's is another structure, and pledge(2) would end the process. */
#if defined SO_PEERCRED && defined __linux__
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		return peer.pid;
#endif
	(void)fd;
	return 0;
}

/* A process that calls too often replaces its own calls. */
static void
make_place(struct ledger_callers *k, pid_t pid)
{
	size_t n = 0, oldest = 0;

	for (size_t i = k->ncallers; i-- > 0 && pid != 0;)
		if (k->callers[i]->pid == pid) {
			n++;
			oldest = i;
		}
	if (n >= CALLERS_OF_ONE)
		caller_remove(k, oldest);
	else if (k->ncallers == CALLERS_MAX)
		caller_remove(k, 0);
}

static bool
reply(const struct caller *c, unsigned done, int error, const char *which)
{
	struct frame_reply r = {
		.magic = FRAME_MAGIC, .done = done, .error = error
	};

	if (which != NULL)
		strlcpy(r.which, which, sizeof(r.which));
	return send(c->fd, &r, sizeof(r), MSG_DONTWAIT | MSG_NOSIGNAL) ==
	    sizeof(r);
}

static void
caller_add(struct ledger_callers *k, int fd)
{
	struct caller *c = calloc(1, sizeof(*c));
	const char *which = NULL;
	int error = 0;

	if (c == NULL) {
		close(fd); /* it asks again */
		return;
	}
	c->fd = fd;
	c->pid = peer_of(fd);
	make_place(k, c->pid);
	k->callers[k->ncallers++] = c;
	if (ledger_file_check(k->file, &which) == -1)
		error = errno;
	if (!reply(c, 0, error, which))
		caller_remove(k, k->ncallers - 1);
}

static void
take_calls(struct ledger_callers *k)
{
	int fd, rc = 1;

	for (int i = 0; i < CALLS_MAX && rc == 1; i++)
		if ((rc = ledger_desk_take(k->desk, &fd)) == 1 && fd != -1)
			caller_add(k, fd);
	if (rc == -1) {
		close(k->desk);
		k->desk = -1;
	}
}

/* ---- frames ------------------------------------------------------------ */

static bool
head_is_good(const struct frame *f)
{
	return f->magic == FRAME_MAGIC && f->again <= 1 && f->nlines > 0 &&
	    f->nlines <= FRAME_LINES_MAX &&
	    f->nbytes >= f->nlines * sizeof(struct frame_line) &&
	    f->nbytes <= FRAME_BYTES_MAX;
}

static bool
body_room(struct caller *c)
{
	char *p;

	if (c->body_size >= c->head.nbytes)
		return true;
	if ((p = realloc(c->body, c->head.nbytes)) == NULL)
		return false;
	c->body = p;
	c->body_size = c->head.nbytes;
	return true;
}

/* Reads a frame.  1: all of it is there; 0: not yet; -1: nothing more will
 * come. */
static int
read_frame(struct caller *c)
{
	size_t want = sizeof(c->head);
	char *to = (char *)&c->head + c->have;
	ssize_t n;

	if (c->have >= sizeof(c->head)) {
		want += c->head.nbytes;
		to = c->body + (c->have - sizeof(c->head));
	}
	n = recv(c->fd, to, want - c->have, MSG_DONTWAIT);
	if (n == -1 &&
	    (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	if (n <= 0)
		return -1;
	c->have += (size_t)n;
	if (c->have < want)
		return 0;
	if (want > sizeof(c->head))
		return 1;
	return head_is_good(&c->head) && body_room(c) ? read_frame(c) : -1;
}

/* The lines of a frame, up to one that the ledger cannot have.  Returns how
 * many; -1: it is not a frame. */
static int
take_lines(const struct caller *c, struct ledger_drafts *lines)
{
	const char *p = c->body, *end = p + c->head.nbytes;
	struct frame_line head;
	int taken = 0;
	bool good = true;

	for (unsigned i = 0; i < c->head.nlines; i++, p += head.len) {
		struct ledger_draft *line = NULL;

		if ((size_t)(end - p) < sizeof(head))
			return -1;
		memcpy(&head, p, sizeof(head));
		p += sizeof(head);
		if ((size_t)(end - p) < head.len)
			return -1;
		if (good)
			line = ledger_draft_again(
			    (struct span){ p, head.len }, head.external != 0);
		good = line != NULL;
		if (good) {
			STAILQ_INSERT_TAIL(lines, line, entry);
			taken++;
		}
	}
	return p == end ? taken : -1;
}

static unsigned
count(const struct ledger_drafts *lines)
{
	const struct ledger_draft *line;
	unsigned n = 0;

	STAILQ_FOREACH (line, lines, entry)
		n++;
	return n;
}

static void
free_lines(struct ledger_drafts *lines)
{
	struct ledger_draft *line;

	while ((line = STAILQ_FIRST(lines)) != NULL) {
		STAILQ_REMOVE_HEAD(lines, entry);
		ledger_draft_free(line);
	}
}

/* Our programs never send such a line: the sender was taken over.  The line
 * is only counted. */
static unsigned
refuse_line(struct ledger_callers *k, const struct caller *c)
{
	static _Atomic int64_t warned_ms;

	ledger_gap_add(k->gap, false, clock_wall_ms());
	if (log_due(&warned_ms, WARN_EVERY_MS))
		log_error("process %d sent what is not a line of the "
			  "ledger; it is not written",
		    (int)c->pid);
	return 1;
}

/* Returns how many of them are dealt with. */
static unsigned
write_lines(struct ledger_callers *k, const struct caller *c,
    struct ledger_drafts *lines, int *error)
{
	unsigned had = count(lines), left;

	if (c->head.again)
		ledger_file_drop_written(k->file, lines);
	*error = 0;
	/* This caller has waited already; nobody else waits for the same. */
	if (ledger_file_append(k->file, lines, k->lock_until_ms) == -1) {
		*error = errno;
		k->lock_until_ms = 0;
	}
	left = count(lines);
	free_lines(lines);
	return had - left;
}

/* False: close the connection. */
static bool
handle_frame(struct ledger_callers *k, struct caller *c)
{
	struct ledger_drafts lines = STAILQ_HEAD_INITIALIZER(lines);
	int taken = take_lines(c, &lines), error = 0;
	unsigned done;

	if (taken == -1) {
		free_lines(&lines);
		return false;
	}
	done =
	    taken == 0 ? refuse_line(k, c) : write_lines(k, c, &lines, &error);
	c->have = 0;
	if (c->body_size > KEEP_BYTES) {
		free(c->body);
		c->body = NULL;
		c->body_size = 0;
	}
	return reply(c, done, error, NULL);
}

static bool
serve(struct ledger_callers *k, struct caller *c)
{
	int got = read_frame(c);

	return got == 0 || (got == 1 && handle_frame(k, c));
}

/* ---- all callers ------------------------------------------------------- */

struct ledger_callers *
ledger_callers_new(struct ledger_file *file, struct ledger_gap *gap, int desk)
{
	struct ledger_callers *k = calloc(1, sizeof(*k));

	if (k == NULL)
		fatal("out of memory");
	k->file = file;
	k->gap = gap;
	k->desk = desk;
	return k;
}

void
ledger_callers_free(struct ledger_callers *k)
{
	while (k->ncallers > 0)
		caller_remove(k, k->ncallers - 1);
	if (k->desk != -1)
		close(k->desk);
	free(k);
}

bool
ledger_callers_left(const struct ledger_callers *k)
{
	return k->desk != -1 || k->ncallers > 0;
}

bool
ledger_callers_serve(struct ledger_callers *k, int timeout_ms)
{
	size_t n = k->ncallers;
	int ready;

	k->fds[0] = (struct pollfd){ .fd = k->desk, .events = POLLIN };
	for (size_t i = 0; i < n; i++)
		k->fds[i + 1] = (struct pollfd){ .fd = k->callers[i]->fd,
			.events = POLLIN };
	ready = poll(k->fds, n + 1, timeout_ms);
	/* The kernel may lack memory for a moment. */
	if (ready == -1 && (errno == ENOMEM || errno == EAGAIN))
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	else if (ready == -1 && errno != EINTR)
		fatal("poll: %s", strerror(errno));
	if (ready <= 0)
		return ready != 0;
	k->lock_until_ms = clock_now_ms() + LEDGER_LOCK_WAIT_MS;
	/* From the last: removing one moves those after it. */
	for (size_t i = n; i-- > 0;)
		if (k->fds[i + 1].revents != 0 && !serve(k, k->callers[i]))
			caller_remove(k, i);
	if (k->fds[0].revents != 0)
		take_calls(k);
	return true;
}

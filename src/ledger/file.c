/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how lines of many processes become one chain (chain.h): under the
 * lock they get their numbers and prevs and are appended with one write.
 */
#include "config.h"

#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ledger/current.h"
#include "ledger/file.h"

/* A write into a file costs more than the whole line otherwise does. */
#define KEEP_EVERY_MS 1000
/* What may have been written, after lines of which nobody knows, before these
 * come again. */
#define LOOK_BACK_BYTES (4 * 1024 * 1024)
/* Lines in one write, at most. */
#if defined(IOV_MAX) && IOV_MAX < 128
#define BATCH_MAX IOV_MAX
#else
#define BATCH_MAX 128
#endif

struct ledger_file {
	struct ledger_current at;
	bool open; /* it has been, and now opens by itself what it needs */
	struct ledger_gap *gap; /* not ours to close */
	struct ledger_tail tail; /* the record, */
	bool known; /* if there is one, */
	bool unkept; /* and not yet beside the ledger, where it was */
	int64_t kept_ms; /* written then, */
	uint64_t kept_ino; /* for that file */
};

/* ---- the tail --------------------------------------------------------- */

/* Goes on over what the tail's own file got after it was recorded, where that
 * file was rotated meanwhile: we may have it open, else it is path.1. */
static void
settle_rotated(struct ledger_file *l, int old_fd, struct ledger_tail *t)
{
	char path[4096];
	struct stat st;
	int fd = old_fd;

	if (fd == -1 || fstat(fd, &st) == -1 || (uint64_t)st.st_ino != t->ino ||
	    (uint64_t)st.st_dev != t->dev) {
		snprintf(path, sizeof(path), "%s.1", l->at.path);
		fd = ledger_current_open_plain(path, O_RDONLY, 0);
	}
	if (fd != -1 && fstat(fd, &st) == 0 && (uint64_t)st.st_ino == t->ino &&
	    (uint64_t)st.st_dev == t->dev && ledger_tail_follow(fd, t) == -1)
		log_warn("%s: %s", l->at.path, strerror(errno));
	if (fd != -1 && fd != old_fd)
		close(fd);
}

/* No record: from the ledger's end, or where it is new, the rotated one's. */
static int
derive_tail(struct ledger_file *l, const struct stat *st, struct ledger_tail *t)
{
	char path[4096];
	int fd, rc;

	if (st->st_size > 0)
		return ledger_tail_derive(l->at.fd, t);
	ledger_tail_init(t);
	snprintf(path, sizeof(path), "%s.1", l->at.path);
	if ((fd = ledger_current_open_plain(path, O_RDONLY, 0)) == -1)
		return 0;
	rc = ledger_tail_derive(fd, t);
	close(fd);
	return rc;
}

static bool
is_of(const struct ledger_tail *t, const struct stat *st)
{
	return (uint64_t)st->st_ino == t->ino && (uint64_t)st->st_dev == t->dev;
}

/* What we remember is of the file that we wrote to last.  Where the ledger is
 * another one now, others may have written to one more in between. */
static int
read_record(
    const struct ledger_file *l, const struct stat *st, struct ledger_tail *t)
{
	bool kept;

	if (l->known && is_of(&l->tail, st)) {
		*t = l->tail;
		return 0;
	}
	/* The lock's file is where it was kept before it had its own. */
	kept =
	    (l->at.tail_fd != -1 && ledger_tail_read(l->at.tail_fd, t) == 0) ||
	    ledger_tail_read(l->at.lock_fd, t) == 0;
	if (l->known && (!kept || t->ino == l->tail.ino)) {
		*t = l->tail;
		return 0;
	}
	return kept ? 0 : -1;
}

/* Under the lock.  Where this fails, the next writer finds the line by
 * itself. */
static void
write_record(struct ledger_file *l)
{
	l->kept_ms = clock_now_ms();
	l->kept_ino = l->tail.ino;
	l->unkept = false;
	if (l->at.tail_fd != -1 &&
	    ledger_tail_write(l->at.tail_fd, &l->tail) == -1)
		log_debug("%s: %s", l->at.tail_path, strerror(errno));
}

static void
keep_record(struct ledger_file *l, const struct ledger_tail *t)
{
	l->tail = *t;
	l->known = l->unkept = true;
	if (clock_now_ms() - l->kept_ms >= KEEP_EVERY_MS ||
	    t->ino != l->kept_ino)
		write_record(l);
}

/* Brings the tail to the end of the open file, whatever happened since it was
 * recorded.  *behind: the file had, or may have had, more than the record
 * knew. */
static int
find_tail(struct ledger_file *l, int old_fd, const struct stat *st,
    struct ledger_tail *t, bool *behind)
{
	bool same;

	if (read_record(l, st, t) == -1) {
		if (derive_tail(l, st, t) == -1)
			return -1;
		*behind = true;
	}
	same = is_of(t, st);
	if (same && t->size == st->st_size)
		return 0;
	*behind = true;
	if (same && t->size > st->st_size) {
		/* Emptied or cut: verify shall see what is missing. */
		log_warn("%s: %lld bytes are missing at its end", l->at.path,
		    (long long)(t->size - st->st_size));
		t->size = st->st_size;
		return 0;
	}
	if (!same) {
		settle_rotated(l, old_fd, t);
		t->size = 0;
	}
	return ledger_tail_follow(l->at.fd, t);
}

static bool
ends_torn(int fd, const struct stat *st)
{
	char c;

	return st->st_size > 0 && pread(fd, &c, 1, st->st_size - 1) == 1 &&
	    c != '\n';
}

/* ---- appending -------------------------------------------------------- */

/* How many of them have been written whole; where that isn't all, errno says
 * why. */
static size_t
write_whole(int fd, struct iovec *iov, size_t n)
{
	size_t i = 0;
	ssize_t k;

	while (i < n) {
		k = writev(fd, iov + i, (int)(n - i));
		if (k == -1 && errno == EINTR)
			continue;
		if (k == -1)
			break;
		for (; i < n && (size_t)k >= iov[i].iov_len; i++)
			k -= (ssize_t)iov[i].iov_len;
		if (i < n) {
			iov[i].iov_base = (char *)iov[i].iov_base + k;
			iov[i].iov_len -= (size_t)k;
		}
	}
	return i;
}

/* A batch in the making. */
struct batch {
	struct ledger_tail tail; /* after it */
	bool torn; /* the line before it has no end */
	struct iovec iov[BATCH_MAX];
	size_t n;
};

/* Its place in the chain; false: it has become too long to have one. */
static bool
add_line(struct batch *batch, struct ledger_draft *line)
{
	const struct buf *b = &line->text;
	size_t skip = batch->torn ? 0 : 1;

	if (!ledger_draft_finish(line, &batch->tail))
		return false;
	batch->torn = false;
	ledger_tail_push(&batch->tail, (struct span){ b->p + 1, b->len - 2 });
	batch->tail.size += (int64_t)(b->len - skip);
	batch->iov[batch->n++] = (struct iovec){ b->p + skip, b->len - skip };
	return true;
}

static void
drop_first(struct ledger_drafts *lines, size_t n)
{
	while (n-- > 0) {
		struct ledger_draft *line = STAILQ_FIRST(lines);

		STAILQ_REMOVE_HEAD(lines, entry);
		ledger_draft_free(line);
	}
}

/* The beginning of the lines, up to one that is too long.  That one, where it
 * is the first, is taken out and counted. */
static void
make_batch(
    struct ledger_file *l, struct batch *batch, struct ledger_drafts *lines)
{
	struct ledger_draft *line;

	for (batch->n = 0;
	     batch->n < BATCH_MAX && (line = STAILQ_FIRST(lines)) != NULL;) {
		STAILQ_FOREACH (line, lines, entry)
			if (batch->n == BATCH_MAX || !add_line(batch, line))
				break;
		if (batch->n > 0)
			return;
		ledger_gap_add(l->gap, line->external, line->wall_ms);
		drop_first(lines, 1);
	}
}

/* Under the lock.  -1: not all are in the file; errno says why. */
static int
append(struct ledger_file *l, struct batch *batch, struct ledger_drafts *lines)
{
	size_t n;

	for (;;) {
		make_batch(l, batch, lines);
		if (batch->n == 0)
			return 0;
		n = write_whole(l->at.fd, batch->iov, batch->n);
		drop_first(lines, n);
		/* The next writer finds by itself what has become of it. */
		if (n < batch->n)
			return -1;
		keep_record(l, &batch->tail);
	}
}

/* What could not be written has a line of its own, before all others. */
static int
append_gap(struct ledger_file *l, struct batch *batch)
{
	struct ledger_gap *gap = l->gap;
	struct ledger_drafts lines = STAILQ_HEAD_INITIALIZER(lines);
	struct ledger_lost lost = { .lost = atomic_load(&gap->lost),
		.external = atomic_load(&gap->external),
		.since_ms = atomic_load(&gap->since_ms),
		.until_ms = atomic_load(&gap->until_ms) };
	struct ledger_draft *line;

	if (lost.lost == 0)
		return 0;
	line = ledger_draft_lost(&lost);
	STAILQ_INSERT_TAIL(&lines, line, entry);
	if (append(l, batch, &lines) == -1) {
		drop_first(&lines, !STAILQ_EMPTY(&lines));
		return -1;
	}
	ledger_gap_told(gap, lost.lost, lost.external);
	return 0;
}

static int
append_all(struct ledger_file *l, struct ledger_drafts *lines, int old_fd,
    const struct stat *st)
{
	struct batch batch = { .torn = false };
	bool behind = false;

	if (find_tail(l, old_fd, st, &batch.tail, &behind) == -1)
		return -1;
	batch.torn = behind && ends_torn(l->at.fd, st);
	batch.tail.dev = (uint64_t)st->st_dev;
	batch.tail.ino = (uint64_t)st->st_ino;
	batch.tail.size = st->st_size;
	if (append_gap(l, &batch) == -1)
		return -1;
	return append(l, &batch, lines);
}

int
ledger_file_append(
    struct ledger_file *l, struct ledger_drafts *lines, int64_t until_ms)
{
	struct stat st;
	int old_fd, rc, saved;

	if (STAILQ_EMPTY(lines))
		return 0;
	if (ledger_current_lock(&l->at, until_ms, &old_fd, &st) == -1) {
		ledger_gap_failed(l->gap);
		return -1;
	}
	l->open = true;
	rc = append_all(l, lines, old_fd, &st);
	saved = errno;
	ledger_current_unlock(&l->at);
	if (old_fd != -1)
		close(old_fd);
	if (rc == -1)
		ledger_gap_failed(l->gap);
	else
		ledger_gap_works(l->gap);
	errno = saved;
	return rc;
}

/* ---- what a predecessor wrote ------------------------------------------ */

/* The end of a file, as much as a predecessor can have written last; NULL:
 * none.  *len bytes, to be freed. */
static char *
read_end(const char *path, size_t *len)
{
	int fd = ledger_current_open_plain(path, O_RDONLY, 0);
	struct stat st;
	char *p = NULL;
	off_t from;
	ssize_t n;

	*len = 0;
	if (fd == -1)
		return NULL;
	if (fstat(fd, &st) == 0 && (p = malloc(LOOK_BACK_BYTES)) != NULL) {
		from = st.st_size > LOOK_BACK_BYTES
		    ? st.st_size - LOOK_BACK_BYTES
		    : 0;
		n = pread(fd, p, LOOK_BACK_BYTES, from);
		*len = n > 0 ? (size_t)n : 0;
	}
	close(fd);
	return p;
}

void
ledger_file_drop_written(
    const struct ledger_file *l, struct ledger_drafts *lines)
{
	static const char *const suffixes[] = { "", ".1" };
	struct ledger_draft *line, *next;
	char path[4096], *p;
	size_t len;

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s%s", l->at.path, suffixes[i]);
		if ((p = read_end(path, &len)) == NULL)
			continue;
		STAILQ_FOREACH_SAFE(line, lines, entry, next)
		{
			if (memmem(p, len, line->text.p + 1, line->len - 1) ==
			    NULL)
				continue;
			STAILQ_REMOVE(lines, line, ledger_draft, entry);
			ledger_draft_free(line);
		}
		free(p);
	}
}

/* ---- opening ---------------------------------------------------------- */

struct ledger_file *
ledger_file_new(const char *path, struct ledger_gap *gap)
{
	struct ledger_file *l = calloc(1, sizeof(*l));

	if (l == NULL)
		fatal("out of memory");
	ledger_current_init(&l->at, path);
	l->gap = gap;
	return l;
}

int
ledger_file_check(struct ledger_file *l, const char **which)
{
	if (!l->open && ledger_current_open(&l->at, which) == -1)
		return -1;
	l->open = true;
	return 0;
}

int
ledger_file_due_ms(const struct ledger_file *l)
{
	int64_t left_ms = l->kept_ms + KEEP_EVERY_MS - clock_now_ms();

	return !l->unkept ? -1 : left_ms < 0 ? 0 : (int)left_ms;
}

void
ledger_file_keep(struct ledger_file *l, int64_t until_ms)
{
	struct stat st;
	int old_fd;

	if (!l->unkept)
		return;
	/* Another's is newer then, or will be. */
	l->unkept = false;
	if (ledger_current_lock(&l->at, until_ms, &old_fd, &st) == -1)
		return;
	if ((uint64_t)st.st_ino == l->tail.ino && st.st_size == l->tail.size)
		write_record(l);
	ledger_current_unlock(&l->at);
	if (old_fd != -1)
		close(old_fd);
}

void
ledger_file_free(struct ledger_file *l, int64_t until_ms)
{
	ledger_file_keep(l, until_ms);
	ledger_current_free(&l->at);
	free(l);
}

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

#include "base/log.h"
#include "ledger/file_internal.h"

/* How much may have been written after lines whose fate is unknown, before
 * they are sent again. */
#define LOOK_BACK_BYTES (4 * 1024 * 1024)
/* Lines in one write, at most. */
#if defined(IOV_MAX) && IOV_MAX < 128
#define BATCH_MAX IOV_MAX
#else
#define BATCH_MAX 128
#endif

/* ---- appending -------------------------------------------------------- */

/* How many of them were written whole; if not all, errno says why. */
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

static bool
ends_torn(int fd, const struct stat *st)
{
	char c;

	return st->st_size > 0 && pread(fd, &c, 1, st->st_size - 1) == 1 &&
	    c != '\n';
}

/* A batch in the making. */
struct batch {
	struct ledger_tail tail; /* after it */
	bool torn; /* the line before it has no end */
	struct iovec iov[BATCH_MAX];
	size_t n;
};

/* Adds its place in the chain; false: the line is too long then. */
static bool
add_line(struct batch *batch, const char *gateway, struct ledger_draft *line)
{
	const struct buf *b = &line->text;
	size_t skip = batch->torn ? 0 : 1;

	if (!ledger_draft_finish(line, gateway, &batch->tail))
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

/* The first lines, up to one that is too long.  If that is the very first,
 * it is removed and counted. */
static void
make_batch(
    struct ledger_file *l, struct batch *batch, struct ledger_drafts *lines)
{
	struct ledger_draft *line;

	for (batch->n = 0;
	     batch->n < BATCH_MAX && (line = STAILQ_FIRST(lines)) != NULL;) {
		STAILQ_FOREACH (line, lines, entry)
			if (batch->n == BATCH_MAX ||
			    !add_line(batch, l->gateway, line))
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
		/* The next writer finds out by itself what was written. */
		if (n < batch->n)
			return -1;
		ledger_file_keep_tail(l, &batch->tail);
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

	if (ledger_file_find_tail(l, old_fd, st, &batch.tail, &behind) == -1)
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

/* The end of a file, as much as a predecessor may have written last; NULL:
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
		STAILQ_FOREACH_SAFE (line, lines, entry, next) {
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
ledger_file_new(const char *path, const char *gateway, struct ledger_gap *gap)
{
	struct ledger_file *l = calloc(1, sizeof(*l));

	if (l == NULL)
		fatal("out of memory");
	ledger_current_init(&l->at, path);
	l->gateway = gateway;
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

void
ledger_file_free(struct ledger_file *l, int64_t until_ms)
{
	ledger_file_keep(l, until_ms);
	ledger_current_free(&l->at);
	free(l);
}

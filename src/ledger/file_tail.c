/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides where the chain continues: the record of its end, and the lines that
 * came after the record.
 */
#include "config.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ledger/file_internal.h"

/* Writing the record costs more than the rest of a line. */
#define KEEP_EVERY_MS 1000

/* ---- finding it ------------------------------------------------------- */

static bool
is_of(const struct ledger_tail *t, const struct stat *st)
{
	return (uint64_t)st->st_ino == t->ino && (uint64_t)st->st_dev == t->dev;
}

/* Opens path.N if the tail is its, otherwise -1. */
static int
open_rotated(
    const struct ledger_file *l, unsigned n, const struct ledger_tail *t)
{
	char path[4096];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s.%u", l->at.path, n);
	fd = ledger_current_open_plain(path, O_RDONLY, 0);
	if (fd == -1 || (fstat(fd, &st) == 0 && is_of(t, &st)))
		return fd;
	close(fd);
	return -1;
}

/* Advances over the lines that came after the record if the tail's file was
 * rotated since: we may have it open, otherwise it is path.1, or path.2 if the
 * next one was rotated before it had a line. */
static void
settle_rotated(struct ledger_file *l, int old_fd, struct ledger_tail *t)
{
	struct stat st;
	int fd = old_fd;

	if (fd == -1 || fstat(fd, &st) == -1 || !is_of(t, &st))
		fd = open_rotated(l, 1, t);
	if (fd == -1)
		fd = open_rotated(l, 2, t);
	if (fd != -1 && ledger_tail_follow(fd, t) == -1)
		log_warn("%s: %s", l->at.path, strerror(errno));
	if (fd != -1 && fd != old_fd)
		close(fd);
}

/* No record: from the ledger's end, or, if it is new, the rotated one's. */
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

/* We remember the file that we wrote to last.  If the ledger is another one
 * now, others may have written to a third one in between. */
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

/* Advances the tail to the end of the open file, whatever happened since it
 * was recorded.  *behind: the file had, or may have had, more than the
 * record knew. */
int
ledger_file_find_tail(struct ledger_file *l, int old_fd, const struct stat *st,
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

/* ---- its record ------------------------------------------------------- */

/* Under the lock.  If this fails, the next writer finds the line by itself. */
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

void
ledger_file_keep_tail(struct ledger_file *l, const struct ledger_tail *t)
{
	l->tail = *t;
	l->known = l->unkept = true;
	if (clock_now_ms() - l->kept_ms >= KEEP_EVERY_MS ||
	    t->ino != l->kept_ino)
		write_record(l);
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

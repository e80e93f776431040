/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Follows the chain through a ledger and its rotated files, and reports where
 * it is broken: the core of `tailgate usage --verify`.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ledger/read.h"

/* Of a record that is being written while it is read. */
#define READ_TRIES 100

struct walk {
	const struct ledger_part *file;
	void (*say)(
	    void *ctx, const char *file, uint64_t line, const char *what);
	void *ctx;
	struct ledger_report *report;
	struct ledger_tail record; /* the writers' */
	bool file_seen; /* the file that it names is there */
	bool passed; /* we came by where it ends */
	bool started; /* a line has been seen */
	bool after_torn;
};

static void
say(struct walk *w, uint64_t line, const char *what)
{
	w->report->breaks++;
	w->say(w->ctx, w->file->path, line, what);
}

/* The line's prev is not the hash of the line before it. */
static void
say_break(struct walk *w, uint64_t line, uint64_t n)
{
	uint64_t before = w->report->tail.n;
	char what[160];

	if (n > before + 1)
		snprintf(what, sizeof(what),
		    "%llu lines before it are missing (numbers %llu to %llu)",
		    (unsigned long long)(n - before - 1),
		    (unsigned long long)before + 1, (unsigned long long)n - 1);
	else if (n <= before)
		snprintf(what, sizeof(what),
		    "out of order: its number is %llu, after %llu",
		    (unsigned long long)n, (unsigned long long)before);
	else
		snprintf(what, sizeof(what), "the line before it was changed");
	say(w, line, what);
}

/* Adds what the line reports of requests without a line. */
static void
say_lost(struct walk *w, struct span text, uint64_t number)
{
	struct ledger_line l;
	char what[160];

	/* Rare: not worth taking every line apart. */
	if (memmem(text.p, text.len, ",\"lost\":", 8) == NULL ||
	    !ledger_line_parse(text, &l) || l.lost <= 0)
		return;
	w->report->lost += (uint64_t)l.lost;
	w->report->lost_external += (uint64_t)l.lost_external;
	if (l.gap)
		snprintf(what, sizeof(what),
		    "gap: %lld requests from %.24s to %.24s were not recorded, "
		    "%lld of them sent to external providers",
		    (long long)l.lost, l.time.p,
		    l.until.len == 24 ? l.until.p : "?",
		    (long long)l.lost_external);
	else
		snprintf(what, sizeof(what),
		    "gap: %lld requests before it were not recorded",
		    (long long)l.lost);
	w->say(w->ctx, w->file->path, number, what);
}

/* Is this where the writers say that the ledger ends? */
static void
compare_end(struct walk *w, int64_t end)
{
	if (w->file->ino != w->record.ino || w->file->dev != w->record.dev ||
	    end != w->record.size)
		return;
	w->passed = true;
	w->report->tail_holds =
	    memcmp(w->report->tail.hash, w->record.hash, LEDGER_HASH_LEN) == 0;
}

/* The file that it names has been compressed: another one with the same end. */
static void
compare_packed_end(struct walk *w)
{
	if (w->report->tail.n != w->record.n)
		return;
	w->passed = true;
	w->report->tail_holds =
	    memcmp(w->report->tail.hash, w->record.hash, LEDGER_HASH_LEN) == 0;
}

/* Its file may be gone, but a line that follows it shows it as well. */
static void
compare_next(struct walk *w, uint64_t n, struct span prev)
{
	if (n == w->record.n + 1 &&
	    memcmp(prev.p, w->record.hash, LEDGER_HASH_LEN) == 0)
		w->passed = w->report->tail_holds = true;
}

static int
walk_line(void *ctx, struct span text, int64_t offset, uint64_t number)
{
	struct walk *w = ctx;
	struct ledger_report *r = w->report;
	struct span prev;
	uint64_t n;

	r->lines++;
	if (ledger_line_end(text, &n, &prev)) {
		/* If old files were removed, the chain may begin anywhere. */
		if (r->first_n == 0)
			r->first_n = n;
		if (!w->started)
			memcpy(r->tail.hash, prev.p, LEDGER_HASH_LEN);
		else if (memcmp(prev.p, r->tail.hash, LEDGER_HASH_LEN) != 0 ||
		    n != r->tail.n + 1)
			say_break(w, number, n);
		compare_next(w, n, prev);
		say_lost(w, text, number);
	} else {
		r->torn++;
		w->say(w->ctx, w->file->path, number,
		    "torn: not a whole line (a full disk?)");
	}
	w->started = true;
	ledger_tail_push(&r->tail, text);
	r->tail.size = offset + (int64_t)text.len + 1;
	compare_end(w, r->tail.size);
	return 0;
}

/* A line that a writer adds while we read may be seen in part: what the last
 * file ends with counts only when it is whole. */
static int
walk_file(struct walk *w, const struct ledger_part *file, bool last)
{
	w->file = file;
	w->file_seen |=
	    file->ino == w->record.ino && file->dev == w->record.dev;
	w->report->tail.dev = file->dev;
	w->report->tail.ino = file->ino;
	if (ledger_part_each(file, 0, file->size, !last, walk_line, w) == -1) {
		if (errno != EBADMSG)
			return -1;
		say(w, 0, ledger_part_error(errno));
	}
	if (file->form != UNPACK_NONE)
		compare_packed_end(w);
	return 0;
}

static bool
read_kept(const char *path, const char *suffix, struct ledger_tail *t)
{
	char name[4096];
	bool ok = false;
	int fd;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	if ((fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) == -1)
		return false;
	/* Without the lock, to delay nobody: the check detects a record that
	 * is being written. */
	for (int i = 0; i < READ_TRIES && !ok; i++)
		ok = ledger_tail_read(fd, t) == 0;
	close(fd);
	return ok;
}

/* The newest one.  (The lock's is of before it had a file of its own.) */
static bool
read_record(const char *path, struct ledger_tail *t)
{
	static const char *const suffixes[] = { ".tail", ".lock" };
	struct ledger_tail kept;
	bool any = false;

	for (int i = 0; i < 2; i++) {
		if (!read_kept(path, suffixes[i], &kept) ||
		    (any && kept.n <= t->n))
			continue;
		*t = kept;
		any = true;
	}
	return any;
}

/* The record names a file and a place in it: the chain must have been there,
 * with the same hash. */
static void
judge_record(struct walk *w, const char *path)
{
	struct ledger_report *r = w->report;

	if (!r->tail_known || r->tail_holds)
		return;
	if (!w->passed && r->lines == 0 && w->record.n == 0) {
		r->tail_holds = true;
		return;
	}
	r->breaks++;
	w->say(w->ctx, path, 0,
	    w->passed ? "the last line was changed"
		: w->file_seen
		? "lines at its end are missing"
		: "the file that holds its last line is not there");
}

int
ledger_verify(const char *path,
    void (*tell)(void *ctx, const char *file, uint64_t line, const char *what),
    void *ctx, struct ledger_report *report)
{
	struct walk w = { .say = tell, .ctx = ctx, .report = report };
	struct ledger_part *files;
	int rc = 0;
	size_t n;

	memset(report, 0, sizeof(*report));
	ledger_tail_init(&report->tail);
	/* The record first: lines after it are newer. */
	report->tail_known = read_record(path, &w.record);
	n = ledger_parts(path, &files);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = walk_file(&w, &files[i], i + 1 == n);
	if (rc == 0)
		judge_record(&w, path);
	ledger_parts_free(files, n);
	return rc;
}

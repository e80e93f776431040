/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Two versions of the program serve at the same time during an upgrade, and
 * each may keep the budgets in a file of its own form.  Hides how both know
 * what the other reserves and spends: runtime_dir/budget.journal, whose form
 * is a promise between versions.
 *
 * The leaving version writes all that it has into the journal, and from then on
 * each reservation and settlement; the following version makes its file from
 * that, and does the same.  A process that is about to read a row holds the
 * journal's lock and has read what the others have written, so no two of them
 * give away the same rest.  When nobody uses another file any more, the journal
 * is removed.
 *
 * It is text.  After a first line with the form and the boot of the machine,
 * each line is a letter and numbers, the first of them the id of the writer's
 * file:
 *
 * 	B id	a whole file begins
 * 	W id key day nanousd tokens requests month nanousd tokens requests
 * 	M id key second requests tokens
 * 	E id	it is complete; what follows came later
 * 	R id ticket owner client model tokens nanousd counted second
 * 	S id ticket client model counted tokens nanousd wall_ms boot_ms
 *
 * key, client and model are budget_key() of a name (0: none), a ticket is a
 * reservation's number, its owner the id of a process (state/process.h, of
 * which the form is a promise as well).  A whole file contains reservations
 * (R), too.
 */
#include "config.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "state/budget_internal.h"

#define JOURNAL_NAME "budget.journal"
#define FORM "tailgate-budget 1"
/* How long the leaving version waits for the following one. */
#define BEGIN_MS 120000
/* Between two checks for who is left. */
#define LOOK_MS 1000
/* The leaving processes finish a bounded number of requests; the following
 * ones write no more than this for them. */
#define FOLLOWING_BYTES (16 * 1024 * 1024)
#define LINE_BYTES 320

/* ---- the file --------------------------------------------------------- */

/* Locked; -1: there is none. */
int
budget_journal_open(const struct budget_book *b, int flags)
{
	char path[CONFIG_RUNTIME_DIR_MAX + sizeof(JOURNAL_NAME) + 1];
	struct stat st;
	int fd;

	snprintf(
	    path, sizeof(path), "%s/" JOURNAL_NAME, b->config->runtime_dir);
	fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
	if (fd == -1)
		return -1;
	while (flock(fd, LOCK_EX) == -1)
		if (errno != EINTR)
			goto gone;
	/* It may have been removed while we waited. */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1)
		return fd;
gone:
	close(fd);
	return -1;
}

static void
append(int fd, struct budget_file *f, const char *text, size_t len)
{
	static _Atomic int64_t warned_ms;
	struct stat st;

	if (fstat(fd, &st) == 0 &&
	    (f->stage == BUDGET_LEAVING || st.st_size < FOLLOWING_BYTES) &&
	    pwrite(fd, text, len, st.st_size) == (ssize_t)len) {
		/* The lines before it were read. */
		f->followed = (uint64_t)st.st_size + len;
		return;
	}
	if (f->stage == BUDGET_LEAVING && log_due(&warned_ms, 10000))
		log_warn("budget: the version that follows can't be told: %s",
		    strerror(errno));
}

/* Nobody is left who would read it. */
static void
end_journal(struct budget_book *b)
{
	int dir = open(b->config->runtime_dir,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir != -1) {
		unlinkat(dir, JOURNAL_NAME, 0);
		close(dir);
	}
	b->file->stage = BUDGET_ALONE;
	log_info("budget: no other version serves any more");
}

static bool
is_over(struct budget_book *b, struct budget_now now)
{
	struct budget_file *f = b->file;

	if (now.boot_ms - f->looked_ms < LOOK_MS)
		return false;
	f->looked_ms = now.boot_ms;
	if (f->stage == BUDGET_LEAVING && now.boot_ms - f->stage_ms < BEGIN_MS)
		return false;
	return !budget_users_others(b);
}

int
budget_journal_enter(struct budget_book *b, struct budget_now now)
{
	struct budget_file *f = b->file;
	struct stat st;
	int fd;

	if (f->stage == BUDGET_ALONE || b->copy)
		return -1;
	if ((fd = budget_journal_open(b, 0)) == -1 || fstat(fd, &st) == -1) {
		budget_journal_leave(fd);
		return -1;
	}
	if (f->journal != (uint64_t)st.st_ino) {
		f->journal = (uint64_t)st.st_ino;
		f->followed = 0;
	}
	budget_journal_follow(fd, b, now);
	if (!is_over(b, now))
		return fd;
	end_journal(b);
	close(fd);
	return -1;
}

void
budget_journal_leave(int journal)
{
	if (journal != -1)
		close(journal);
}

/* ---- writing ---------------------------------------------------------- */

static uint64_t
key_of(const struct budget_file *f, int row)
{
	return row < 0 || row >= BUDGET_ROWS ? 0 : f->keys[row];
}

static int
reservation_text(char *line, size_t size, const struct budget_file *f,
    const struct budget_cell *c, bool counted, int64_t second)
{
	return snprintf(line, size,
	    "R %" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIx64
	    " %" PRIu64 " %" PRId64 " %d %" PRId64 "\n",
	    f->id, c->ticket, c->owner, key_of(f, c->client),
	    key_of(f, c->model), c->tokens, c->nanousd, counted, second);
}

void
budget_journal_reserved(int journal, struct budget_book *b,
    const struct budget_cell *c, bool request, struct budget_now now)
{
	char line[LINE_BYTES];
	int len = reservation_text(
	    line, sizeof(line), b->file, c, request, now.boot_ms / 1000);

	append(journal, b->file, line, (size_t)len);
}

void
budget_journal_settled(int journal, struct budget_book *b, const int rows[2],
    uint64_t ticket, bool request, uint64_t tokens, int64_t nanousd,
    struct budget_now now)
{
	char line[LINE_BYTES];
	int len = snprintf(line, sizeof(line),
	    "S %" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIx64 " %d %" PRIu64
	    " %" PRId64 " %" PRId64 " %" PRId64 "\n",
	    b->file->id, ticket, key_of(b->file, rows[0]),
	    key_of(b->file, rows[1]), request, tokens, nanousd, now.wall_ms,
	    now.boot_ms);

	append(journal, b->file, line, (size_t)len);
}

static void
write_row(FILE *out, uint64_t id, uint64_t key, const struct budget_row *r)
{
	fprintf(out,
	    "W %" PRIx64 " %" PRIx64 " %" PRId64 " %" PRId64 " %" PRIu64
	    " %" PRIu64 " %" PRId64 " %" PRId64 " %" PRIu64 " %" PRIu64 "\n",
	    id, key, r->day.period, r->day.nanousd, r->day.tokens,
	    r->day.requests, r->month.period, r->month.nanousd, r->month.tokens,
	    r->month.requests);
	for (int64_t s = r->second; s > r->second - BUDGET_BUCKETS && s >= 0;
	     s--) {
		int at = (int)(s % BUDGET_BUCKETS);

		if (r->requests[at] == 0 && r->tokens[at] == 0)
			continue;
		fprintf(out,
		    "M %" PRIx64 " %" PRIx64 " %" PRId64 " %" PRIu32 " %" PRIu32
		    "\n",
		    id, key, s, r->requests[at], r->tokens[at]);
	}
}

/* The caller frees it; NULL with errno. */
static char *
whole_text(const struct budget_file *f, size_t *len)
{
	char line[LINE_BYTES], *text = NULL;
	FILE *out = open_memstream(&text, len);
	bool failed;

	if (out == NULL)
		return NULL;
	fprintf(out, "B %" PRIx64 "\n", f->id);
	for (int i = 0; i < budget_nrows(f); i++)
		if (f->keys[i] != 0)
			write_row(out, f->id, f->keys[i], &f->rows[i]);
	for (int i = 0; i < budget_ncells(f); i++) {
		if (f->cells[i].owner == 0)
			continue;
		reservation_text(line, sizeof(line), f, &f->cells[i], false, 0);
		fputs(line, out);
	}
	fprintf(out, "E %" PRIx64 "\n", f->id);
	failed = ferror(out) != 0;
	if (fclose(out) == EOF || failed) {
		free(text);
		errno = ENOMEM;
		return NULL;
	}
	return text;
}

/* A journal of this boot begins with this. */
int
budget_journal_head(char *line, size_t size)
{
	return snprintf(line, size, FORM " %" PRIx64 "\n", budget_boot());
}

/* Under both locks.  -1 with errno. */
static int
write_whole(int fd, struct budget_book *b)
{
	struct budget_file *f = b->file;
	char head[64], *text;
	int head_len = budget_journal_head(head, sizeof(head)), rc = -1;
	struct stat st;
	size_t len;

	if (fstat(fd, &st) == -1 ||
	    (st.st_size == 0 &&
		write(fd, head, (size_t)head_len) != head_len) ||
	    fstat(fd, &st) == -1)
		return -1;
	if ((text = whole_text(f, &len)) == NULL)
		return -1;
	if (pwrite(fd, text, len, st.st_size) == (ssize_t)len)
		rc = 0;
	else if (errno == 0)
		errno = ENOSPC;
	free(text);
	f->journal = (uint64_t)st.st_ino;
	f->followed = (uint64_t)st.st_size + len;
	return rc;
}

static int
begin_leaving(struct budget_book *b, struct budget_now now)
{
	int fd, rc = -1;

	budget_lock(b);
	/* If an upgrade is already going on, it includes what others did. */
	fd = budget_journal_enter(b, now);
	if (fd == -1)
		fd = budget_journal_open(b, O_CREAT | O_TRUNC);
	if (fd != -1 && (rc = write_whole(fd, b)) == 0) {
		b->file->stage = BUDGET_LEAVING;
		b->file->stage_ms = now.boot_ms;
	}
	budget_unlock(b);
	budget_journal_leave(fd);
	return rc;
}

int
budget_hand_over(const struct config *config,
    const struct budget_history *history, char *why, size_t size)
{
	struct budget_book *b = budget_open(config, history, why, size);
	int rc;

	if (b == NULL)
		return -1;
	if ((rc = begin_leaving(b, budget_clock())) == -1)
		snprintf(why, size, "%s/" JOURNAL_NAME ": %s",
		    config->runtime_dir, strerror(errno));
	budget_close(b);
	return rc;
}

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
 * The version that leaves writes all that it has into the journal, and from
 * then on each reservation and settlement; the one that follows makes its file
 * from that, and does the same.  Whoever is about to look at a row holds the
 * journal's lock meanwhile and has read what the others have written, so no
 * two of them give away the same rest.  When nobody is left who uses another
 * file, the journal goes.
 *
 * It is text.  After a first line with the form and the boot of the machine,
 * each line is a letter and numbers, the first of them the id of the writer's
 * file:
 *
 *	B id	a whole file begins
 *	W id key day nanousd tokens requests month nanousd tokens requests
 *	M id key second requests tokens
 *	E id	it is complete; what follows came later
 *	R id ticket owner client model tokens nanousd counted second
 *	S id ticket client model counted tokens nanousd wall_ms boot_ms
 *
 * key, client and model are budget_key() of a name (0: none), a ticket is a
 * reservation's number, its owner the id of a process (state/process.h, of
 * which the form is a promise as well).  Reservations (R) stand in a whole file
 * too.
 */
#include "config.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "state/budget_internal.h"
#include "state/mapfile.h"

#define JOURNAL_NAME "budget.journal"
#define USERS_NAME "budget.users"
#define FORM "tailgate-budget 1"
/* How long one that leaves waits for the one that follows. */
#define BEGIN_MS 120000
/* Between two looks at who is left. */
#define LOOK_MS 1000
/* Those who leave finish a bounded number of requests; those who follow do not
 * write more than this for them. */
#define FOLLOWING_BYTES (16 * 1024 * 1024)
#define LINE_BYTES 320

/* ---- who uses which file ---------------------------------------------- */

static int
open_users(const struct budget_book *b, char *why, size_t size)
{
	return mapfile_open_dir(b->config->runtime_dir, USERS_NAME, why, size);
}

static void
user_name(uint64_t id, char name[17])
{
	snprintf(name, 17, "%016" PRIx64, id);
}

/* One of several that ask for it at once finds it. */
static uint64_t
id_of(struct budget_book *b)
{
	uint64_t id;

	budget_lock(b);
	while (b->file->id == 0)
		arc4random_buf(&b->file->id, sizeof(b->file->id));
	id = b->file->id;
	budget_unlock(b);
	return id;
}

int
budget_journal_join(struct budget_book *b, char *why, size_t size)
{
	char name[17];
	int dir;

	if (mapfile_only_looks())
		return 0;
	if ((dir = open_users(b, why, size)) == -1)
		return -1;
	user_name(id_of(b), name);
	b->user_fd = mapfile_open_lock(dir, name);
	close(dir);
	if (b->user_fd != -1 && flock(b->user_fd, LOCK_SH) == 0)
		return 0;
	snprintf(why, size, "%s/%s/%s: %s", b->config->runtime_dir, USERS_NAME,
	    name, strerror(errno));
	return -1;
}

/* Does a process have its lock?  If not, its file goes. */
static bool
is_used(int dir, const char *name)
{
	int fd = mapfile_open_lock(dir, name);
	bool used = fd == -1 || flock(fd, LOCK_EX | LOCK_NB) == -1;

	if (!used)
		unlinkat(dir, name, 0);
	if (fd != -1)
		close(fd);
	return used;
}

/* Somebody who can't be asked counts. */
static bool
others_are_left(const struct budget_book *b)
{
	char why[512], own[17];
	struct dirent *entry;
	int fd = open_users(b, why, sizeof(why));
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	bool found = dir == NULL;

	user_name(b->file->id, own);
	while (!found && (entry = readdir(dir)) != NULL)
		found = strlen(entry->d_name) == 16 &&
		    strcmp(entry->d_name, own) != 0 &&
		    is_used(fd, entry->d_name);
	if (dir != NULL)
		closedir(dir);
	else if (fd != -1)
		close(fd);
	return found;
}

/* ---- reading ---------------------------------------------------------- */

/* Lines read into a file. */
struct reader {
	struct budget_file *file;
	struct budget_index *index; /* NULL: made when first asked for */
	struct budget_now now;
	uint64_t whole; /* take this id's B..E; 0: none */
};

static int
row_of(struct reader *r, uint64_t key)
{
	if (r->index == NULL)
		r->index = budget_index_new(r->file);
	return key == 0 ? -1 : budget_index_find(r->index, key);
}

static void
take_window(struct reader *r, const char *text)
{
	struct budget_window day = { 0 }, month = { 0 };
	uint64_t key;
	int row;

	if (sscanf(text,
		"%" SCNx64 " %" SCNd64 " %" SCNd64 " %" SCNu64 " %" SCNu64
		" %" SCNd64 " %" SCNd64 " %" SCNu64 " %" SCNu64,
		&key, &day.period, &day.nanousd, &day.tokens, &day.requests,
		&month.period, &month.nanousd, &month.tokens,
		&month.requests) != 9 ||
	    (row = row_of(r, key)) == -1)
		return;
	r->file->rows[row].day = day;
	r->file->rows[row].month = month;
}

static void
add_minute(
    struct budget_row *row, int64_t second, uint32_t requests, uint32_t tokens)
{
	if (second < 0 || second > row->second ||
	    second <= row->second - BUDGET_BUCKETS)
		return;
	row->requests[second % BUDGET_BUCKETS] += requests;
	budget_spend_minute(row, second, tokens);
}

static void
take_minute(struct reader *r, const char *text)
{
	uint32_t requests, tokens;
	uint64_t key;
	int64_t second;
	int row;

	if (sscanf(text, "%" SCNx64 " %" SCNd64 " %" SCNu32 " %" SCNu32, &key,
		&second, &requests, &tokens) != 4 ||
	    (row = row_of(r, key)) == -1)
		return;
	budget_roll(&r->file->rows[row], r->now);
	add_minute(&r->file->rows[row], second, requests, tokens);
}

static void
take_reservation(struct reader *r, const char *text)
{
	struct budget_cell c = { .owner = 0 };
	uint64_t client, model;
	int64_t second;
	unsigned counted;
	int at;

	if (sscanf(text,
		"%" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNu64
		" %" SCNd64 " %u %" SCNd64,
		&c.ticket, &c.owner, &client, &model, &c.tokens, &c.nanousd,
		&counted, &second) != 8 ||
	    c.owner == 0)
		return;
	c.client = row_of(r, client);
	c.model = row_of(r, model);
	if ((c.client == -1 && c.model == -1) ||
	    (at = budget_find_cell(r->file)) == -1)
		return;
	r->file->cells[at] = c;
	budget_hold_cell(r->file, &c, 1);
	for (int i = 0; i < 2; i++) {
		int row = i == 0 ? c.client : c.model;

		if (row == -1)
			continue;
		budget_roll(&r->file->rows[row], r->now);
		add_minute(&r->file->rows[row], second, counted != 0, 0);
	}
}

static void
give_back(struct budget_file *f, uint64_t ticket)
{
	for (int i = 0; ticket != 0 && i < BUDGET_CELLS; i++) {
		if (f->cells[i].owner == 0 || f->cells[i].ticket != ticket)
			continue;
		budget_hold_cell(f, &f->cells[i], -1);
		f->cells[i].owner = 0;
		return;
	}
}

static void
take_settlement(struct reader *r, const char *text)
{
	uint64_t ticket, keys[2], tokens;
	int64_t nanousd, wall_ms, boot_ms;
	unsigned counted;

	if (sscanf(text,
		"%" SCNx64 " %" SCNx64 " %" SCNx64 " %u %" SCNu64 " %" SCNd64
		" %" SCNd64 " %" SCNd64,
		&ticket, &keys[0], &keys[1], &counted, &tokens, &nanousd,
		&wall_ms, &boot_ms) != 8)
		return;
	give_back(r->file, ticket);
	for (int i = 0; i < 2; i++) {
		int at = row_of(r, keys[i]);
		struct budget_row *row;

		if (at == -1)
			continue;
		row = &r->file->rows[at];
		budget_roll(row, r->now);
		add_minute(row, boot_ms / 1000, 0,
		    tokens > UINT32_MAX ? UINT32_MAX : (uint32_t)tokens);
		if (row->day.period == budget_day(wall_ms))
			budget_spend_window(
			    &row->day, counted != 0, tokens, nanousd);
		if (row->month.period == budget_month(wall_ms))
			budget_spend_window(
			    &row->month, counted != 0, tokens, nanousd);
	}
}

/* One line of another's.  A whole file counts only if it is asked for: who
 * has followed from before knows all of that. */
static void
take_line(struct reader *r, const char *line, bool *inside, uint64_t *id)
{
	int skip = 0;

	if (sscanf(line, "%*c %" SCNx64 "%n", id, &skip) != 1 || skip == 0)
		return;
	if (*line == 'B' || *line == 'E') {
		*inside = *line == 'B';
		return;
	}
	if (*id == r->file->id || (*inside && *id != r->whole))
		return;
	switch (*line) {
	case 'W':
		take_window(r, line + skip);
		break;
	case 'M':
		take_minute(r, line + skip);
		break;
	case 'R':
		take_reservation(r, line + skip);
		break;
	case 'S':
		take_settlement(r, line + skip);
		break;
	}
}

/* The bytes from an offset on, up to the last whole line, with a NUL after
 * them.  NULL: there are none. */
static char *
read_from(int fd, uint64_t from, size_t *len)
{
	struct stat st;
	char *text, *end;
	ssize_t n;

	if (fstat(fd, &st) == -1 || (uint64_t)st.st_size <= from)
		return NULL;
	*len = (size_t)((uint64_t)st.st_size - from);
	if ((text = malloc(*len + 1)) == NULL)
		fatal("out of memory");
	n = pread(fd, text, *len, (off_t)from);
	text[n < 0 ? 0 : n] = '\0';
	if (n <= 0 || (end = strrchr(text, '\n')) == NULL) {
		free(text);
		return NULL;
	}
	end[1] = '\0';
	*len = (size_t)(end + 1 - text);
	return text;
}

static void
take_text(struct reader *r, char *text)
{
	bool inside = false;
	uint64_t id;
	char *line;

	while ((line = strsep(&text, "\n")) != NULL && *line != '\0')
		take_line(r, line, &inside, &id);
	if (r->index != NULL)
		budget_index_free(r->index);
}

/* What others have written since. */
static void
follow(int fd, struct budget_book *b, struct budget_now now)
{
	struct reader r = { .file = b->file, .now = now };
	size_t len;
	char *text = read_from(fd, b->file->followed, &len);

	if (text == NULL)
		return;
	take_text(&r, text);
	b->file->followed += len;
	free(text);
}

/* ---- the file --------------------------------------------------------- */

/* Locked; -1: there is none. */
static int
open_journal(const struct budget_book *b, int flags)
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
	/* It may have gone while we waited. */
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
	    (f->step == BUDGET_LEAVING || st.st_size < FOLLOWING_BYTES) &&
	    pwrite(fd, text, len, st.st_size) == (ssize_t)len) {
		/* Those before it were read. */
		f->followed = (uint64_t)st.st_size + len;
		return;
	}
	if (f->step == BUDGET_LEAVING && log_due(&warned_ms, 10000))
		log_warn("budget: the version that follows can't be told: %s",
		    strerror(errno));
}

/* Nobody is left to tell. */
static void
end_journal(struct budget_book *b)
{
	int dir = open(b->config->runtime_dir,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir != -1) {
		unlinkat(dir, JOURNAL_NAME, 0);
		close(dir);
	}
	b->file->step = BUDGET_ALONE;
	log_info("budget: no other version serves any more");
}

static bool
is_over(struct budget_book *b, struct budget_now now)
{
	struct budget_file *f = b->file;

	if (now.boot_ms - f->looked_ms < LOOK_MS)
		return false;
	f->looked_ms = now.boot_ms;
	if (f->step == BUDGET_LEAVING && now.boot_ms - f->step_ms < BEGIN_MS)
		return false;
	return !others_are_left(b);
}

int
budget_journal_enter(struct budget_book *b, struct budget_now now)
{
	struct budget_file *f = b->file;
	struct stat st;
	int fd;

	if (f->step == BUDGET_ALONE || b->copy)
		return -1;
	if ((fd = open_journal(b, 0)) == -1 || fstat(fd, &st) == -1) {
		budget_journal_leave(fd);
		return -1;
	}
	if (f->journal != (uint64_t)st.st_ino) {
		f->journal = (uint64_t)st.st_ino;
		f->followed = 0;
	}
	follow(fd, b, now);
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

static char *
whole_text(const struct budget_file *f, size_t *len)
{
	char line[LINE_BYTES], *text = NULL;
	FILE *out = open_memstream(&text, len);

	if (out == NULL)
		fatal("out of memory");
	fprintf(out, "B %" PRIx64 "\n", f->id);
	for (int i = 0; i < BUDGET_ROWS; i++)
		if (f->keys[i] != 0)
			write_row(out, f->id, f->keys[i], &f->rows[i]);
	for (int i = 0; i < BUDGET_CELLS; i++) {
		if (f->cells[i].owner == 0)
			continue;
		reservation_text(line, sizeof(line), f, &f->cells[i], false, 0);
		fputs(line, out);
	}
	fprintf(out, "E %" PRIx64 "\n", f->id);
	if (fclose(out) == EOF)
		fatal("out of memory");
	return text;
}

/* A journal of this boot begins with this. */
static int
head_text(char *line, size_t size)
{
	return snprintf(line, size, FORM " %" PRIx64 "\n", budget_boot());
}

/* Under both locks.  -1 with errno. */
static int
write_whole(int fd, struct budget_book *b)
{
	struct budget_file *f = b->file;
	char head[64], *text;
	int head_len = head_text(head, sizeof(head)), rc = -1;
	struct stat st;
	size_t len;

	if (fstat(fd, &st) == -1 ||
	    (st.st_size == 0 &&
		write(fd, head, (size_t)head_len) != head_len) ||
	    fstat(fd, &st) == -1)
		return -1;
	text = whole_text(f, &len);
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
	/* In an upgrade that goes on, what others did is part of it. */
	fd = budget_journal_enter(b, now);
	if (fd == -1)
		fd = open_journal(b, O_CREAT | O_TRUNC);
	if (fd != -1 && (rc = write_whole(fd, b)) == 0) {
		b->file->step = BUDGET_LEAVING;
		b->file->step_ms = now.boot_ms;
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

/* ---- following -------------------------------------------------------- */

/* The last whole file in it that is not ours, and whose it is. */
static char *
find_whole(char *text, uint64_t own, uint64_t *whole)
{
	char *at = text, *begin = NULL, *found = NULL;
	uint64_t id, began = 0;

	for (; at != NULL && *at != '\0'; at = strchr(at, '\n')) {
		at += *at == '\n';
		if ((*at != 'B' && *at != 'E') ||
		    sscanf(at, "%*c %" SCNx64, &id) != 1)
			continue;
		if (*at == 'B') {
			begin = at;
			began = id;
		} else if (begin != NULL && began == id && id != own) {
			found = begin;
			*whole = id;
		}
	}
	return found;
}

static bool
is_of_this_boot(const char *text)
{
	char head[64];
	int len = head_text(head, sizeof(head));

	return strncmp(text, head, (size_t)len) == 0;
}

/* Only what is not known yet may be in the file. */
static void
clear_rows(struct budget_file *f, struct budget_now now)
{
	memset(f->cells, 0, sizeof(f->cells));
	for (int i = 0; i < BUDGET_ROWS; i++) {
		if (f->keys[i] == 0)
			continue;
		memset(&f->rows[i], 0, sizeof(f->rows[i]));
		budget_roll(&f->rows[i], now);
	}
}

bool
budget_journal_import(struct budget_book *b)
{
	struct reader r = { .file = b->file, .now = budget_clock() };
	int fd = open_journal(b, 0);
	char *text, *begin = NULL;
	struct stat st;
	size_t len;

	if (fd == -1)
		return false;
	text = fstat(fd, &st) == -1 ? NULL : read_from(fd, 0, &len);
	if (text != NULL && is_of_this_boot(text) &&
	    (begin = find_whole(text, b->file->id, &r.whole)) != NULL) {
		clear_rows(b->file, r.now);
		take_text(&r, begin);
		b->file->journal = (uint64_t)st.st_ino;
		b->file->followed = len;
		b->file->step = BUDGET_FOLLOWING;
		b->file->built = 1;
		log_info("budget: taken over from the version before");
	}
	free(text);
	close(fd);
	return begin != NULL;
}

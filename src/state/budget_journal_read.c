/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a file of budgets is filled from the journal (budget_journal.c):
 * first with all of another version's file, then with what others have written
 * since.
 */
#include "config.h"

#include <sys/stat.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "state/budget_internal.h"

/* ---- its lines -------------------------------------------------------- */

/* Lines read into a file. */
struct reader {
	struct budget_file *file;
	struct budget_index *index; /* NULL: not made yet */
	struct budget_now now;
	uint64_t whole; /* read this id's B..E; 0: none */
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
	budget_count_cell(r->file, &c, 1);
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
	for (int i = 0; ticket != 0 && i < budget_ncells(f); i++) {
		if (f->cells[i].owner == 0 || f->cells[i].ticket != ticket)
			continue;
		budget_count_cell(f, &f->cells[i], -1);
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
		budget_note_spent(r->file, row, tokens, nanousd,
		    (struct budget_now){ wall_ms, boot_ms });
	}
}

/* One line of another process.  A whole file is read only on request: a
 * process that has followed the journal knows its content. */
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
	text = memory_alloc(*len + 1);
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

/* ---- since ------------------------------------------------------------ */

/* What others have written since. */
void
budget_journal_follow(int fd, struct budget_book *b, struct budget_now now)
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

/* ---- all of it -------------------------------------------------------- */

/* The last whole file in it that is not ours, and its writer's id. */
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
	int len = budget_journal_head(head, sizeof(head));

	return strncmp(text, head, (size_t)len) == 0;
}

/* The file must contain only what is not known yet. */
static void
clear_rows(struct budget_file *f, struct budget_now now)
{
	budget_clear_cells(f);
	for (int i = 0; i < budget_nrows(f); i++) {
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
	int fd = budget_journal_open(b, 0);
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
		b->file->stage = BUDGET_FOLLOWING;
		b->file->built = 1;
		log_info("budget: taken over from the version before");
	}
	free(text);
	close(fd);
	return begin != NULL;
}

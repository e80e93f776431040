/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The status page's window on the ledger.  Hides how far each of its files
 * has been read: a page that is open all day costs a few lines at each look.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "state/usage_sum.h"
#include "state/usage_view.h"

#define DAY_MS INT64_C(86400000)
#define FILES_MAX 64
#define RECENT_TEXT_MAX 4096

/* How far a file was read; it keeps its inode when it is rotated. */
struct place_in_file {
	uint64_t dev, ino, first_n;
	int64_t offset;
};

struct usage_view {
	const struct config *config;
	pthread_mutex_t mutex;
	struct usage_sum *sum;
	int64_t day; /* when all of it was read the last time */
	int64_t since_ms;
	struct place_in_file files[FILES_MAX];
	size_t nfiles;
	struct buf recent[USAGE_VIEW_RECENT]; /* a ring of JSON objects */
	uint64_t nrecent;
};

static const enum usage_by columns[] = { USAGE_BY_DAY, USAGE_BY_MODEL,
	USAGE_BY_PROVIDER, USAGE_BY_PLACE };
#define NCOLUMNS (sizeof(columns) / sizeof(columns[0]))

/* A string's inside as it stands in the ledger: JSON already. */
static void
put_raw(struct buf *b, const char *name, struct span raw)
{
	buf_puts(b, name);
	if (raw.p == NULL) {
		buf_puts(b, "null");
		return;
	}
	buf_puts(b, "\"");
	buf_add(b, raw.p, raw.len);
	buf_puts(b, "\"");
}

static void
put_known(struct buf *b, const char *name, int64_t v)
{
	buf_puts(b, name);
	if (v < 0)
		buf_puts(b, "null");
	else
		buf_printf(b, "%" PRId64, v);
}

static void
keep_recent(struct usage_view *v, const struct ledger_line *l)
{
	struct buf *b = &v->recent[v->nrecent++ % USAGE_VIEW_RECENT];

	buf_reset(b);
	put_raw(b, "{\"time\":", l->time);
	put_raw(b, ",\"id\":", l->id);
	put_raw(b, ",\"client\":", l->client);
	put_raw(b, ",\"endpoint\":", l->endpoint);
	put_raw(b, ",\"model\":", l->model);
	put_raw(b, ",\"provider\":", l->provider);
	put_raw(b, ",\"place\":", l->place);
	put_known(b, ",\"status\":", l->status);
	put_raw(b, ",\"refusal\":", l->refusal);
	buf_puts(b, l->stream ? ",\"stream\":true" : ",\"stream\":false");
	put_known(b, ",\"input\":", l->input);
	put_known(b, ",\"output\":", l->output);
	put_known(b, ",\"cost_nanousd\":", l->cost_nanousd);
	put_known(b, ",\"queue_ms\":", l->queue_ms);
	put_known(b, ",\"first_byte_ms\":", l->first_byte_ms);
	put_known(b, ",\"total_ms\":", l->total_ms);
	buf_puts(b, "}");
}

static int
take_line(void *ctx, struct span text, int64_t offset, uint64_t number)
{
	struct usage_view *v = ctx;
	struct ledger_line l;

	(void)offset;
	(void)number;
	if (ledger_line_time(text) < v->since_ms ||
	    !ledger_line_parse(text, &l))
		return 0;
	usage_sum_add(v->sum, &l);
	keep_recent(v, &l);
	return 0;
}

static struct place_in_file *
place_of(struct usage_view *v, const struct ledger_file *f)
{
	struct place_in_file *p;

	for (size_t i = 0; i < v->nfiles; i++) {
		p = &v->files[i];
		/* Another file may have got the inode of one removed. */
		if (p->ino == f->ino && p->dev == f->dev &&
		    p->first_n == f->first_n && p->offset <= f->size)
			return p;
	}
	if (v->nfiles == FILES_MAX) {
		memmove(v->files, v->files + 1,
		    (FILES_MAX - 1) * sizeof(v->files[0]));
		v->nfiles--;
	}
	p = &v->files[v->nfiles++];
	*p = (struct place_in_file){ f->dev, f->ino, f->first_n, 0 };
	return p;
}

static void
read_file(struct usage_view *v, const struct ledger_file *f)
{
	struct place_in_file *p;
	int64_t end;

	if (f->size == 0 || f->modified_ms < v->since_ms)
		return;
	p = place_of(v, f);
	end = ledger_file_each(f, p->offset, f->size, false, take_line, v);
	if (end < 0)
		log_warn("%s: %s", f->path, strerror(errno));
	else
		p->offset = end;
}

/* Once a day all of it is read anew, so that old days are forgotten. */
static void
begin_day(struct usage_view *v, int64_t day)
{
	v->day = day;
	v->since_ms = (day - USAGE_VIEW_DAYS + 1) * DAY_MS;
	v->nfiles = 0;
	v->nrecent = 0;
	usage_sum_reset(v->sum);
}

static void
read_on(struct usage_view *v)
{
	int64_t day = clock_wall_ms() / DAY_MS;
	struct ledger_file *files;
	size_t n;

	if (v->sum == NULL)
		v->sum = usage_sum_new(columns, NCOLUMNS);
	if (v->day != day)
		begin_day(v, day);
	if (!v->config->ledger)
		return;
	n = ledger_files(v->config->ledger_file, &files);
	for (size_t i = 0; i < n; i++)
		read_file(v, &files[i]);
	ledger_files_free(files, n);
}

static void
put_row(struct buf *b, const struct usage_group *g)
{
	static const char *const before[] = {
		"{\"day\":", ",\"model\":", ",\"provider\":", ",\"place\":"
	};
	const struct usage_count *c = &g->count;

	for (size_t i = 0; i < NCOLUMNS; i++) {
		buf_puts(b, before[i]);
		buf_json(b, span_of(g->names[i]));
	}
	buf_printf(b,
	    ",\"requests\":%" PRIu64 ",\"failed\":%" PRIu64
	    ",\"estimated\":%" PRIu64 ",\"unpriced\":%" PRIu64
	    ",\"input\":%" PRId64 ",\"cached\":%" PRId64 ",\"output\":%" PRId64
	    ",\"reasoning\":%" PRId64 ",\"cost_nanousd\":%" PRId64 "}",
	    c->requests, c->failed, c->estimated, c->unpriced, c->input,
	    c->cached, c->output, c->reasoning, c->cost_nanousd);
}

static void
put_rows(struct usage_view *v, const char *since, struct buf *b)
{
	struct usage_group **groups;
	size_t n = usage_sum_groups(v->sum, &groups);
	bool first = true;

	buf_puts(b, ",\"rows\":[");
	for (size_t i = 0; i < n; i++) {
		if (strcmp(groups[i]->names[0], since) < 0)
			continue;
		buf_puts(b, first ? "" : ",");
		put_row(b, groups[i]);
		first = false;
	}
	buf_puts(b, "]");
}

static void
put_recent(struct usage_view *v, uint64_t n, struct buf *b)
{
	bool first = true;

	if (n > v->nrecent)
		n = v->nrecent;
	buf_puts(b, ",\"recent\":[");
	for (uint64_t i = 0; i < n; i++) {
		struct buf *r =
		    &v->recent[(v->nrecent - 1 - i) % USAGE_VIEW_RECENT];

		if (buf_failed(r))
			continue;
		buf_puts(b, first ? "" : ",");
		buf_add(b, r->p, r->len);
		first = false;
	}
	buf_puts(b, "]");
}

void
usage_view_json(
    struct usage_view *v, unsigned days, unsigned recent, struct buf *b)
{
	char since[CLOCK_TEXT_SIZE];

	if (days < 1 || days > USAGE_VIEW_DAYS)
		days = USAGE_VIEW_DAYS;
	if (recent > USAGE_VIEW_RECENT)
		recent = USAGE_VIEW_RECENT;
	pthread_mutex_lock(&v->mutex);
	read_on(v);
	clock_text((v->day - (int64_t)days + 1) * DAY_MS, since);
	since[10] = '\0';
	buf_printf(b, "{\"since\":\"%s\"", since);
	put_rows(v, since, b);
	put_recent(v, recent, b);
	buf_puts(b, "}");
	pthread_mutex_unlock(&v->mutex);
}

struct usage_view *
usage_view_new(const struct config *config)
{
	struct usage_view *v = calloc(1, sizeof(*v));

	if (v == NULL || pthread_mutex_init(&v->mutex, NULL) != 0)
		fatal("out of memory");
	v->config = config;
	for (size_t i = 0; i < USAGE_VIEW_RECENT; i++)
		buf_init(&v->recent[i], RECENT_TEXT_MAX);
	return v;
}

void
usage_view_free(struct usage_view *v)
{
	if (v == NULL)
		return;
	for (size_t i = 0; i < USAGE_VIEW_RECENT; i++)
		buf_free(&v->recent[i]);
	usage_sum_free(v->sum);
	pthread_mutex_destroy(&v->mutex);
	free(v);
}

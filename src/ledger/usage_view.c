/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The status page's window on the ledger.  Hides how far each of its files has
 * been read: a page that is open all day costs a few lines at each refresh.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/jput.h"
#include "base/jscan.h"
#include "base/log.h"
#include "base/memory.h"
#include "ledger/usage_sum.h"
#include "ledger/usage_view.h"

#define DAY_MS INT64_C(86400000)
/* A recent request: a dozen texts of as much, each byte escaped, fit in. */
#define RECENT_TEXT_MAX 16384
#define NAME_MAX_BYTES 200
/* Any number of pages may be open. */
#define READ_EVERY_MS 1000

/* How far a file was read; it keeps its inode when it is rotated. */
struct place_in_file {
	uint64_t dev, ino, first_n;
	int64_t offset;
	bool whole; /* it is compressed, and was read */
};

struct usage_view {
	const struct config *config;
	pthread_mutex_t mutex;
	struct usage_sum *sum, *clients, *sessions;
	int64_t read_ms; /* when it was read the last time, */
	int64_t day; /* and when from its beginning */
	int64_t since_ms;
	struct place_in_file *files;
	size_t nfiles;
	struct buf recent[USAGE_VIEW_RECENT]; /* a ring of JSON objects */
	uint64_t nrecent;
};

static const enum usage_by columns[] = { USAGE_BY_DAY, USAGE_BY_MODEL,
	USAGE_BY_PROVIDER, USAGE_BY_PLACE };
#define NCOLUMNS (sizeof(columns) / sizeof(columns[0]))
static const enum usage_by client_columns[] = { USAGE_BY_DAY, USAGE_BY_CLIENT };
static const enum usage_by session_columns[] = { USAGE_BY_SESSION,
	USAGE_BY_CLIENT };

/* Written anew: the file may contain anything, and a page that gets bad JSON
 * shows nothing at all. */
static void
put_text(struct buf *b, const char *name, struct span raw)
{
	char text[NAME_MAX_BYTES];

	if (raw.p == NULL) {
		jput_text(b, name, NULL);
		return;
	}
	if (raw.len > sizeof(text))
		raw.len = sizeof(text);
	jput_span(b, name, (struct span){ text, jscan_decode(raw, text) });
}

static void
keep_recent(struct usage_view *v, const struct ledger_line *l)
{
	struct buf *b = &v->recent[v->nrecent++ % USAGE_VIEW_RECENT];

	buf_reset(b);
	jput_open(b, '{');
	put_text(b, "time", l->time);
	put_text(b, "id", l->id);
	put_text(b, "client", l->client);
	put_text(b, "session", l->session);
	put_text(b, "endpoint", l->endpoint);
	put_text(b, "model", l->model);
	put_text(b, "provider", l->provider);
	put_text(b, "place", l->place);
	jput_bool(b, "sent", l->sent);
	jput_bool(b, "external", l->external);
	put_text(b, "fallback", l->fallback);
	jput_bool(b, "stream", l->stream);
	jput_known(b, "status", l->status);
	put_text(b, "refusal", l->refusal);
	jput_bool(b, "client_gone", l->client_gone);
	jput_bool(b, "cut", l->cut);
	put_text(b, "usage", l->usage);
	jput_known(b, "input", l->input);
	jput_known(b, "output", l->output);
	jput_known(b, "cost_nanousd", l->cost_nanousd);
	jput_known(b, "queue_ms", l->queue_ms);
	jput_known(b, "first_byte_ms", l->first_byte_ms);
	jput_known(b, "total_ms", l->total_ms);
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
	if (!l.gap)
		keep_recent(v, &l);
	if (!l.sent)
		l.model = (struct span){ NULL, 0 };
	if (l.model.p == NULL)
		l.model = l.route;
	usage_sum_add(v->sum, &l);
	usage_sum_add(v->clients, &l);
	if (l.session.len > 0)
		usage_sum_add(v->sessions, &l);
	return 0;
}

static bool
is_place_of(const struct place_in_file *p, const struct ledger_part *f)
{
	/* A file that was read before it was compressed is not read again. */
	if (f->form != UNPACK_NONE && f->first_n != UINT64_MAX)
		return p->first_n == f->first_n;
	/* Another file may have got the inode of one removed. */
	return p->ino == f->ino && p->dev == f->dev &&
	    p->first_n == f->first_n && p->offset <= f->size;
}

static struct place_in_file *
place_of(struct usage_view *v, const struct ledger_part *f)
{
	struct place_in_file *p;

	for (size_t i = 0; i < v->nfiles; i++)
		if (is_place_of(&v->files[i], f))
			return &v->files[i];
	v->files = memory_list(v->files, v->nfiles + 1, sizeof(*v->files));
	p = &v->files[v->nfiles++];
	*p = (struct place_in_file){
		.dev = f->dev, .ino = f->ino, .first_n = f->first_n
	};
	return p;
}

static void
read_file(struct usage_view *v, const struct ledger_part *f)
{
	struct place_in_file *p;
	int64_t end;

	if (f->size == 0 || f->modified_ms < v->since_ms)
		return;
	p = place_of(v, f);
	if (p->whole)
		return;
	p->whole = f->form != UNPACK_NONE;
	end = ledger_part_each(f, p->offset, f->size, false, take_line, v);
	if (end < 0)
		log_warn("%s: %s", f->path, ledger_part_error(errno));
	else
		p->offset = end;
}

/* Once a day all of it is read again, so that old days are forgotten. */
static void
begin_day(struct usage_view *v, int64_t day)
{
	v->day = day;
	v->read_ms = 0;
	v->since_ms = (day - USAGE_VIEW_DAYS + 1) * DAY_MS;
	v->nfiles = 0;
	v->nrecent = 0;
	usage_sum_reset(v->sum);
	usage_sum_reset(v->clients);
	usage_sum_reset(v->sessions);
}

static void
read_on(struct usage_view *v)
{
	int64_t day = clock_wall_ms() / DAY_MS, now = clock_now_ms();
	struct ledger_part *files;
	size_t n;

	if (v->sum == NULL)
		v->sum = usage_sum_new(columns, NCOLUMNS);
	if (v->clients == NULL)
		v->clients = usage_sum_new(client_columns, 2);
	if (v->sessions == NULL)
		v->sessions = usage_sum_new(session_columns, 2);
	if (v->day != day)
		begin_day(v, day);
	if (!v->config->ledger ||
	    (v->read_ms != 0 && now - v->read_ms < READ_EVERY_MS))
		return;
	v->read_ms = now;
	n = ledger_parts(v->config->ledger_file, &files);
	for (size_t i = 0; i < n; i++)
		read_file(v, &files[i]);
	ledger_parts_free(files, n);
}

static const char *const labels[] = { "day", "model", "provider", "place" };
static const char *const client_labels[] = { "day", "client" };
static const char *const session_labels[] = { "session", "client" };

static void
put_row(struct buf *b, const char *const *names, size_t n,
    const struct usage_group *g)
{
	const struct usage_count *c = &g->count;

	jput_open(b, '{');
	for (size_t i = 0; i < n; i++)
		jput_text(b, names[i], g->names[i]);
	jput_u64(b, "requests", c->requests);
	jput_u64(b, "failed", c->failed);
	jput_u64(b, "tries", c->tries);
	jput_u64(b, "estimated", c->estimated);
	jput_u64(b, "unpriced", c->unpriced);
	jput_u64(b, "external", c->external);
	jput_i64(b, "external_bytes", c->external_bytes);
	jput_i64(b, "input", c->input);
	jput_i64(b, "cached", c->cached);
	jput_i64(b, "output", c->output);
	jput_i64(b, "reasoning", c->reasoning);
	jput_i64(b, "cost_nanousd", c->cost_nanousd);
	buf_puts(b, "}");
}

/* What is left of a day, by place: where it went is never lost. */
static void
put_others(struct usage_group *const *groups, size_t n, struct buf *b)
{
	static const char *const places[] = { "local", "external", "" };

	for (size_t p = 0; n > 0 && p < 3; p++) {
		struct usage_group sum = { .names = { groups[0]->names[0],
					       "(other)", "", places[p] } };

		for (size_t i = 0; i < n; i++)
			if (strcmp(groups[i]->names[3], places[p]) == 0)
				usage_count_add(&sum.count, &groups[i]->count);
		if (sum.count.requests + sum.count.tries > 0)
			put_row(b, labels, NCOLUMNS, &sum);
	}
}

static void
put_other_clients(struct usage_group *const *groups, size_t n, struct buf *b)
{
	struct usage_group sum = { .names = { n > 0 ? groups[0]->names[0] : "",
				       "(other)" } };

	for (size_t i = 0; i < n; i++)
		usage_count_add(&sum.count, &groups[i]->count);
	if (n > 0)
		put_row(b, client_labels, 2, &sum);
}

/* Groups come by day, and within it the most expensive first. */
static void
put_days(struct usage_sum *sum, const char *const *names, size_t ncolumns,
    void (*put_rest)(struct usage_group *const *, size_t n, struct buf *),
    const char *since, struct buf *b)
{
	struct usage_group **groups;
	size_t n = usage_sum_groups(sum, &groups), end;

	for (size_t i = 0; i < n; i = end) {
		const char *day = groups[i]->names[0];
		size_t shown;

		for (end = i;
		     end < n && strcmp(groups[end]->names[0], day) == 0;)
			end++;
		if (strcmp(day, since) < 0)
			continue;
		shown = end - i < USAGE_VIEW_DAY_ROWS ? end
						      : i + USAGE_VIEW_DAY_ROWS;
		for (size_t k = i; k < shown; k++)
			put_row(b, names, ncolumns, groups[k]);
		put_rest(groups + shown, end - shown, b);
	}
}

static void
put_rows(struct usage_view *v, const char *since, struct buf *b)
{
	jput_name_open(b, "rows", '[');
	put_days(v->sum, labels, NCOLUMNS, put_others, since, b);
	buf_puts(b, "]");
	jput_name_open(b, "clients", '[');
	put_days(v->clients, client_labels, 2, put_other_clients, since, b);
	buf_puts(b, "]");
}

/* The most expensive first; what has no more room in the sum is no session. */
static void
put_sessions(struct usage_view *v, struct buf *b)
{
	struct usage_group **groups;
	size_t n = usage_sum_groups(v->sessions, &groups), shown = 0;

	jput_name_open(b, "sessions", '[');
	for (size_t i = 0; i < n && shown < USAGE_VIEW_SESSIONS; i++)
		if (strcmp(groups[i]->names[0], "(other)") != 0) {
			put_row(b, session_labels, 2, groups[i]);
			shown++;
		}
	buf_puts(b, "]");
}

static void
put_recent(struct usage_view *v, uint64_t n, struct buf *b)
{
	bool first = true;

	if (n > v->nrecent)
		n = v->nrecent;
	jput_name_open(b, "recent", '[');
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
	char at[CLOCK_TEXT_SIZE], since[CLOCK_TEXT_SIZE];

	if (days > USAGE_VIEW_DAYS)
		days = USAGE_VIEW_DAYS;
	if (recent > USAGE_VIEW_RECENT)
		recent = USAGE_VIEW_RECENT;
	pthread_mutex_lock(&v->mutex);
	read_on(v);
	clock_text(clock_wall_ms(), at);
	/* Without days, no day is late enough. */
	clock_text((v->day - (int64_t)days + 1) * DAY_MS, since);
	since[10] = '\0';
	jput_open(b, '{');
	jput_bool(b, "ledger", v->config->ledger);
	jput_text(b, "at", at);
	jput_text(b, "since", since);
	put_rows(v, days == 0 ? "~" : since, b);
	if (days > 0)
		put_sessions(v, b);
	put_recent(v, recent, b);
	buf_puts(b, "}\n");
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
	usage_sum_free(v->clients);
	usage_sum_free(v->sessions);
	free(v->files);
	pthread_mutex_destroy(&v->mutex);
	free(v);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * `tailgate usage`: which requests ran where, what they cost, which clients
 * made them, and whether the ledger of all this is complete.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "ctl/ctl.h"
#include "ctl/usage_print.h"
#include "ctl/usage_verify.h"
#include "ledger/named.h"

#define DAY_MS INT64_C(86400000)
#define DEFAULT_DAYS 30
/* Too short for a person to notice, and long enough to cost nothing. */
#define FOLLOW_MS 200

struct options {
	int64_t since_ms, until_ms; /* until: exclusive */
	bool since_said, follow, verify;
	enum usage_by columns[USAGE_BY_COUNT];
	size_t ncolumns;
	enum usage_format format;
	/* Given by name instead of the configuration's ledger; or NULL. */
	struct ledger_part *files;
	size_t nfiles;
};

/* ---- Options ---- */

/* "7d", "12h", "30m": so long ago, as a wall time.  -1: it has another form. */
static int64_t
parse_ago(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);
	int64_t unit = *end == 'd' ? DAY_MS
	    : *end == 'h'          ? 3600000
	    : *end == 'm'          ? 60000
				   : 0;

	if (end == text || unit == 0 || end[1] != '\0' || n < 0 || n > 100000)
		return -1;
	return clock_wall_ms() - n * unit;
}

/* A day that is given as the end counts as a whole. */
static int64_t
parse_when(const char *text, bool end)
{
	int64_t ms = parse_ago(text);

	if (strcmp(text, "today") == 0)
		ms = clock_wall_ms() / DAY_MS * DAY_MS + (end ? DAY_MS : 0);
	if (ms != -1)
		return ms;
	ms = clock_parse(text);
	if (ms != -1 && end && strlen(text) == 10)
		ms += DAY_MS;
	return ms;
}

static int
parse_columns(const char *text, struct options *o)
{
	o->ncolumns = 0;
	for (;;) {
		size_t len = strcspn(text, ",");
		enum usage_by by = usage_by_find((struct span){ text, len });

		if (by == USAGE_BY_COUNT || o->ncolumns == USAGE_BY_COUNT)
			return -1;
		o->columns[o->ncolumns++] = by;
		if (text[len] == '\0')
			return 0;
		text += len + 1;
	}
}

const struct ctl_option ctl_usage_options[] = {
	{ "since", "TIME", 's',
	    "from this day or time on, or the last 7d, 12h, 30m" },
	{ "until", "TIME", 'u', "up to this day or time" },
	{ "by", "COLUMNS", 'b',
	    "sum by client, model, provider, upstream, place, host ..." },
	{ "format", "FORMAT", 'F', "table, json or csv (table)" },
	{ "follow", NULL, 'f', "print requests as they end" },
	{ "verify", NULL, 'v', "prove that no line was changed or lost" },
	{ NULL, NULL, 0, NULL },
};

static int
parse_format(const char *text, enum usage_format *out)
{
	static const char *const words[] = { "table", "json", "csv" };

	for (unsigned i = 0; i < 3; i++)
		if (strcmp(text, words[i]) == 0) {
			*out = i;
			return 0;
		}
	return -1;
}

static int
parse_option(int c, struct options *o)
{
	switch (c) {
	case 's':
		o->since_said = true;
		o->since_ms = parse_when(optarg, false);
		return o->since_ms != -1
		    ? 0
		    : ctl_misuse("usage",
			  "--since %s: a day, a time, or 7d, 12h, 30m", optarg);
	case 'u':
		o->until_ms = parse_when(optarg, true);
		return o->until_ms != -1
		    ? 0
		    : ctl_misuse("usage",
			  "--until %s: a day, a time, or 7d, 12h, 30m", optarg);
	case 'b':
		return parse_columns(optarg, o) == 0
		    ? 0
		    : ctl_misuse("usage",
			  "--by %s: of client, model, provider, upstream, "
			  "place, "
			  "host, endpoint, status, refusal, day, month, "
			  "gateway, session",
			  optarg);
	case 'F':
		return parse_format(optarg, &o->format) == 0
		    ? 0
		    : ctl_misuse(
			  "usage", "--format %s: table, json or csv", optarg);
	case 'f':
		o->follow = true;
		return 0;
	case 'v':
		o->verify = true;
		return 0;
	default:
		return ctl_misuse("usage", NULL);
	}
}

static int
parse_options(int argc, char **argv, struct options *o)
{
	int c, rc = 0;

	while (rc == 0 &&
	    (c = ctl_option_next(argc, argv, "usage", ctl_usage_options)) != -1)
		rc = parse_option(c, o);
	if (rc == 0 && optind < argc && o->follow)
		return ctl_misuse(
		    "usage", "--follow is for the gateway's own ledger");
	return rc;
}

/* ---- Sums ---- */

struct summing {
	const struct options *options;
	struct ledger_once *once; /* NULL: all lines are of one host */
	uint64_t handed_on; /* lines that are another gateway's request */
	struct usage_sum *sum, *hosts;
};

static int
note_line(void *ctx, const struct ledger_line *l)
{
	ledger_once_note(ctx, l);
	return 0;
}

static int
sum_line(void *ctx, const struct ledger_line *l)
{
	struct summing *s = ctx;

	if (l->wall_ms >= s->options->until_ms ||
	    (s->once != NULL && ledger_once_again(s->once, l)))
		return 0;
	/* Each gateway's line says where it sent the request. */
	if (l->sent)
		usage_sum_add(s->hosts, l);
	if (s->once != NULL && !ledger_once_is_first(s->once, l))
		s->handed_on++;
	else
		usage_sum_add(s->sum, l);
	return 0;
}

static void
print_sums(struct summing *s)
{
	const struct options *o = s->options;
	struct usage_report r = { .since_ms = o->since_ms,
		.until_ms = o->until_ms,
		.columns = o->columns,
		.ncolumns = o->ncolumns };
	struct usage_group **groups;

	r.ngroups = usage_sum_groups(s->sum, &groups);
	r.groups = groups;
	for (size_t i = 0; i < r.ngroups; i++)
		usage_count_add(&r.total, &groups[i]->count);
	r.nhosts = usage_sum_groups(s->hosts, &groups);
	r.hosts = groups;
	usage_print(&r, o->format);
	if (s->handed_on > 0)
		fprintf(stderr,
		    "tailgate usage: %" PRIu64 " lines are of requests that "
		    "another of these gateways handed on; they are counted "
		    "once, where the client asked\n",
		    s->handed_on);
}

/* ledger NULL: of the named files. */
static int
report(const char *ledger, const struct options *o)
{
	static const enum usage_by host = USAGE_BY_HOST;
	struct ledger_once *once = ledger == NULL ? ledger_once_new() : NULL;
	struct summing s = { .options = o,
		.once = once,
		.sum = usage_sum_new(o->columns, o->ncolumns),
		.hosts = usage_sum_new(&host, 1) };

	if (ledger != NULL)
		ledger_each(ledger, o->since_ms, sum_line, &s);
	else {
		ledger_each_of(
		    o->files, o->nfiles, o->since_ms, note_line, once);
		ledger_each_of(o->files, o->nfiles, o->since_ms, sum_line, &s);
	}
	print_sums(&s);
	usage_sum_free(s.sum);
	usage_sum_free(s.hosts);
	ledger_once_free(once);
	return 0;
}

/* ---- Following ---- */

struct following {
	const struct options *options;
	uint64_t dev, ino, first_n; /* the file we are in */
	int64_t offset;
	bool whole; /* it is compressed, and was read */
};

static int
follow_line(void *ctx, struct span text, int64_t offset, uint64_t number)
{
	const struct following *f = ctx;
	struct ledger_line l;

	(void)offset;
	(void)number;
	if (!ledger_line_parse(text, &l) ||
	    (f->options->since_said && l.wall_ms < f->options->since_ms))
		return 0;
	if (f->options->format == USAGE_JSON)
		printf("%.*s\n", SPAN_FMT(text));
	else
		usage_print_request(&l);
	return 0;
}

/* Is it the file we are in?  It keeps its inode when it is renamed, and its
 * first number when it is compressed. */
static bool
is_current(const struct following *f, const struct ledger_part *file)
{
	return (file->dev == f->dev && file->ino == f->ino) ||
	    (file->form != UNPACK_NONE && file->first_n == f->first_n);
}

static void
follow_enter(struct following *f, const struct ledger_part *file)
{
	f->dev = file->dev;
	f->ino = file->ino;
	f->first_n = file->first_n;
}

static void
follow_file(struct following *f, const struct ledger_part *file)
{
	bool plain = file->form == UNPACK_NONE;
	int64_t end;

	if (!is_current(f, file) || (plain && f->offset > file->size)) {
		f->offset = 0;
		f->whole = false;
	}
	follow_enter(f, file);
	if (f->whole)
		return;
	f->whole = !plain;
	end = ledger_part_each(
	    file, f->offset, file->size, false, follow_line, f);
	if (end >= 0)
		f->offset = end;
}

/* Prints what was added to the file we are in, then the files after it. */
static void
follow_on(struct following *f, const char *path)
{
	struct ledger_part *files;
	size_t n = ledger_parts(path, &files), i = 0;

	while (i < n && !is_current(f, &files[i]))
		i++;
	for (i = i == n ? 0 : i; i < n; i++)
		if (files[i].size > 0)
			follow_file(f, &files[i]);
	ledger_parts_free(files, n);
}

/* Begins at the end of the ledger, or with --since at that time. */
static void
follow_begin(struct following *f, const char *path)
{
	struct ledger_part *files;
	size_t n = ledger_parts(path, &files), i = n;

	while (i > 0 && files[i - 1].size == 0)
		i--;
	if (i > 0 && !f->options->since_said) {
		follow_enter(f, &files[i - 1]);
		f->offset = files[i - 1].size;
		f->whole = files[i - 1].form != UNPACK_NONE;
	}
	ledger_parts_free(files, n);
}

static int
follow(const char *path, const struct options *o)
{
	struct following f = { .options = o };

	follow_begin(&f, path);
	for (;;) {
		follow_on(&f, path);
		if (fflush(stdout) == EOF)
			return 1;
		nanosleep(&(struct timespec){ 0, FOLLOW_MS * 1000000L }, NULL);
	}
}

/* Names the files that cannot be read, so that they are not silently
 * missing. */
static void
say_left_out(const char *ledger)
{
	struct ledger_part *files;
	size_t n = ledger_unread_parts(ledger, &files);

	for (size_t i = 0; i < n; i++)
		fprintf(stderr,
		    "tailgate usage: %s is left out: this build does not read "
		    "its compression; decompress it there to have it "
		    "counted\n",
		    files[i].path);
	ledger_parts_free(files, n);
}

/* Uses these files and no configuration: they may be of any host. */
static int
usage_named(struct options *o, const char *const *paths, size_t n)
{
	static const struct config none = { .sandbox = CONFINE_ON };
	int got, rc;

	if (ctl_confine(&none, SANDBOX_INSPECT,
		&(struct sandbox_more){ .reads = paths }) == -1 ||
	    (got = ledger_named(paths, n, &o->files, stderr)) == -1)
		return 1;
	o->nfiles = (size_t)got;
	rc = o->verify ? usage_verify_named(o->files, o->nfiles)
		       : report(NULL, o);
	ledger_parts_free(o->files, o->nfiles);
	return rc;
}

static int
usage_own(const struct options *o)
{
	struct config *config =
	    ctl_load(CONFIG_NO_SECRETS, SANDBOX_INSPECT, NULL);
	int rc = 1;

	if (config == NULL)
		return 1;
	if (!config->ledger)
		fprintf(stderr,
		    "tailgate: %s: no ledger is kept (ledger = "
		    "false)\n",
		    config->path);
	else if (o->follow)
		rc = follow(config->ledger_file, o);
	else {
		say_left_out(config->ledger_file);
		rc = o->verify ? usage_verify(config->ledger_file)
			       : report(config->ledger_file, o);
	}
	config_free(config);
	return rc;
}

int
ctl_usage(int argc, char **argv)
{
	struct options o = { .until_ms = clock_wall_ms(),
		.columns = { USAGE_BY_CLIENT, USAGE_BY_MODEL, USAGE_BY_PROVIDER,
		    USAGE_BY_PLACE },
		.ncolumns = 4 };
	int rc;

	o.since_ms = (o.until_ms / DAY_MS - DEFAULT_DAYS + 1) * DAY_MS;
	if ((rc = parse_options(argc, argv, &o)) != 0)
		return rc;
	return optind < argc
	    ? usage_named(&o, (const char *const *)(argv + optind),
		  (size_t)(argc - optind))
	    : usage_own(&o);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how the value of an option becomes a setting in the clients file.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/spelling.h"
#include "config/splice.h"
#include "ctl/client_change.h"

#define VALUE_MAX 65536
#define GLOB_MAX 512
#define DAY_MS INT64_C(86400000)
#define OVERLAP_DAYS_MAX 366

enum form { TEXT, TEXTS, NUMBER, YES_NO };

static const struct row {
	int letter;
	enum form form;
	const char *option, *setting;
} rows[] = {
	{ 'm', TEXTS, "--models", "models" },
	{ 'e', TEXTS, "--endpoints", "endpoints" },
	{ 'p', TEXT, "--place", "place" },
	{ 'x', TEXT, "--expires", "expires" },
	{ 'n', TEXTS, "--networks", "networks" },
	{ 'u', TEXT, "--user", "user" },
	{ 'g', TEXT, "--group", "group" },
	{ 'r', NUMBER, "--priority", "priority" },
	{ 'd', NUMBER, "--usd-per-day", "budget.usd_per_day" },
	{ 'M', NUMBER, "--usd-per-month", "budget.usd_per_month" },
	{ 't', NUMBER, "--tokens-per-day", "budget.tokens_per_day" },
	{ 'T', NUMBER, "--tokens-per-minute", "budget.tokens_per_minute" },
	{ 'R', NUMBER, "--requests-per-minute", "budget.requests_per_minute" },
	{ 'c', NUMBER, "--concurrent", "budget.concurrent" },
	{ 'o', YES_NO, "--operator", "operator" },
	{ 'X', YES_NO, "--explain", "explain" },
	{ 'y', YES_NO, "--relay", "relay" },
	{ 'k', TEXT, "--key-sha256", "key_sha256" },
};

static int
complain(const char *option, const char *what)
{
	fprintf(stderr, "tailgate client: %s: %s\n", option, what);
	return -1;
}

/* "a,b" as [ "a", "b" ]. */
static int
put_texts(const struct row *row, const char *value, struct buf *out)
{
	const char *comma = "";

	buf_puts(out, "[ ");
	while (*value != '\0') {
		size_t len = strcspn(value, ",");
		char *one = strndup(value, len);

		if (one == NULL)
			fatal("out of memory");
		if (len > 0) {
			buf_puts(out, comma);
			splice_quote(out, one);
			comma = ", ";
		}
		free(one);
		value += len + (value[len] == ',');
	}
	buf_puts(out, " ]");
	return *comma == '\0'
	    ? complain(row->option, "must be a list, separated by commas")
	    : 0;
}

/* In the file, a whole number that may not fit 32 bits ends in L. */
static int
put_number(const struct row *row, const char *value, struct buf *out)
{
	size_t len = strlen(value);
	bool whole = strspn(value, "0123456789") == len;
	char *end;

	(void)strtod(value, &end);
	if (*end != '\0' || strspn(value, "0123456789.eE+-") != len ||
	    strspn(value, "0123456789") == 0)
		return complain(row->option, "must be a number");
	buf_puts(out, value);
	if (whole && len > 9)
		buf_puts(out, "L");
	return 0;
}

static int
put_yes_no(const struct row *row, const char *value, struct buf *out)
{
	if (value == NULL || strcmp(value, "yes") == 0)
		buf_puts(out, "true");
	else if (strcmp(value, "no") == 0)
		buf_puts(out, "false");
	else
		return complain(row->option, "must be yes or no");
	return 0;
}

static int
put_value(const struct row *row, const char *value, struct buf *out)
{
	switch (row->form) {
	case TEXTS:
		return put_texts(row, value, out);
	case NUMBER:
		return put_number(row, value, out);
	case YES_NO:
		return put_yes_no(row, value, out);
	case TEXT:
		break;
	}
	splice_quote(out, value);
	return 0;
}

/* "90m", "12h", "7d" */
static int
take_overlap(struct client_call *call, const char *value)
{
	static const struct {
		char unit;
		int64_t ms;
	} units[] = { { 'm', 60000 }, { 'h', 3600000 }, { 'd', DAY_MS } };
	char *end;
	long n = strtol(value, &end, 10);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (n >= 0 && end != value && end[0] == units[i].unit &&
		    end[1] == '\0' &&
		    n <= OVERLAP_DAYS_MAX * DAY_MS / units[i].ms) {
			call->overlap_ms = n * units[i].ms;
			return 0;
		}
	return complain(
	    "--overlap", "must be a time such as 90m, 12h or 7d, up to a year");
}

/* If an option is repeated, the last one counts. */
static struct clients_change *
place_for(struct client_call *call, const struct row *row)
{
	for (size_t i = 0; i < call->nchanges; i++)
		if (strcmp(call->changes[i].setting, row->setting) == 0) {
			free((char *)call->changes[i].value);
			return &call->changes[i];
		}
	return &call->changes[call->nchanges++];
}

static int
take(struct client_call *call, const struct row *row, const char *value)
{
	struct clients_change change = { row->setting, NULL, row->option };
	struct buf out;

	buf_init(&out, VALUE_MAX);
	if (value == NULL || *value != '\0') {
		if (put_value(row, value, &out) == -1 || buf_failed(&out)) {
			buf_free(&out);
			return -1;
		}
		change.value = strdup(out.p);
		if (change.value == NULL)
			fatal("out of memory");
	}
	buf_free(&out);
	*place_for(call, row) = change;
	return 0;
}

int
client_change(struct client_call *call, int letter, const char *value)
{
	if (letter == 'O')
		return take_overlap(call, value);
	if (letter == 'g')
		call->group = value;
	if (letter == 'm')
		call->models = value;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].letter == letter)
			return take(call, &rows[i], value);
	fatal("client: no setting has the letter %c", letter);
}

static const char *
group_name(const void *ctx, size_t i)
{
	const struct config *c = ctx;

	return i < c->nclient_groups ? c->client_groups[i].name : NULL;
}

static int
complain_group(const struct client_call *call)
{
	const struct config *c = call->config;
	const char *nearest = spelling_nearest(call->group, group_name, c);

	fprintf(stderr, "tailgate client: --group: ");
	if (c->nclient_groups == 0)
		fprintf(stderr,
		    "there are no client_groups yet; write client_groups = ( { "
		    "name = \"%s\"; } ); into %s",
		    call->group, c->path);
	else
		fprintf(stderr, "must be one of client_groups:");
	for (size_t i = 0; i < c->nclient_groups; i++)
		fprintf(stderr, " %s", c->client_groups[i].name);
	if (nearest != NULL)
		fprintf(stderr, "; did you mean %s?", nearest);
	fputc('\n', stderr);
	return -1;
}

static void
warn_of_models(const struct config *c, const char *globs)
{
	char glob[GLOB_MAX];
	size_t len;

	for (; *globs != '\0'; globs += len + (globs[len] == ',')) {
		len = strcspn(globs, ",");
		snprintf(glob, sizeof(glob), "%.*s", (int)len, globs);
		if (len > 0 && !config_has_match(c, glob))
			fprintf(stderr,
			    "tailgate client: warning: --models: %s matches "
			    "no model of %s\n",
			    glob, c->path);
	}
}

int
client_change_check(const struct client_call *call)
{
	const struct config *c = call->config;

	if (call->models != NULL)
		warn_of_models(c, call->models);
	if (call->group == NULL || *call->group == '\0')
		return 0;
	for (size_t i = 0; i < c->nclient_groups; i++)
		if (strcmp(c->client_groups[i].name, call->group) == 0)
			return 0;
	return complain_group(call);
}

void
client_change_free(struct client_call *call)
{
	for (size_t i = 0; i < call->nchanges; i++)
		free((char *)call->changes[i].value);
}

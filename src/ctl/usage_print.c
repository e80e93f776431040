/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The output of `tailgate usage`: a table for people, JSON and CSV for
 * programs.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/jput.h"
#include "base/jscan.h"
#include "base/log.h"
#include "ctl/table.h"
#include "ctl/usage_print.h"

#define NANO INT64_C(1000000000)
#define TITLES_MAX 256
#define NAME_MAX_BYTES 256
#define HOSTS_SHOWN 5
#define JSON_MAX (64 * 1024 * 1024)

/* ---- Numbers for people ---- */

/* Cents from a dollar on, else as many digits as mean something. */
static void
usd_text(int64_t nanousd, char *out, size_t size)
{
	if (nanousd >= NANO)
		snprintf(out, size, "$%.2f", (double)nanousd / NANO);
	else if (nanousd >= NANO / 100)
		snprintf(out, size, "$%.4f", (double)nanousd / NANO);
	else if (nanousd > 0)
		snprintf(out, size, "$%.6f", (double)nanousd / NANO);
	else
		snprintf(out, size, "$0");
}

static void
bytes_text(int64_t bytes, char *out, size_t size)
{
	static const char *const units[] = { "KB", "MB", "GB", "TB" };
	double v = (double)bytes / 1000;
	size_t unit = 0;

	if (bytes < 1000) {
		snprintf(out, size, "%" PRId64 " bytes", bytes);
		return;
	}
	for (; v >= 999.5 && unit < 3; unit++)
		v /= 1000;
	snprintf(out, size, v < 9.95 ? "%.1f %s" : "%.0f %s", v, units[unit]);
}

static void
seconds_text(int64_t ms, char *out, size_t size)
{
	if (ms < 0)
		snprintf(out, size, "-");
	else if (ms < 1000)
		snprintf(out, size, "%" PRId64 "ms", ms);
	else
		snprintf(out, size, "%" PRId64 ".%" PRId64 "s", ms / 1000,
		    ms % 1000 / 100);
}

/* ---- The table ---- */

static void
count_cells(struct table *t, const struct usage_count *c)
{
	char usd[40];

	table_number(t, (long long)c->requests);
	if (c->failed == 0)
		table_cell(t, "%s", "");
	else
		table_number(t, (long long)c->failed);
	table_number(t, (long long)c->input);
	if (c->cached == 0)
		table_cell(t, "%s", "");
	else
		table_number(t, (long long)c->cached);
	table_number(t, (long long)c->output);
	usd_text(c->cost_nanousd, usd, sizeof(usd));
	table_cell(t, "%s%s", usd, c->unpriced > 0 ? " + ?" : "");
}

static struct table *
new_table(const struct usage_report *r)
{
	char titles[TITLES_MAX] = "";

	for (size_t i = 0; i < r->ncolumns; i++) {
		strlcat(titles, usage_by_name(r->columns[i]), sizeof(titles));
		strlcat(titles, "|", sizeof(titles));
	}
	strlcat(titles,
	    ">requests|>failed|>tokens in|>cached|>tokens out|>cost",
	    sizeof(titles));
	return table_new(titles);
}

static void
print_hosts(const struct usage_report *r)
{
	char bytes[40];

	if (r->total.external == 0) {
		if (r->total.lost_external == 0)
			printf("Nothing left this network.\n");
		return;
	}
	bytes_text(r->total.external_bytes, bytes, sizeof(bytes));
	printf("%" PRIu64 " requests left this network with %s:",
	    r->total.external, bytes);
	for (size_t i = 0, shown = 0; i < r->nhosts; i++) {
		const struct usage_group *h = r->hosts[i];
		char host[NAME_MAX_BYTES];

		if (h->count.external == 0)
			continue;
		if (shown++ == HOSTS_SHOWN) {
			printf(", …");
			break;
		}
		log_escape(
		    h->names[0], strlen(h->names[0]), host, sizeof(host));
		printf("%s %s (%" PRIu64 ")", shown > 1 ? "," : "",
		    *host == '\0' ? "unknown host" : host, h->count.external);
	}
	printf(".\n");
}

static void
print_lost(const struct usage_count *c)
{
	if (c->lost > 0)
		printf("%" PRIu64 " requests could not be written to the "
		       "ledger; %" PRIu64 " of them were sent outside.\n",
		    c->lost, c->lost_external);
}

static void
print_notes(const struct usage_report *r)
{
	const struct usage_count *c = &r->total;

	print_hosts(r);
	if (c->estimated > 0)
		printf("%" PRIu64 " requests reported no tokens; theirs are "
		       "estimated.\n",
		    c->estimated);
	if (c->unpriced > 0)
		printf("%" PRIu64 " requests went to external targets without "
		       "a price; what they cost is not in the sum.\n",
		    c->unpriced);
	print_lost(c);
}

static void
print_table(const struct usage_report *r)
{
	char since[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE];
	struct table *t;

	clock_text(r->since_ms, since);
	clock_text(r->until_ms, until);
	if (r->total.requests == 0) {
		printf("No requests from %.16s to %.16s UTC.\n", since, until);
		print_lost(&r->total);
		return;
	}
	printf("From %.10s %.5s to %.10s %.5s UTC\n\n", since, since + 11,
	    until, until + 11);
	t = new_table(r);
	for (size_t i = 0; i < r->ngroups; i++) {
		for (size_t k = 0; k < r->ncolumns; k++)
			table_cell(t, "%s", r->groups[i]->names[k]);
		count_cells(t, &r->groups[i]->count);
	}
	table_cell(t, "total");
	for (size_t k = 1; k < r->ncolumns; k++)
		table_cell(t, "%s", "");
	count_cells(t, &r->total);
	table_print(t, stdout);
	table_free(t);
	putchar('\n');
	print_notes(r);
}

/* ---- JSON ---- */

static void
put_count(struct buf *b, const struct usage_count *c)
{
	jput_u64(b, "requests", c->requests);
	jput_u64(b, "failed", c->failed);
	jput_u64(b, "tries", c->tries);
	jput_u64(b, "estimated", c->estimated);
	jput_u64(b, "unpriced", c->unpriced);
	jput_i64(b, "input", c->input);
	jput_i64(b, "cached", c->cached);
	jput_i64(b, "cache_write", c->cache_write);
	jput_i64(b, "output", c->output);
	jput_i64(b, "reasoning", c->reasoning);
	jput_i64(b, "cost_nanousd", c->cost_nanousd);
	jput_u64(b, "external", c->external);
	jput_i64(b, "external_bytes", c->external_bytes);
	jput_u64(b, "lost", c->lost);
	jput_u64(b, "lost_external", c->lost_external);
	buf_puts(b, "}");
}

static void
print_json(const struct usage_report *r)
{
	char since[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE];
	struct buf b;

	clock_text(r->since_ms, since);
	clock_text(r->until_ms, until);
	buf_init(&b, JSON_MAX);
	buf_printf(
	    &b, "{\"since\":\"%s\",\"until\":\"%s\",\"rows\":[", since, until);
	for (size_t i = 0; i < r->ngroups; i++) {
		buf_puts(&b, i == 0 ? "\n{" : ",\n{");
		for (size_t k = 0; k < r->ncolumns; k++) {
			jput_text(&b, usage_by_name(r->columns[k]),
			    r->groups[i]->names[k]);
		}
		put_count(&b, &r->groups[i]->count);
	}
	buf_puts(&b, "],\n\"total\":{");
	put_count(&b, &r->total);
	buf_puts(&b, "}\n");
	if (buf_failed(&b))
		fatal("more groups than fit into memory");
	fwrite(b.p, 1, b.len, stdout);
	buf_free(&b);
}

/* ---- CSV (RFC 4180) ---- */

static void
csv_text(const char *text)
{
	putchar('"');
	for (; *text != '\0'; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}

static void
print_csv(const struct usage_report *r)
{
	for (size_t k = 0; k < r->ncolumns; k++)
		printf("%s,", usage_by_name(r->columns[k]));
	printf("requests,failed,estimated,unpriced,input,cached,cache_write,"
	       "output,reasoning,cost_usd,external,external_bytes,tries\n");
	for (size_t i = 0; i < r->ngroups; i++) {
		const struct usage_count *c = &r->groups[i]->count;

		for (size_t k = 0; k < r->ncolumns; k++) {
			csv_text(r->groups[i]->names[k]);
			putchar(',');
		}
		printf("%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
		       ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64
		       ",%" PRId64 ",%" PRId64 ".%09" PRId64 ",%" PRIu64
		       ",%" PRId64 ",%" PRIu64 "\n",
		    c->requests, c->failed, c->estimated, c->unpriced, c->input,
		    c->cached, c->cache_write, c->output, c->reasoning,
		    c->cost_nanousd / NANO, c->cost_nanousd % NANO, c->external,
		    c->external_bytes, c->tries);
	}
}

void
usage_print(const struct usage_report *r, enum usage_format format)
{
	switch (format) {
	case USAGE_JSON:
		print_json(r);
		break;
	case USAGE_CSV:
		print_csv(r);
		break;
	default:
		print_table(r);
		break;
	}
}

/* ---- One request ---- */

/* A string of the ledger, decoded and made harmless for a terminal. */
static const char *
name_text(struct span raw, char out[NAME_MAX_BYTES])
{
	char plain[16 * NAME_MAX_BYTES];

	if (raw.len == 0 || raw.len > sizeof(plain))
		return "-";
	log_escape(plain, jscan_decode(raw, plain), out, NAME_MAX_BYTES);
	return out;
}

void
usage_print_request(const struct ledger_line *l)
{
	char client[NAME_MAX_BYTES], model[NAME_MAX_BYTES];
	char provider[NAME_MAX_BYTES], refusal[NAME_MAX_BYTES];
	char usd[40] = "-", total[40], first[40];

	if (l->gap) {
		printf("%.8s  %" PRId64 " requests were not recorded\n",
		    l->time.p + 11, l->lost);
		return;
	}
	if (l->cost_nanousd >= 0)
		usd_text(l->cost_nanousd, usd, sizeof(usd));
	seconds_text(l->first_byte_ms, first, sizeof(first));
	seconds_text(l->total_ms, total, sizeof(total));
	printf("%.8s  %" PRId64 "  %-12s  %s", l->time.p + 11, l->status,
	    name_text(l->client, client), name_text(l->model, model));
	if (l->provider.p != NULL)
		printf(" > %s%s", name_text(l->provider, provider),
		    span_is(l->place, "external") ? " (external)"
			: l->external             ? " (external before)"
						  : "");
	if (l->refusal.p != NULL)
		printf("  %s", name_text(l->refusal, refusal));
	if (l->sent)
		printf("  %s%" PRId64 " in, %" PRId64 " out  %s",
		    span_is(l->usage, "estimated") ? "~" : "", l->input,
		    l->output, usd);
	printf("  first %s, all %s%s\n", first, total,
	    l->client_gone ? "  client gone"
		: l->cut   ? "  cut"
			   : "");
}

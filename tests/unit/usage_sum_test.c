/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Sums of the ledger: by every column, bounded whatever the names are; and the
 * status page's view, which continues from where it stopped, over rotation too.
 */
#include "config.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "directory.h"
#include "base/clock.h"
#include "base/log.h"
#include "ledger/ledger.h"
#include "ledger/usage_sum.h"
#include "ledger/usage_view.h"

/* The test has its own clock: a view does not read again at once. */
static int64_t now_ns = 1000000000;
static int64_t wall_ms;

int64_t
clock_now_ns(void)
{
	return now_ns;
}

int64_t
clock_wall_ms(void)
{
	return wall_ms;
}

static char dir[] = "/tmp/usage_sum_test.XXXXXX";
static char path[64], rotated[80];
static struct config config;

static struct ledger_line
line_of(const char *model, const char *place, int64_t cost)
{
	struct ledger_line l = { .v = 1,
		.time = span_of("2026-11-22T18:47:00.123Z"),
		.client = span_of("laptop"),
		.model = span_of(model),
		.route = span_of("chat"),
		.provider = span_of("p"),
		.place = span_of(place),
		.sent = true,
		.status = 200,
		.usage = span_of("reported"),
		.input = 10,
		.output = 5,
		.bytes_sent = 100,
		.cost_nanousd = cost,
		.total_ms = 7 };
	return l;
}

static void
test_groups(void)
{
	const enum usage_by by[] = { USAGE_BY_DAY, USAGE_BY_PLACE,
		USAGE_BY_STATUS };
	struct usage_sum *s = usage_sum_new(by, 3);
	struct ledger_line l = line_of("chat", "external", 5);
	struct usage_group **g;
	size_t n;

	usage_sum_add(s, &l);
	l.status = 502;
	l.cost_nanousd = -1;
	l.usage = span_of("estimated");
	usage_sum_add(s, &l);
	usage_sum_add(s, &l);
	l.time = span_of("2026-11-21T00:00:00.000Z");
	l.place = span_of("local");
	usage_sum_add(s, &l);
	n = usage_sum_groups(s, &g);
	CHECK(n == 3, "three groups");
	CHECK_STR(g[0]->names[0], "2026-11-21", "the earlier day first");
	CHECK(g[0]->count.external == 0 && g[0]->count.unpriced == 0,
	    "local is neither external nor without a price");
	CHECK(g[1]->count.cost_nanousd == 5 && g[1]->count.requests == 1 &&
		g[1]->count.failed == 0 && g[1]->count.external == 1 &&
		g[1]->count.external_bytes == 100,
	    "then what costs most");
	CHECK_STR(g[2]->names[2], "502", "the status as a column");
	CHECK(g[2]->count.requests == 2 && g[2]->count.failed == 2 &&
		g[2]->count.estimated == 2 && g[2]->count.unpriced == 2 &&
		g[2]->count.input == 20 && g[2]->count.output == 10,
	    "failed, estimated and without a price are counted");
	usage_sum_free(s);
}

/* First an external try, which may have been billed, then a local one. */
#define TWO_TRIES                                                         \
	"{\"v\":2,\"time\":\"2026-11-22T18:47:00.123Z\",\"model\":\"m\"," \
	"\"route\":\"m\",\"provider\":\"b\",\"place\":\"local\","         \
	"\"sent\":true,\"external\":true,\"tries\":[{\"provider\":\"a\"," \
	"\"place\":\"external\",\"host\":\"a.example\",\"outcome\":"      \
	"\"timeout\",\"sent\":true,\"bytes_sent\":100,\"usage\":"         \
	"\"estimated\",\"input\":30,\"cost_nanousd\":7,\"ms\":9},{"       \
	"\"provider\":\"b\",\"place\":\"local\",\"host\":\"127.0.0.1\","  \
	"\"outcome\":\"ok\",\"sent\":true,\"bytes_sent\":90,\"usage\":"   \
	"\"reported\",\"input\":10,\"output\":5,\"cost_nanousd\":null,"   \
	"\"ms\":3}],\"status\":200,\"bytes_sent\":190,\"usage\":"         \
	"\"estimated\",\"input\":40,\"output\":5,\"cost_nanousd\":7,"     \
	"\"total_ms\":12,\"n\":1}"

static void
test_tries(void)
{
	const enum usage_by by[] = { USAGE_BY_HOST };
	struct usage_sum *s = usage_sum_new(by, 1);
	struct ledger_line l;
	struct usage_group **g;

	CHECK(ledger_line_parse(span_of(TWO_TRIES), &l) && l.v == 2 &&
		l.external && l.input == 40,
	    "a line of version 2");
	usage_sum_add(s, &l);
	CHECK(usage_sum_groups(s, &g) == 2, "a group for each host");
	CHECK_STR(g[0]->names[0], "a.example", "the one outside, which cost");
	CHECK(g[0]->count.tries == 1 && g[0]->count.requests == 0 &&
		g[0]->count.external == 1 &&
		g[0]->count.external_bytes == 100 &&
		g[0]->count.cost_nanousd == 7 && g[0]->count.input == 30 &&
		g[0]->count.estimated == 1,
	    "has what went to it");
	CHECK(g[1]->count.tries == 1 && g[1]->count.requests == 1 &&
		g[1]->count.external == 0 && g[1]->count.input == 10 &&
		g[1]->count.output == 5 && g[1]->count.estimated == 0 &&
		g[1]->count.unpriced == 0,
	    "the other what it served, and the request");
	usage_sum_free(s);
}

static void
test_names(void)
{
	const enum usage_by by[] = { USAGE_BY_CLIENT, USAGE_BY_MODEL };
	struct usage_sum *s = usage_sum_new(by, 2);
	struct ledger_line l = line_of("alias", "local", -1);
	struct usage_group **g;

	usage_sum_add(s, &l);
	l.route = span_of("openrouter/*");
	l.model = span_of("openrouter/\\u0041\\\"b");
	l.client = (struct span){ NULL, 0 };
	l.input = 0;
	usage_sum_add(s, &l);
	CHECK(usage_sum_groups(s, &g) == 2, "two models");
	CHECK_STR(g[0]->names[1], "chat", "an alias counts for its model");
	CHECK_STR(g[1]->names[1], "openrouter/A\"b",
	    "behind a prefix the name as asked, decoded");
	CHECK_STR(g[1]->names[0], "", "nobody's name is empty");
	usage_sum_reset(s);
	CHECK(usage_sum_groups(s, &g) == 0, "forgotten");
	usage_sum_free(s);
	CHECK(usage_by_find(span_of("place")) == USAGE_BY_PLACE &&
		usage_by_find(span_of("plac")) == USAGE_BY_COUNT &&
		usage_by_find(span_of("")) == USAGE_BY_COUNT,
	    "columns by name");
}

static void
test_bounded(void)
{
	const enum usage_by by[] = { USAGE_BY_MODEL };
	struct usage_sum *s = usage_sum_new(by, 1);
	struct ledger_line l = line_of("", "local", -1);
	struct usage_group **g;
	uint64_t sum = 0;
	char name[32];
	size_t n;

	l.route = (struct span){ NULL, 0 };
	for (int i = 0; i < USAGE_GROUPS_MAX + 1000; i++) {
		snprintf(name, sizeof(name), "made-up-%d", i);
		l.model = span_of(name);
		usage_sum_add(s, &l);
	}
	n = usage_sum_groups(s, &g);
	for (size_t i = 0; i < n; i++)
		sum += g[i]->count.requests;
	CHECK(n == USAGE_GROUPS_MAX + 1 && sum == USAGE_GROUPS_MAX + 1000,
	    "names beyond the bound are one group, and none is lost");
	CHECK_STR(g[0]->names[0], "(other)", "called (other)");
	usage_sum_free(s);
}

static void
account(struct ledger *l, const char *model, int64_t begin_ms)
{
	struct entry_try t = { .provider = "p",
		.outcome = "ok",
		.sent = true,
		.usage = { .reported = true, .input = 10, .output = 5 },
		.cost_nanousd = 3,
		.queue_ms = -1,
		.first_byte_ms = 4 };
	struct entry e = { .wall_ms = begin_ms,
		.id = "r\"1",
		.client = "laptop",
		.endpoint = "chat",
		.model = model,
		.route = model,
		.tries = &t,
		.ntries = 1,
		.status = 200,
		.total_ms = 9 };

	ledger_write(l, &e);
}

static json_t *
look(struct usage_view *v, unsigned days, unsigned recent)
{
	struct buf b;
	json_t *j;

	now_ns += INT64_C(10000000000);
	buf_init(&b, 1 << 20);
	usage_view_json(v, days, recent, &b);
	j = json_loadb(b.p, b.len, JSON_REJECT_DUPLICATES, NULL);
	if (j == NULL)
		printf("# no JSON: %s\n", b.p);
	buf_free(&b);
	return j;
}

static int64_t
requests(json_t *j)
{
	int64_t sum = 0;
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(j, "rows"), i, row)
		sum += json_integer_value(json_object_get(row, "requests"));
	return sum;
}

static void
test_view(void)
{
	int64_t now = clock_wall_ms(), day = 86400000;
	struct usage_view *v = usage_view_new(&config);
	char why[256];
	struct ledger *l = ledger_open(&config, why, sizeof(why));
	json_t *j, *recent;

	j = look(v, 31, 10);
	CHECK(requests(j) == 0 &&
		json_array_size(json_object_get(j, "recent")) == 0,
	    "nothing yet");
	json_decref(j);

	account(l, "old", now - 40 * day);
	account(l, "week", now - 10 * day);
	for (int i = 0; i < 150; i++)
		account(l, "today", now);
	j = look(v, 31, 1000);
	CHECK(requests(j) == 151, "a month, and not what is older");
	CHECK(
	    json_array_size(json_object_get(j, "recent")) == USAGE_VIEW_RECENT,
	    "the last requests are bounded");
	json_decref(j);
	j = look(v, 3, 1);
	CHECK(requests(j) == 150, "the last days only");
	json_decref(j);

	account(l, "last", now);
	rename(path, rotated);
	account(l, "behind", now);
	j = look(v, 31, 2);
	CHECK(requests(j) == 153, "what was added, over a rotation");
	recent = json_object_get(j, "recent");
	CHECK_STR(json_string_value(
		      json_object_get(json_array_get(recent, 0), "model")),
	    "behind", "the newest first");
	CHECK_STR(json_string_value(
		      json_object_get(json_array_get(recent, 1), "model")),
	    "last", "then the one before");
	CHECK_STR(
	    json_string_value(json_object_get(json_array_get(recent, 1), "id")),
	    "r\"1", "strings pass as they are");
	CHECK(json_is_null(
		  json_object_get(json_array_get(recent, 0), "queue_ms")),
	    "what is not known is null");
	json_decref(j);
	ledger_close(l);
	usage_view_free(v);

	v = usage_view_new(&config);
	j = look(v, 31, 1);
	CHECK(requests(j) == 153, "another process sees the same");
	json_decref(j);
	usage_view_free(v);
}

int
main(void)
{
	if (mkdtemp(dir) == NULL)
		return 99;
	/* Near the files' own times. */
	wall_ms = (int64_t)time(NULL) * 1000;
	log_open("usage_sum_test", false, LOG_LEVEL_ERROR);
	snprintf(path, sizeof(path), "%s/ledger.jsonl", dir);
	snprintf(rotated, sizeof(rotated), "%s.1", path);
	config.ledger = true;
	config.ledger_file = path;
	config.runtime_dir = dir;
	test_groups();
	test_tries();
	test_names();
	test_bounded();
	test_view();
	directory_remove(dir);
	return check_done();
}

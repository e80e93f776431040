/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The status page's view of the ledger: sums that hold while the ledger grows
 * and is rotated, names that clients made up, and lines that are no ledger
 * lines.
 */
#include "config.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "check.h"
#include "directory.h"
#include "base/clock.h"
#include "ledger/usage_view.h"

#define DAY_MS INT64_C(86400000)

static char dir[] = "/tmp/usage_view_test.XXXXXX";
static char path[128];
static struct config config;
static uint64_t number;

/* A line of the ledger, `days` old; more: further members. */
static void
append(int days, const char *model, const char *more)
{
	char time[CLOCK_TEXT_SIZE];
	FILE *f = fopen(path, "a");

	if (f == NULL)
		exit(99);
	number++;
	clock_text(clock_wall_ms() - days * DAY_MS, time);
	fprintf(f,
	    "{\"v\":1,\"time\":\"%s\",\"id\":\"req_%" PRIu64
	    "\",\"client\":\"c\",\"endpoint\":\"chat\",\"model\":\"%s\"%s,"
	    "\"n\":%" PRIu64 ",\"prev\":\"%032d\"}\n",
	    time, number, model, more, number, 0);
	fclose(f);
}

#define LOCAL                                                         \
	",\"route\":\"chat\",\"provider\":\"p\",\"place\":\"local\"," \
	"\"sent\":true,\"status\":200,\"input\":10,\"output\":1,"     \
	"\"cost_nanousd\":0,\"total_ms\":5"
#define OUTSIDE                                                          \
	",\"route\":\"or/*\",\"provider\":\"o\",\"place\":\"external\"," \
	"\"sent\":true,\"status\":200,\"bytes_sent\":50,\"input\":100,"  \
	"\"output\":2,\"cost_nanousd\":7,\"total_ms\":9"
#define REFUSED ",\"status\":404,\"refusal\":\"model_not_found\""

static json_t *
look(struct usage_view *v, unsigned days, unsigned recent)
{
	json_error_t error;
	json_t *root;
	struct buf b;

	buf_init(&b, 64 * 1024 * 1024);
	usage_view_json(v, days, recent, &b);
	root = json_loadb(
	    b.p, b.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (root == NULL)
		printf("# %s at %d\n", error.text, error.position);
	CHECK(root != NULL && !buf_failed(&b), "it is JSON");
	buf_free(&b);
	if (root == NULL)
		exit(1);
	return root;
}

static int64_t
sum(const json_t *root, const char *member)
{
	const json_t *rows = json_object_get(root, "rows"), *row;
	const json_t *clients = json_object_get(root, "clients");
	int64_t n = 0, by_client = 0;
	size_t i;

	json_array_foreach (rows, i, row)
		n += json_integer_value(json_object_get(row, member));
	/* The sums by client must be the same. */
	json_array_foreach (clients, i, row)
		by_client += json_integer_value(json_object_get(row, member));
	return n == by_client ? n : -1;
}

static const char *
text(const json_t *root, const char *list, size_t i, const char *member)
{
	const char *s = json_string_value(json_object_get(
	    json_array_get(json_object_get(root, list), i), member));

	return s == NULL ? "(none)" : s;
}

static size_t
length(const json_t *root, const char *list)
{
	return json_array_size(json_object_get(root, list));
}

static struct usage_view *
fresh(void)
{
	char old[140];

	unlink(path);
	snprintf(old, sizeof(old), "%s.1", path);
	unlink(old);
	number = 0;
	return usage_view_new(&config);
}

static void
test_sums(void)
{
	struct usage_view *v = fresh();
	json_t *r = look(v, 30, 50);

	CHECK(length(r, "rows") == 0 && length(r, "recent") == 0,
	    "no ledger yet is nothing, not an error");
	json_decref(r);
	usage_view_free(v);

	v = fresh();
	append(40, "chat", LOCAL);
	append(3, "chat", LOCAL);
	append(3, "chat", LOCAL);
	append(0, "or/x", OUTSIDE);
	r = look(v, 30, 50);
	CHECK(sum(r, "requests") == 3 && sum(r, "input") == 120 &&
		sum(r, "output") == 4 && sum(r, "cost_nanousd") == 7,
	    "sums of a month, without what is older");
	CHECK(sum(r, "external") == 1 && sum(r, "external_bytes") == 50,
	    "what went outside");
	CHECK(length(r, "rows") == 2, "a row per day and model");
	CHECK(length(r, "clients") == 2 &&
		strcmp(text(r, "clients", 0, "client"), "c") == 0,
	    "and one per day and client");
	CHECK(strcmp(text(r, "rows", 1, "model"), "or/x") == 0,
	    "a prefix's model under its own name");
	CHECK(length(r, "recent") == 3 &&
		strcmp(text(r, "recent", 0, "model"), "or/x") == 0,
	    "the last request first");
	json_decref(r);
	r = look(v, 2, 1);
	CHECK(sum(r, "requests") == 1 && length(r, "recent") == 1,
	    "as many days and requests as are asked for");
	json_decref(r);
	r = look(v, 0, 0);
	CHECK(length(r, "rows") == 0 && length(r, "recent") == 0, "or none");
	json_decref(r);
	usage_view_free(v);
}

/* Looks until it sees so many requests: the view reads once a second. */
static int64_t
look_for(struct usage_view *v, int64_t requests)
{
	int64_t end = clock_now_ms() + 10000, got;

	do {
		json_t *r = look(v, 30, 50);

		got = sum(r, "requests");
		json_decref(r);
		usleep(50000);
	} while (got < requests && clock_now_ms() < end);
	return got;
}

/* As gzip does: writes another file, then removes the old one. */
static void
file_compress(const char *file)
{
	char packed[160], bytes[4096];
	FILE *in = fopen(file, "r");
	gzFile out;
	size_t n;

	snprintf(packed, sizeof(packed), "%s.gz", file);
	out = gzopen(packed, "wb");
	if (in == NULL || out == NULL)
		exit(99);
	while ((n = fread(bytes, 1, sizeof(bytes), in)) > 0)
		gzwrite(out, bytes, (unsigned)n);
	fclose(in);
	gzclose(out);
	unlink(file);
}

static void
test_growing(void)
{
	struct usage_view *v = fresh();
	char old[140], packed[160];

	append(1, "chat", LOCAL);
	CHECK(look_for(v, 1) == 1, "one");
	append(0, "chat", LOCAL);
	CHECK(look_for(v, 2) == 2, "one more is added to it");
	append(0, "chat", LOCAL);
	snprintf(old, sizeof(old), "%s.1", path);
	rename(path, old);
	append(0, "chat", LOCAL);
	CHECK(look_for(v, 4) == 4,
	    "a rotated file is read to its end and counted once");
	append(0, "chat", LOCAL);
	CHECK(look_for(v, 5) == 5, "and the new one goes on");
	file_compress(old);
	append(0, "chat", LOCAL);
	CHECK(look_for(v, 6) == 6,
	    "what was read before it was compressed is not read again");
	usage_view_free(v);
	v = usage_view_new(&config);
	CHECK(look_for(v, 6) == 6, "a compressed file is read like the others");
	usage_view_free(v);
	snprintf(packed, sizeof(packed), "%s.gz", old);
	unlink(packed);
}

static void
test_names(void)
{
	struct usage_view *v = fresh();
	char name[32];
	json_t *r;

	append(0, "<script>made up</script>", REFUSED);
	append(0, "or/made up", ",\"route\":\"or/*\",\"status\":403");
	r = look(v, 30, 50);
	CHECK(strcmp(text(r, "recent", 1, "model"),
		  "<script>made up</script>") == 0,
	    "a request shows the name as it was asked");
	CHECK(length(r, "rows") == 2 &&
		strcmp(text(r, "rows", 0, "model"), "") == 0 &&
		strcmp(text(r, "rows", 1, "model"), "or/*") == 0,
	    "but what was not sent makes no model");
	json_decref(r);
	usage_view_free(v);

	v = fresh();
	for (int i = 0; i < 2 * USAGE_VIEW_DAY_ROWS; i++) {
		snprintf(name, sizeof(name), "or/%d", i);
		append(0, name, OUTSIDE);
	}
	append(0, "chat", LOCAL);
	r = look(v, 30, 50);
	CHECK(length(r, "rows") == USAGE_VIEW_DAY_ROWS + 2,
	    "a day has so many rows, and one of the rest of each place");
	CHECK(strcmp(text(r, "rows", USAGE_VIEW_DAY_ROWS, "model"),
		  "(other)") == 0 &&
		strcmp(text(r, "rows", USAGE_VIEW_DAY_ROWS, "place"),
		    "local") == 0 &&
		strcmp(text(r, "rows", USAGE_VIEW_DAY_ROWS + 1, "place"),
		    "external") == 0,
	    "that say where");
	CHECK(sum(r, "requests") == 2 * USAGE_VIEW_DAY_ROWS + 1 &&
		sum(r, "external") == 2 * USAGE_VIEW_DAY_ROWS,
	    "and nothing is lost");
	CHECK(length(r, "recent") == 50, "recent requests are bounded");
	json_decref(r);
	usage_view_free(v);
}

/* A process that may write to the ledger may write anything. */
static void
test_hostile(void)
{
	static const char *const lines[] = {
		"",
		"{",
		"{}",
		"{\"v\":1,\"time\":\"yesterday\"}",
		"{\"v\":1,\"time\":\"2026-11-22T00:00:00.000Z\",\"model\":\"",
		"no JSON at all",
	};
	struct usage_view *v = fresh();
	char line[70000];
	FILE *f;
	json_t *r;

	append(0, "\\ud800 \\u0000 \\q \xff\xfe \x01 \\u00", LOCAL);
	append(0, "chat",
	    LOCAL ",\"fallback\":\"\x02\",\"usage\":\"\xc3\","
		  "\"bytes_in\":99999999999999999999999999");
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	append(0, line, LOCAL);
	if ((f = fopen(path, "a")) == NULL)
		exit(99);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		fprintf(f, "%s\n", lines[i]);
	fclose(f);
	append(0, "chat", LOCAL);
	fprintf(f = fopen(path, "a"), "{\"v\":1,\"time\":\"2026");
	fclose(f);
	r = look(v, 30, 50);
	CHECK(length(r, "recent") == 4, "the lines that are some");
	CHECK(sum(r, "requests") == 4, "are counted");
	CHECK(
	    strlen(text(r, "recent", 1, "model")) <= 200, "a name has an end");
	json_decref(r);
	usage_view_free(v);
}

static void
test_no_ledger(void)
{
	struct usage_view *v = fresh();
	json_t *r;

	append(0, "chat", LOCAL);
	config.ledger = false;
	r = look(v, 30, 50);
	CHECK(json_is_false(json_object_get(r, "ledger")) &&
		length(r, "rows") == 0,
	    "without a ledger it says so, and reads none");
	json_decref(r);
	usage_view_free(v);
	config.ledger = true;
}

int
main(void)
{
	if (mkdtemp(dir) == NULL)
		return 99;
	snprintf(path, sizeof(path), "%s/ledger.jsonl", dir);
	config.ledger = true;
	config.ledger_file = path;
	test_sums();
	test_growing();
	test_names();
	test_hostile();
	test_no_ledger();
	directory_remove(dir);
	return check_done();
}

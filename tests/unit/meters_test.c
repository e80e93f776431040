/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Counters and histograms: right over threads and processes, never lower after
 * crashes and reloads, bounded for any input, and in a form that Prometheus
 * accepts (checked with promtool, if it is installed).
 */
#include "config.h"

#include <sys/wait.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "directory.h"
#include "spawn.h"
#include "state/meters.h"
#include "state/process.h"

static char dir[] = "/tmp/meters_test.XXXXXX";
static struct limit limits[1];
static struct provider providers[2];
static struct config config;

static struct meters *
open_or_die(void)
{
	char why[256];
	struct meters *m = meters_open(&config, why, sizeof(why));

	if (m == NULL) {
		printf("Bail out! %s\n", why);
		exit(99);
	}
	return m;
}

static struct meters *
fresh(void)
{
	process_close();
	directory_clear(dir);
	return open_or_die();
}

/* The try of this thread's last entry. */
static _Thread_local struct entry_try try;

static struct entry
entry(void)
{
	struct entry e = { .id = "r",
		.client = "laptop",
		.model = "alias",
		.route = "chat",
		.tries = &try,
		.ntries = 1,
		.status = 200,
		.bytes_in = 10,
		.bytes_out = 20,
		.total_ms = 1200 };

	try = (struct entry_try){ .provider = "deepseek",
		.place = PLACE_EXTERNAL,
		.outcome = "ok",
		.sent = true,
		.bytes_sent = 9,
		.usage = { .reported = true,
		    .input = 300,
		    .cached = 100,
		    .output = 50,
		    .reasoning = 20 },
		.cost_nanousd = 1500000000,
		.queue_ms = -1,
		.first_byte_ms = 60 };
	return e;
}

static struct buf text;

static void
print(struct meters *m)
{
	buf_free(&text);
	buf_init(&text, 16 << 20);
	meters_text(m, NULL, NULL, &text);
}

/* Is the line `series value` in the text? */
static bool
says(const char *line)
{
	const char *at = strstr(text.p, line);
	size_t len = strlen(line);

	while (
	    at != NULL && ((at != text.p && at[-1] != '\n') || at[len] != '\n'))
		at = strstr(at + 1, line);
	if (at == NULL)
		printf("# not there: %s\n", line);
	return at != NULL;
}

static uint64_t
number(const char *series)
{
	const char *at = strstr(text.p, series);

	return at == NULL ? 0 : strtoull(at + strlen(series), NULL, 10);
}

#define WHO "client=\"laptop\",model=\"chat\",provider=\"deepseek\""

static void
test_counters(void)
{
	struct meters *m = fresh();
	struct entry e = entry();

	meters_add(m, &e);
	meters_add(m, &e);
	print(m);
	CHECK(says("tailgate_requests_total{" WHO
		   ",status=\"200\",reason=\"none\"} 2"),
	    "requests");
	CHECK(says("tailgate_tokens_total{" WHO
		   ",place=\"external\",kind=\"input\"} 600") &&
		says("tailgate_tokens_total{" WHO
		     ",place=\"external\",kind=\"reasoning\"} 40"),
	    "tokens");
	CHECK(says("tailgate_cost_usd_total{" WHO
		   ",place=\"external\"} 3.000000000"),
	    "cost");
	CHECK(says("tailgate_upstream_bytes_total{" WHO
		   ",place=\"external\"} 18"),
	    "bytes");
	CHECK(says("tailgate_unpriced_total{" WHO ",place=\"external\"} 0"),
	    "all of it priced");
	try.cost_nanousd = -1;
	try.usage.reported = false;
	meters_add(m, &e);
	print(m);
	CHECK(says("tailgate_unpriced_total{" WHO ",place=\"external\"} 1") &&
		says("tailgate_usage_estimated_total{" WHO
		     ",place=\"external\"} 1"),
	    "an external request without a price, by estimate");
	meters_close(m);
}

/* First an external target, then a local one: each is counted where it went. */
static void
test_tries(void)
{
	struct meters *m = fresh();
	struct entry e = entry();
	struct entry_try tries[2] = { try, try };

	tries[0].outcome = "timeout";
	tries[0].usage = (struct usage){ .input = 7 };
	tries[0].first_byte_ms = -1;
	tries[1].provider = "local";
	tries[1].place = PLACE_LOCAL;
	tries[1].queue_ms = 4;
	e.tries = tries;
	e.ntries = 2;
	meters_add(m, &e);
	print(m);
	CHECK(says("tailgate_upstream_bytes_total{" WHO
		   ",place=\"external\"} 9") &&
		says("tailgate_tokens_total{" WHO
		     ",place=\"external\",kind=\"input\"} 7") &&
		says("tailgate_upstream_requests_total{" WHO
		     ",place=\"external\"} 1") &&
		says("tailgate_cost_usd_total{" WHO
		     ",place=\"external\"} 1.500000000"),
	    "the try that timed out has its bytes, tokens and cost");
	CHECK(says("tailgate_requests_total{client=\"laptop\",model=\"chat\","
		   "provider=\"local\",status=\"200\",reason=\"none\"} 1") &&
		number("tailgate_requests_total{" WHO) == 0,
	    "the request counts where it ended");
	CHECK(says("tailgate_request_duration_seconds_count{model=\"chat\","
		   "provider=\"local\"} 1") &&
		says("tailgate_request_duration_seconds_count{model=\"chat\","
		     "provider=\"deepseek\"} 0") &&
		says("tailgate_queue_wait_seconds_count{limit=\"gpu\"} 1"),
	    "and so does its duration; waiting where it waited");
	meters_close(m);
}

static void
test_refusals(void)
{
	struct meters *m = fresh();
	struct entry e = {
		.status = 401, .refusal = REFUSE_INVALID_KEY, .total_ms = 1
	};

	meters_add(m, &e);
	e = entry();
	e.status = 299;
	e.cut = true;
	meters_add(m, &e);
	e.status = -7;
	meters_add(m, &e);
	print(m);
	CHECK(says("tailgate_requests_total{client=\"none\",model=\"none\","
		   "provider=\"none\",status=\"401\",reason=\"invalid_api_key"
		   "\"} 1"),
	    "a refusal before anything is known");
	CHECK(says("tailgate_requests_total{" WHO
		   ",status=\"other\",reason=\"cut\"} 2"),
	    "statuses that nobody knows are one");
	meters_close(m);
}

static void
test_histograms(void)
{
	struct meters *m = fresh();
	struct entry e = entry();
	static const int64_t ms[] = { 0, 5, 6, 250, 599999, 600000, 600001 };

	try.provider = "local";
	try.place = PLACE_LOCAL;
	for (size_t i = 0; i < sizeof(ms) / sizeof(ms[0]); i++) {
		try.first_byte_ms = try.queue_ms = ms[i];
		meters_add(m, &e);
	}
	try.first_byte_ms = try.queue_ms = -1;
	meters_add(m, &e);
	print(m);
#define AT "tailgate_first_byte_seconds"
#define MP "model=\"chat\",provider=\"local\""
	CHECK(says(AT "_bucket{" MP ",le=\"0.005\"} 2") &&
		says(AT "_bucket{" MP ",le=\"0.01\"} 3") &&
		says(AT "_bucket{" MP ",le=\"0.25\"} 4") &&
		says(AT "_bucket{" MP ",le=\"300\"} 4") &&
		says(AT "_bucket{" MP ",le=\"600\"} 6") &&
		says(AT "_bucket{" MP ",le=\"+Inf\"} 7") &&
		says(AT "_count{" MP "} 7"),
	    "bounds belong to their bucket, buckets are cumulative");
	CHECK(says(AT "_sum{" MP "} 1800.261"), "the sum in seconds");
	CHECK(says("tailgate_queue_wait_seconds_count{limit=\"gpu\"} 7"),
	    "waiting counts for the limit");
	CHECK(says("tailgate_request_duration_seconds_count{" MP "} 8"),
	    "every request sent has a duration");
	meters_close(m);
}

static void
test_hostile(void)
{
	struct meters *m = fresh();
	struct entry e = entry();
	static char longest[1000];

	e.client = "a\"b\\c\nd";
	meters_add(m, &e);
	memset(longest, '"', sizeof(longest) - 1);
	e.client = longest;
	meters_add(m, &e);
	print(m);
	CHECK(says("tailgate_requests_total{client=\"a\\\"b\\\\c\\nd\",model="
		   "\"chat\",provider=\"deepseek\",status=\"200\",reason="
		   "\"none\"} 1"),
	    "what would end a label is escaped");
	CHECK(says("tailgate_requests_total{client=\"other\",model=\"other\","
		   "provider=\"other\",status=\"other\",reason=\"other\"} 1"),
	    "what is too long is counted as other");
	meters_close(m);
}

static void
test_full(void)
{
	struct meters *m = fresh();
	struct entry e = entry();
	uint64_t sum = 0;
	char name[32];

	e.client = name;
	for (int i = 0; i < 6000; i++) {
		snprintf(name, sizeof(name), "client%d", i);
		meters_add(m, &e);
	}
	print(m);
	for (const char *p = text.p;
	     (p = strstr(p, "\ntailgate_requests_total{")) != NULL; p++)
		sum += strtoull(strchr(p, '}') + 1, NULL, 10);
	CHECK(sum == 6000, "more names than rows: none is lost");
	CHECK(number("tailgate_requests_total{client=\"other\",model=\"other\","
		     "provider=\"other\",status=\"other\",reason=\"other\"} ") >
		1000,
	    "the rest is counted as other");
	meters_close(m);
}

static struct meters *shared;

static void *
add_thread(void *arg)
{
	struct entry e = entry();
	char name[16];

	(void)arg;
	e.client = name;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "c%d", i % 10);
		meters_add(shared, &e);
	}
	return NULL;
}

static void
add_process(void)
{
	pthread_t t[4];

	shared = open_or_die();
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, add_thread, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	_exit(0);
}

static void
test_many(void)
{
	struct meters *m = fresh();
	pid_t a = spawn(add_process), b = spawn(add_process);
	bool right = true;

	waitpid(a, NULL, 0);
	waitpid(b, NULL, 0);
	print(m);
	for (int i = 0; i < 10; i++) {
		char line[160];

		snprintf(line, sizeof(line),
		    "tailgate_requests_total{client=\"c%d\",model=\"chat\","
		    "provider=\"deepseek\",status=\"200\",reason=\"none\"} 800",
		    i);
		right = right && says(line);
	}
	CHECK(right, "2 processes x 4 threads: every request is counted once");
	meters_close(m);
}

static int ready_fd;

static void
busy_process(void)
{
	struct entry e = entry();
	struct meters *m = open_or_die();

	for (int i = 0; i < 3; i++)
		meters_busy(m, 1);
	meters_busy(m, -1);
	meters_capacity(m, 7);
	if (write(ready_fd, "x", 1) != 1)
		_exit(1);
	for (;;)
		meters_add(m, &e);
}

static void
test_crash(void)
{
	struct meters *m = fresh();
	uint64_t last = 0, now;
	bool grows = true;
	int fds[2];
	char c;

	if (pipe(fds) == -1)
		exit(99);
	ready_fd = fds[1];
	meters_capacity(m, 9);
	meters_busy(m, 1);
	for (int i = 0; i < 10; i++) {
		pid_t pid = spawn(busy_process);

		if (read(fds[0], &c, 1) != 1)
			exit(99);
		print(m);
		if (i == 0)
			CHECK(says("tailgate_workers 2") &&
				says("tailgate_requests_open 3") &&
				says("tailgate_requests_limit 16"),
			    "requests of all processes that serve");
		spawn_kill(pid);
		print(m);
		now = number("tailgate_requests_total{" WHO
			     ",status=\"200\",reason=\"none\"} ");
		grows = grows && now >= last;
		last = now;
	}
	CHECK(says("tailgate_workers 1") && says("tailgate_requests_open 1"),
	    "the dead are not busy");
	meters_close(m);
	process_close();
	providers[0].name = "renamed";
	m = open_or_die();
	print(m);
	CHECK(grows &&
		number("tailgate_requests_total{" WHO
		       ",status=\"200\",reason=\"none\"} ") == last,
	    "no counter went down over 10 crashes and a reload");
	CHECK(says("tailgate_workers 0"), "nobody serves now");
	providers[0].name = "deepseek";
	meters_close(m);
	close(fds[0]);
	close(fds[1]);
}

/* All kinds of rows, empty and filled, as Prometheus parses them. */
static void
test_promtool(void)
{
	struct meters *m = fresh();
	struct entry e = entry();
	FILE *pipe;

	if (system("command -v promtool >/dev/null 2>&1") != 0) {
		printf("ok %d - # SKIP promtool is not installed\n",
		    ++check_count);
		meters_close(m);
		return;
	}
	for (int i = 0; i < 2; i++) {
		print(m);
		fflush(stdout);
		pipe =
		    popen("promtool check metrics 2>&1 | tee -a /dev/stderr | "
			  "grep -q . && exit 1; exit 0",
			"w");
		if (pipe == NULL)
			exit(99);
		fwrite(text.p, 1, text.len, pipe);
		CHECK(pclose(pipe) == 0, "promtool check metrics");
		try.queue_ms = 5;
		meters_add(m, &e);
		try.provider = "local";
		e.client = "a\"\\\n\xc3\xa4";
		meters_add(m, &e);
	}
	meters_close(m);
}

int
main(void)
{
	if (mkdtemp(dir) == NULL)
		return 99;
	log_open("meters_test", false, LOG_LEVEL_ERROR);
	limits[0] = (struct limit){ .name = "gpu", .slots = 1 };
	providers[0] = (struct provider){ .name = "deepseek", .index = 0 };
	providers[1] = (struct provider){
		.name = "local", .index = 1, .limit = &limits[0]
	};
	config = (struct config){ .runtime_dir = dir,
		.requests = 8,
		.providers = providers,
		.nproviders = 2,
		.limits = limits,
		.nlimits = 1 };
	test_counters();
	test_tries();
	test_refusals();
	test_histograms();
	test_hostile();
	test_full();
	test_many();
	test_crash();
	test_promtool();
	buf_free(&text);
	process_close();
	directory_remove(dir);
	return check_done();
}

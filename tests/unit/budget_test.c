/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Budgets: each bound alone; over processes, threads and crashes; at the end of
 * a minute, a day and a month; and rebuilt from the ledger.  The test has its
 * own clock, so that nothing here waits.
 */
#include "config.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "directory.h"
#include "spawn.h"
#include "../budget_spent.h"
#include "base/clock.h"
#include "base/log.h"
#include "ledger/ledger.h"
#include "ledger/rebuild.h"
#include "state/process.h"

#define USD INT64_C(1000000000)
#define SECOND 1000
#define HOUR (3600 * SECOND)

/* 2026-11-22T12:00:00Z */
#define NOON INT64_C(1795348800000)

static int64_t wall_ms;

int64_t
clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t
clock_wall_ms(void)
{
	return wall_ms;
}

/* The boot clock follows the wall clock, except for what that was set by. */
static int64_t set_by_ms;

int64_t
clock_boot_ms(void)
{
	return wall_ms - set_by_ms - NOON + 40 * (int64_t)HOUR * 24;
}

static void
set_clock(int64_t by_ms)
{
	wall_ms += by_ms;
	set_by_ms += by_ms;
}

static char dir[] = "/tmp/budget_test.XXXXXX";
static char ledger_path[64];
static struct client clients[2];
static struct model models[2];
static struct config config;

/* A new state: no file, no bounds, at noon. */
static struct budget_book *
fresh(void)
{
	char why[256];
	struct budget_book *b;

	process_close();
	directory_clear(dir);
	wall_ms = NOON;
	memset(&clients[0].budget, 0, sizeof(struct budget));
	memset(&clients[1].budget, 0, sizeof(struct budget));
	memset(&models[0].budget, 0, sizeof(struct budget));
	memset(&models[1].budget, 0, sizeof(struct budget));
	/* Each client has a row, whatever bound a test gives it later. */
	for (int i = 0; i < 2; i++)
		clients[i].budget.concurrent = models[i].budget.concurrent =
		    UINT_MAX;
	b = budget_open(&config, &ledger_history, why, sizeof(why));
	if (b == NULL) {
		printf("Bail out! %s\n", why);
		exit(99);
	}
	return b;
}

static struct budget_book *
again(void)
{
	char why[256];
	struct budget_book *b =
	    budget_open(&config, &ledger_history, why, sizeof(why));

	if (b == NULL) {
		printf("Bail out! %s\n", why);
		exit(99);
	}
	return b;
}

static struct refused refused;
static struct budget_room room;

static int
take(struct budget_book *b, uint64_t tokens, int64_t nanousd,
    struct budget_reservation *h)
{
	return budget_reserve(
	    b, &clients[0], &models[0], tokens, nanousd, h, &room, &refused);
}

/* Reserves and settles; false: it was refused. */
static bool
use(struct budget_book *b, uint64_t tokens, int64_t nanousd)
{
	struct budget_reservation h = { .again = false };

	if (take(b, tokens, nanousd, &h) == -1)
		return false;
	budget_settle(b, &h, tokens, nanousd);
	return true;
}

static unsigned
use_n(struct budget_book *b, unsigned n, uint64_t tokens, int64_t nanousd)
{
	unsigned done = 0;

	for (unsigned i = 0; i < n; i++)
		done += use(b, tokens, nanousd);
	return done;
}

static void
test_no_bounds(void)
{
	struct budget_book *b = fresh();

	CHECK(use_n(b, 1000, 1000000, 1000 * USD) == 1000,
	    "no bounds: everything passes");
	CHECK(room.requests.limit == -1 && room.tokens.limit == -1,
	    "and there is no room to tell of");
	budget_close(b);
}

static void
test_requests(void)
{
	struct budget_book *b = fresh();
	struct budget_reservation h = { .again = false };

	clients[0].budget.requests_per_minute = 5;
	CHECK(use_n(b, 9, 10, 0) == 5, "5 requests per minute");
	CHECK(refused.refusal == REFUSE_RATE &&
		refused.retry_after_ms > 60 * SECOND &&
		refused.retry_after_ms <= 61 * SECOND,
	    "REFUSE_RATE, and when the first has passed out of the minute");
	CHECK_STR(refused.message,
	    "Client laptop may make 5 requests per minute; wait for the time "
	    "in Retry-After.",
	    "the message says whose bound it is");
	CHECK(room.requests.limit == 5 && room.requests.left == 0,
	    "x-ratelimit: none left");
	h.again = true;
	CHECK(take(b, 10, 0, &h) == 0 && room.requests.left == 0,
	    "a further try of a request that got in is none more");
	budget_settle(b, &h, 10, 0);
	CHECK(!use(b, 10, 0), "but a new one is");
	wall_ms += refused.retry_after_ms - 1;
	CHECK(!use(b, 10, 0), "still refused just before that time");
	wall_ms += 1;
	CHECK(use(b, 10, 0) && room.requests.left == 4,
	    "and let in when it has come");
	wall_ms += 30 * SECOND;
	CHECK(use_n(b, 9, 10, 0) == 4, "the window slides");
	CHECK(refused.retry_after_ms > 30 * SECOND &&
		refused.retry_after_ms <= 31 * SECOND,
	    "the wait is for the oldest only");
	budget_close(b);
}

/* No window of 60 seconds may see more than the bound. */
static void
test_any_minute(void)
{
	struct budget_book *b = fresh();
	static int64_t times[4000];
	unsigned n = 0, worst = 0;

	clients[0].budget.requests_per_minute = 20;
	srand(7);
	for (int i = 0; i < 4000; i++) {
		wall_ms += rand() % 700;
		if (use(b, 1, 0))
			times[n++] = wall_ms;
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned k = i;

		while (k < n && times[k] < times[i] + 60 * SECOND)
			k++;
		if (k - i > worst)
			worst = k - i;
	}
	CHECK(worst == 20, "20 in the fullest 60 seconds (%u)", worst);
	CHECK(n > 400, "and no fewer than the bound allows (%u)", n);
	budget_close(b);
}

static void
test_tokens(void)
{
	struct budget_book *b = fresh();
	struct budget_reservation h = { .again = false }, other = h;

	models[0].budget.tokens_per_minute = 1000;
	CHECK(take(b, 600, 0, &h) == 0 && room.tokens.limit == 1000 &&
		room.tokens.left == 400,
	    "an estimate is held");
	CHECK(take(b, 600, 0, &other) == -1 && refused.refusal == REFUSE_RATE &&
		refused.retry_after_ms == 1000,
	    "another does not fit beside it, for the moment");
	budget_settle(b, &h, 100, 0);
	CHECK(take(b, 600, 0, &h) == 0, "settled below it: there is room");
	budget_settle(b, &h, 900, 0);
	CHECK(!use(b, 1, 0) && refused.retry_after_ms > 60 * SECOND,
	    "settled above it: wait for the minute");
	wall_ms += 62 * SECOND;
	CHECK(use(b, 5000, 0), "a request larger than the bound gets in alone");
	CHECK(!use(b, 1, 0), "and nothing behind it");
	budget_close(b);

	b = fresh();
	clients[0].budget.tokens_per_day = 1000;
	CHECK(use_n(b, 20, 100, 0) == 10, "tokens per day");
	CHECK(refused.refusal == REFUSE_BUDGET &&
		refused.retry_after_ms == 12 * HOUR,
	    "REFUSE_BUDGET until midnight UTC");
	wall_ms += 12 * HOUR - 1;
	CHECK(!use(b, 100, 0), "a millisecond before midnight");
	wall_ms += 1;
	CHECK(use(b, 100, 0), "midnight");
	budget_close(b);
}

static void
test_money(void)
{
	struct budget_book *b = fresh();
	struct budget_reservation h = { .again = false };

	clients[0].budget.nanousd_per_day = USD;
	CHECK(use_n(b, 30, 1, USD / 10) == 10, "10 requests' worth of a day");
	CHECK(refused.refusal == REFUSE_BUDGET &&
		refused.retry_after_ms == 12 * HOUR,
	    "REFUSE_BUDGET until midnight UTC");
	CHECK_STR(refused.message,
	    "The daily budget of client laptop is spent; ask the operator to "
	    "raise it, or wait for the next period.",
	    "with a message");
	CHECK(use(b, 1, 0), "what is free passes");
	CHECK(!use(b, 1, -1), "what has no known price does not");
	CHECK(budget_reserve(
		  b, &clients[1], &models[0], 1, USD, &h, &room, &refused) == 0,
	    "another client's budget is its own");
	budget_settle(b, &h, 0, 0);
	budget_close(b);

	b = fresh();
	clients[0].budget.nanousd_per_month = USD;
	models[0].budget.nanousd_per_day = USD / 2;
	CHECK(use_n(b, 30, 1, USD / 10) == 5, "a model's day ends first");
	wall_ms += 24 * HOUR;
	CHECK(use_n(b, 30, 1, USD / 10) == 5, "then the client's month");
	CHECK(refused.retry_after_ms ==
		INT64_C(1796083200000) /* 2026-12-01 */ - wall_ms,
	    "until the first of the next month");
	wall_ms = INT64_C(1796083200000);
	CHECK(use(b, 1, USD / 10), "which begins anew");
	budget_close(b);
}

static void
test_overspend(void)
{
	struct budget_book *b = fresh();
	struct budget_reservation h[3] = { { .again = false } };
	struct budget_spent spent;

	clients[0].budget.nanousd_per_day = USD;
	CHECK(use(b, 1, USD * 9 / 10), "nine tenths are spent");
	CHECK(take(b, 1, USD / 2, &h[0]) == 0,
	    "an estimate above the rest gets in alone");
	CHECK(take(b, 1, USD / 100, &h[1]) == -1 &&
		refused.refusal == REFUSE_RATE,
	    "not a second one beside it");
	budget_settle(b, &h[0], 1, USD / 2);
	CHECK(take(b, 1, 1, &h[2]) == -1 && refused.refusal == REFUSE_BUDGET,
	    "and none after it");
	budget_look(b, &clients[0], NULL, &spent);
	CHECK(spent.day_nanousd == USD * 14 / 10 && spent.in_flight == 0 &&
		spent.day_requests == 2,
	    "passed by that one estimate");
	budget_close(b);
}

static void
test_concurrent(void)
{
	struct budget_book *b = fresh();
	struct budget_reservation h[4] = { { .again = false } };

	clients[0].budget.concurrent = 2;
	CHECK(take(b, 1, 0, &h[0]) == 0 && take(b, 1, 0, &h[1]) == 0 &&
		take(b, 1, 0, &h[2]) == -1,
	    "two at once");
	budget_settle(b, &h[2], 0, 0);
	CHECK(take(b, 1, 0, &h[3]) == -1,
	    "settling what was refused changes nothing");
	budget_settle(b, &h[0], 0, 0);
	budget_settle(b, &h[0], 0, 0);
	CHECK(take(b, 1, 0, &h[0]) == 0 && take(b, 1, 0, &h[2]) == -1,
	    "settling twice counts once");
	budget_close(b);
}

static void
test_restart(void)
{
	struct budget_book *b = fresh();
	struct budget_reservation h = { .again = false };

	clients[0].budget.nanousd_per_day = USD;
	use_n(b, 4, 1, USD / 10);
	budget_close(b);
	process_close();
	b = again();
	CHECK(use_n(b, 30, 1, USD / 10) == 6, "a restart forgets nothing");
	wall_ms -= HOUR;
	CHECK(take(b, 1, USD / 10, &h) == -1, "nor does a clock set back");
	budget_close(b);
}

/* ---- Processes and threads ---- */

static struct budget_book *book;
static int report_fd;

/* What processes report is read from fds[0]. */
static void
report_begin(int fds[2])
{
	if (pipe(fds) == -1)
		exit(99);
	report_fd = fds[1];
}

static void
report_end(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static void *
hammer(void *arg)
{
	unsigned *done = arg;

	for (int i = 0; i < 400; i++) {
		struct budget_reservation h = { .again = false };
		struct budget_room r;
		struct refused f;

		if (budget_reserve(book, &clients[0], &models[0], 10,
			USD / 1000, &h, &r, &f) == -1)
			continue;
		/* Some use part of what they reserved, some nothing. */
		if (i % 3 == 0)
			budget_settle(book, &h, 0, 0);
		else {
			budget_settle(book, &h, 10, USD / 1000);
			++*done;
		}
	}
	return NULL;
}

static void
hammer_process(void)
{
	unsigned done[8] = { 0 }, sum = 0;
	pthread_t t[8];

	book = again();
	for (int i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, hammer, &done[i]);
	for (int i = 0; i < 8; i++) {
		pthread_join(t[i], NULL);
		sum += done[i];
	}
	if (write(report_fd, &sum, sizeof(sum)) != sizeof(sum))
		_exit(1);
	_exit(0);
}

static void
test_hammer(void)
{
	struct budget_book *b = fresh();
	struct budget_spent spent;
	unsigned sum = 0, one;
	int fds[2];

	report_begin(fds);
	clients[0].budget.nanousd_per_day = USD;
	for (int round = 0; round < 2; round++) {
		pid_t a, c;

		a = spawn(hammer_process);
		c = spawn(hammer_process);
		waitpid(a, NULL, 0);
		waitpid(c, NULL, 0);
		for (int i = 0; i < 2; i++)
			if (read(fds[0], &one, sizeof(one)) == sizeof(one))
				sum += one;
	}
	CHECK(sum == 1000,
	    "2 x 8 threads, twice: 1000 requests' worth, %u got through", sum);
	budget_look(b, &clients[0], NULL, &spent);
	CHECK(spent.day_nanousd == USD && spent.in_flight == 0,
	    "spent to the last nano-USD, nothing held");
	CHECK(spent.day_tokens == 10000, "tokens too");
	budget_look(b, NULL, &models[0], &spent);
	CHECK(spent.day_nanousd == USD, "the model's row says the same");
	report_end(fds);
	budget_close(b);
}

static void
hold_process(void)
{
	struct budget_reservation h = { .again = false };

	book = again();
	for (int i = 0; i < 5; i++)
		take(book, 100, USD / 10, &h);
	if (write(report_fd, "x", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void
test_crash(void)
{
	struct budget_book *b = fresh();
	struct budget_spent spent;
	struct budget_reservation h = { .again = false };
	int fds[2];
	pid_t pid;
	char c;

	report_begin(fds);
	clients[0].budget.concurrent = 5;
	pid = spawn(hold_process);
	if (read(fds[0], &c, 1) != 1)
		exit(99);
	CHECK(take(b, 1, 0, &h) == -1, "another process holds all five");
	spawn_kill(pid);
	wall_ms += SECOND;
	CHECK(take(b, 1, 0, &h) == 0, "found dead, it has given them back");
	budget_settle(b, &h, 0, 0);

	pid = spawn(hold_process);
	if (read(fds[0], &c, 1) != 1)
		exit(99);
	spawn_kill(pid);
	budget_look(b, &clients[0], NULL, &spent);
	CHECK(spent.in_flight == 0, "the parent gives back at once");
	report_end(fds);
	budget_close(b);
}

static void
endless_process(void)
{
	struct budget_reservation h = { .again = false };

	book = again();
	for (;;)
		if (take(book, 1, 1, &h) == 0)
			budget_settle(book, &h, 1, 1);
}

/* A process may be killed anywhere, even while it holds the lock. */
static void
test_kills(void)
{
	struct budget_book *b = fresh();
	struct budget_spent spent, last = { 0 };
	pid_t pids[2] = { spawn(endless_process), spawn(endless_process) };
	bool grows = true;

	clients[0].budget.nanousd_per_day = INT64_MAX / 2;
	for (int i = 0; i < 60; i++) {
		do {
			usleep(100 + (unsigned)i * 7);
			budget_look(b, &clients[0], NULL, &spent);
		} while (spent.day_requests == last.day_requests);
		grows = grows && spent.day_requests > last.day_requests &&
		    spent.day_tokens >= last.day_tokens;
		last = spent;
		spawn_kill(pids[i % 2]);
		pids[i % 2] = spawn(endless_process);
	}
	for (int i = 0; i < 2; i++) {
		spawn_kill(pids[i]);
	}
	budget_look(b, &clients[0], NULL, &spent);
	CHECK(grows, "62 processes killed: nobody hangs, sums only grow");
	CHECK(spent.in_flight == 0, "nothing stays held");
	CHECK(use(b, 1, 1), "and it goes on");
	budget_close(b);
}

/* ---- From the ledger ---- */

static void
account(struct ledger *l, int64_t begin_ms, const char *client, bool sent,
    int64_t nanousd)
{
	struct entry_try t = { .provider = "p",
		.outcome = "ok",
		.sent = sent,
		.usage = { .reported = true, .input = 60, .output = 40 },
		.cost_nanousd = nanousd,
		.queue_ms = -1,
		.first_byte_ms = -1,
		.ms = 2000 };
	struct entry e = { .wall_ms = begin_ms,
		.id = "r",
		.client = client,
		.model = "alias",
		.route = "chat",
		.tries = &t,
		.ntries = 1,
		.status = 200,
		.total_ms = 2000 };

	ledger_write(l, &e);
}

static void
test_rebuild(void)
{
	struct budget_book *b = fresh();
	struct budget_spent spent;
	struct ledger *l;
	char why[256];

	budget_close(b);
	process_close();
	directory_clear(dir);
	config.ledger = true;
	l = ledger_open(&config, why, sizeof(why));
	account(l, NOON - 40 * 24 * (int64_t)HOUR, "laptop", true, USD);
	account(l, NOON - 3 * 24 * (int64_t)HOUR, "laptop", true, USD / 4);
	account(l, NOON - 3 * HOUR, "laptop", true, USD / 10);
	account(l, NOON - 30 * SECOND, "laptop", true, USD / 10);
	account(l, NOON - 30 * SECOND, "phone", true, USD / 10);
	account(l, NOON - 30 * SECOND, "laptop", false, -1);
	account(l, NOON - 30 * SECOND, "stranger", true, -1);
	ledger_close(l);
	/* The file's own time must agree with the test's clock, too. */
	utimensat(AT_FDCWD, ledger_path,
	    (struct timespec[]){ { NOON / 1000, 0 }, { NOON / 1000, 0 } }, 0);
	b = again();
	budget_look(b, &clients[0], NULL, &spent);
	CHECK(spent.day_nanousd == USD / 5 && spent.day_requests == 2 &&
		spent.day_tokens == 200,
	    "a lost file is made again from the ledger: the day");
	CHECK(spent.month_nanousd == USD / 4 + USD / 5, "the month");
	CHECK(spent.minute_requests == 1 && spent.minute_tokens == 100,
	    "and the minute");
	budget_look(b, NULL, &models[0], &spent);
	CHECK(spent.day_nanousd == USD * 3 / 10 && spent.day_requests == 4,
	    "of models by their route");
	budget_close(b);
	process_close();
	b = again();
	budget_look(b, &clients[0], NULL, &spent);
	CHECK(spent.day_nanousd == USD / 5, "but not added a second time");
	budget_close(b);
	config.ledger = false;
}

#define DAY (24 * (int64_t)HOUR)

/* Setting the clock, forward or back, by any amount, gains nothing. */
static void
test_set_clock(void)
{
	static const int64_t jumps[] = { HOUR, -HOUR, DAY, -DAY, 3 * DAY,
		-3 * DAY, -3 * DAY, 3 * DAY, 400 * DAY, -400 * DAY, -2 * DAY,
		2 * DAY, 31 * DAY, -31 * DAY };
	struct budget_book *b = fresh();
	struct budget_spent spent;
	struct budget_reservation hold = { .again = false };
	unsigned taken = 0;

	clients[0].budget.nanousd_per_day = USD;
	clients[0].budget.nanousd_per_month = USD;
	use(b, 10, USD);
	for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		set_clock(jumps[i]);
		taken += take(b, 1, USD / 10, &hold) == 0;
		budget_look(b, &clients[0], NULL, &spent);
		taken += spent.day_nanousd != USD || spent.month_nanousd != USD;
	}
	CHECK(taken == 0, "no jump of the clock gives a fresh budget");
	/* Another process that starts in between sees the same. */
	budget_close(b);
	process_close();
	set_clock(5 * DAY);
	b = again();
	CHECK(take(b, 1, USD / 10, &hold) == -1,
	    "nor one while nobody was there");
	set_clock(-5 * DAY);
	CHECK(take(b, 1, USD / 10, &hold) == -1, "and back");
	wall_ms += DAY;
	clients[0].budget.nanousd_per_month = 0;
	CHECK(
	    take(b, 1, USD / 10, &hold) == 0, "but a day that has passed does");
	budget_settle(b, &hold, 1, USD / 10);
	budget_close(b);
	clients[0].budget = (struct budget){ .concurrent = 0 };
	set_by_ms = 0;
}

/* A machine without a battery-backed clock starts in the past, until its clock
 * is set.  From then on, today's lines in the ledger count. */
static void
test_clock_comes_right(void)
{
	struct budget_book *b = fresh();
	struct budget_spent spent;
	struct ledger *l;
	char why[256];

	budget_close(b);
	process_close();
	directory_clear(dir);
	config.ledger = true;
	l = ledger_open(&config, why, sizeof(why));
	account(l, NOON - 3 * HOUR, "laptop", true, USD / 2);
	account(l, NOON - 3 * DAY, "laptop", true, USD / 4);
	ledger_close(l);
	utimensat(AT_FDCWD, ledger_path,
	    (struct timespec[]){ { NOON / 1000, 0 }, { NOON / 1000, 0 } }, 0);
	set_clock(-100 * DAY);
	b = again();
	budget_look(b, &clients[0], NULL, &spent);
	CHECK(spent.day_nanousd == 0, "nothing was used in the past");
	use(b, 10, USD / 8);
	set_clock(100 * DAY);
	use(b, 10, 0);
	budget_look(b, &clients[0], NULL, &spent);
	CHECK(spent.day_nanousd == USD / 2 && spent.day_tokens == 110,
	    "when the clock comes right the day is read from the ledger");
	CHECK(spent.month_nanousd == USD * 3 / 4, "and the month");
	budget_close(b);
	config.ledger = false;
	set_by_ms = 0;
}

/* A minute is measured by the time that passes, not by the wall clock. */
static void
test_minute_by_time(void)
{
	struct budget_book *b = fresh();
	struct budget_reservation hold = { .again = false };

	clients[0].budget.requests_per_minute = 2;
	use_n(b, 2, 1, 0);
	set_clock(2 * 60 * SECOND);
	CHECK(take(b, 1, 0, &hold) == -1,
	    "setting the clock by two minutes is no waiting");
	set_clock(-4 * 60 * SECOND);
	wall_ms += 30 * SECOND;
	CHECK(take(b, 1, 0, &hold) == -1, "nor is half a minute");
	wall_ms += 31 * SECOND;
	CHECK(take(b, 1, 0, &hold) == 0, "a minute is");
	budget_settle(b, &hold, 0, 0);
	budget_close(b);
	clients[0].budget = (struct budget){ .concurrent = 0 };
	set_by_ms = 0;
}

/* ---- Rows ---- */

/* A configuration of its own, of the maximum size; each entry has a budget. */
static struct config
crowd(char kind)
{
	struct client *c = calloc(CONFIG_CLIENTS_MAX, sizeof(*c));
	struct model *m = calloc(CONFIG_MODELS_MAX, sizeof(*m));
	struct config all = config;

	for (size_t i = 0; i < CONFIG_CLIENTS_MAX; i++) {
		char *name = malloc(16);

		snprintf(name, 16, "%c%zu", kind, i);
		c[i] = (struct client){ .name = name, .index = i };
		c[i].budget.requests_per_minute = 1;
		if (i < CONFIG_MODELS_MAX) {
			m[i] = (struct model){ .id = name, .index = i };
			m[i].budget.tokens_per_day = 1;
		}
	}
	all.clients = c;
	all.nclients = CONFIG_CLIENTS_MAX;
	all.models = m;
	all.nmodels = CONFIG_MODELS_MAX;
	return all;
}

static void
crowd_free(struct config *c)
{
	for (size_t i = 0; i < c->nclients; i++)
		free((char *)(uintptr_t)c->clients[i].name);
	free((void *)(uintptr_t)c->clients);
	free((void *)(uintptr_t)c->models);
}

static struct budget_book *
open_of(const struct config *c)
{
	char why[256] = "";
	struct budget_book *b =
	    budget_open(c, &ledger_history, why, sizeof(why));

	CHECK(b != NULL, "%zu clients and %zu models with a budget: %s",
	    c->nclients, c->nmodels, why);
	return b;
}

static bool
once(struct budget_book *b, const struct client *c)
{
	struct budget_reservation h = { .again = false };

	if (budget_reserve(b, c, NULL, 1, 0, &h, &room, &refused) == -1)
		return false;
	budget_settle(b, &h, 1, 0);
	return true;
}

static void
test_crowds(void)
{
	struct budget_book *small = fresh(), *a, *b;
	struct budget_reservation held = { .again = false };
	struct config one, other;
	size_t first = 0, second = 0;

	one = crowd('a');
	other = crowd('b');
	CHECK(take(small, 1, 0, &held) == 0, "a request runs");
	a = open_of(&one);
	b = open_of(&other);
	if (a == NULL || b == NULL)
		exit(1);
	for (size_t i = 0; i < CONFIG_CLIENTS_MAX; i += 97) {
		first += once(b, &other.clients[i]);
		second += once(b, &other.clients[i]);
	}
	CHECK(first == (CONFIG_CLIENTS_MAX + 96) / 97 && second == 0,
	    "each has its own row");
	first = second = 0;
	for (size_t i = CONFIG_CLIENTS_MAX - 50; i < CONFIG_CLIENTS_MAX; i++) {
		first += once(a, &one.clients[i]);
		second += once(a, &one.clients[i]);
	}
	CHECK(first == 50 && second == 0,
	    "those whose rows were taken find others: their bounds hold");
	clients[0].budget.concurrent = 1;
	CHECK(!once(small, &clients[0]),
	    "a row that holds a reservation is nobody else's");
	budget_settle(small, &held, 0, 0);
	CHECK(once(small, &clients[0]), "until it is given back");
	budget_close(a);
	budget_close(b);
	budget_close(small);
	crowd_free(&one);
	crowd_free(&other);
}

/* A client without a budget has no row.  When it gets one, the ledger says what
 * it has used. */
static void
test_first_budget(void)
{
	struct budget_book *b = fresh();
	struct budget_spent spent;
	struct ledger *l;
	struct stat st;
	char why[256];

	budget_close(b);
	process_close();
	directory_clear(dir);
	clients[0].budget = clients[1].budget = models[0].budget =
	    models[1].budget = (struct budget){ .concurrent = 0 };
	config.ledger = true;
	l = ledger_open(&config, why, sizeof(why));
	b = again();
	CHECK(use(b, 100, USD), "no budget");
	account(l, NOON - HOUR, "laptop", true, USD);
	ledger_close(l);
	utimensat(AT_FDCWD, ledger_path,
	    (struct timespec[]){ { NOON / 1000, 0 }, { NOON / 1000, 0 } }, 0);
	budget_look(b, &clients[0], NULL, &spent);
	CHECK(spent.day_requests == 0, "no row");
	clients[0].budget.nanousd_per_day = USD;
	budget_close(b);
	b = again();
	budget_look(b, &clients[0], NULL, &spent);
	CHECK(spent.day_nanousd == USD && !use(b, 1, 1),
	    "the first budget counts what this day has used before");
	snprintf(why, sizeof(why), "%s/budget", dir);
	CHECK(stat(why, &st) == 0 && st.st_blocks * 512 < 2 * 1024 * 1024,
	    "the file takes no more space than its rows need");
	budget_close(b);
	config.ledger = false;
}

int
main(void)
{
	if (mkdtemp(dir) == NULL)
		return 99;
	log_open("budget_test", false, LOG_LEVEL_ERROR);
	snprintf(ledger_path, sizeof(ledger_path), "%s/ledger.jsonl", dir);
	clients[0] = (struct client){ .name = "laptop", .index = 0 };
	clients[1] = (struct client){ .name = "phone", .index = 1 };
	models[0] = (struct model){ .id = "chat", .index = 0 };
	models[1] = (struct model){ .id = "laptop", .index = 1 };
	config = (struct config){ .runtime_dir = dir,
		.clients = clients,
		.nclients = 2,
		.models = models,
		.nmodels = 2,
		.ledger_file = ledger_path };
	test_no_bounds();
	test_requests();
	test_any_minute();
	test_tokens();
	test_money();
	test_overspend();
	test_concurrent();
	test_restart();
	test_hammer();
	test_crash();
	test_kills();
	test_rebuild();
	test_set_clock();
	test_clock_comes_right();
	test_minute_by_time();
	test_first_budget();
	test_crowds();
	process_close();
	directory_remove(dir);
	return check_done();
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A host whose budgets' file is lost while processes still use it: what they
 * spend is counted by the new file before it says that nobody else spends
 * (state/budget_host.c, budget_earlier.c); and how old the figures of other
 * hosts are.
 */
#include "config.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "directory.h"
#include "base/clock.h"
#include "base/log.h"
#include "state/budget_purse.h"
#include "state/process.h"

#define USD INT64_C(1000000000)

/* In a day that nothing here ends. */
static const int64_t begin_ms = INT64_C(1795348800000);
static int64_t wall_ms;

int64_t
clock_now_ns(void)
{
	return wall_ms * 1000000;
}

int64_t
clock_wall_ms(void)
{
	return wall_ms;
}

int64_t
clock_boot_ms(void)
{
	return wall_ms;
}

static char dir[] = "/tmp/budget_host_test.XXXXXX";
static char runtime_dir[64], lost_dir[64];
static struct model model = { .id = "chat",
	.budget = { .nanousd_per_day = USD, .shared = true } };
static const struct config config = { .runtime_dir = runtime_dir,
	.state_dir = dir,
	.models = &model,
	.nmodels = 1 };

/* What the ledger has of the beginning, and lines of some moments. */
static int64_t recorded;
static struct line {
	int64_t end_ms, nanousd;
} lines[16];
static size_t nlines;

/* While it is read: */
static struct budget_book *also_watches;
static bool dies;
static unsigned reads;

static void
write_line(int64_t end_ms, int64_t nanousd)
{
	lines[nlines++] = (struct line){ end_ms, nanousd };
}

static void
use_one(void (*use)(void *ctx, const struct budget_use *), void *ctx,
    int64_t end_ms, int64_t nanousd)
{
	use(ctx,
	    &(struct budget_use){ .end_ms = end_ms,
		.model = { model.id, strlen(model.id) },
		.tokens = 1,
		.nanousd = nanousd });
}

static void
each(const struct config *c, int64_t since_ms,
    void (*use)(void *ctx, const struct budget_use *), void *ctx)
{
	(void)c;
	(void)since_ms;
	reads++;
	if (dies)
		_exit(0);
	if (also_watches != NULL)
		budget_purse_watch(also_watches);
	if (recorded > 0)
		use_one(use, ctx, begin_ms, recorded);
	for (size_t i = 0; i < nlines; i++)
		use_one(use, ctx, lines[i].end_ms, lines[i].nanousd);
}

static const struct budget_history history = { .each = each };

/* As a process that starts would. */
static struct budget_book *
open_book(void)
{
	char why[256];
	struct budget_book *b;

	process_close();
	b = budget_open(&config, &history, why, sizeof(why));
	if (b == NULL) {
		printf("Bail out! %s\n", why);
		exit(99);
	}
	return b;
}

static void
fresh(void)
{
	process_close();
	directory_clear(dir);
	recorded = 0;
	nlines = 0;
	wall_ms = begin_ms;
	if (mkdir(runtime_dir, 0700) == -1)
		exit(99);
}

static void
lose_file(void)
{
	if (rename(runtime_dir, lost_dir) == -1 ||
	    mkdir(runtime_dir, 0700) == -1)
		exit(99);
}

/* What a process says to the store; no answer comes. */
static struct budget_purse_call
say(struct budget_book *b)
{
	struct budget_purse_call call = { .alone = false };

	if (!budget_purse_ask(b, NULL, &model, PURSE_TELL, 0, 0, &call)) {
		printf("Bail out! it says nothing\n");
		exit(99);
	}
	budget_purse_told(b, &call, NULL);
	return call;
}

static void
test_alone(void)
{
	struct budget_book *b;
	uint64_t incarnation;

	fresh();
	b = open_book();
	CHECK(say(b).alone, "a first file is alone");
	incarnation = say(b).incarnation;
	budget_close(b);
	lose_file();
	recorded = USD / 10;
	b = open_book();
	CHECK(say(b).alone,
	    "and so is one that is made when nobody uses the earlier one");
	CHECK(say(b).incarnation > incarnation, "it is a later incarnation");
	CHECK(say(b).parts[PURSE_DAY].base == USD / 10,
	    "which knows what was spent");
	budget_close(b);
}

static void
test_spent_meanwhile(void)
{
	struct budget_book *earlier, *b, *later;

	fresh();
	earlier = open_book();
	recorded = USD / 10;
	lose_file();
	b = open_book();
	CHECK(!say(b).alone, "a process uses the earlier file");
	CHECK(say(b).parts[PURSE_DAY].base == USD / 10,
	    "what it had spent is known");
	/* It spends what it had, and ends. */
	recorded = USD / 5;
	budget_close(earlier);
	later = open_book();
	CHECK(!say(later).alone,
	    "a process that starts then does not know of that");
	CHECK(!say(b).alone, "nor does one of before");
	budget_purse_watch(later);
	CHECK(!say(later).alone, "nor does one that looks");
	wall_ms += 2000;
	budget_purse_watch(later);
	CHECK(say(later).alone,
	    "until it has read the ledger again, when all lines are there");
	CHECK(say(b).alone && say(b).parts[PURSE_DAY].base == USD / 5,
	    "for all that use the file");
	budget_close(later);
	budget_close(b);
}

/* The store allows a file so much. */
static void
allow(struct budget_book *b, int64_t nanousd)
{
	struct budget_purse_call call = { .alone = false };
	struct budget_purse_answer answer = { .state = PURSE_OK,
		.run = 1,
		.wall_ms = wall_ms,
		.version = 1,
		.hosts = 1 };

	if (!budget_purse_ask(b, NULL, &model, PURSE_TELL, 0, 0, &call)) {
		printf("Bail out! it says nothing\n");
		exit(99);
	}
	answer.parts[PURSE_DAY] =
	    (struct budget_purse_said){ .period = call.parts[0].period,
		    .allowed = nanousd };
	budget_purse_told(b, &call, &answer);
}

static void
spend(struct budget_book *b, int64_t nanousd)
{
	struct budget_reservation r = { .again = false };
	struct budget_room room = { .requests.left = 0 };
	struct refused refused;

	CHECK(budget_reserve(
		  b, NULL, &model, 1, nanousd, &r, &room, &refused) == 0,
	    "its purse has enough");
	budget_settle(b, &r, 1, nanousd);
}

/* An idle host has given its part back: the store would grant another one. */
static void
test_asked(void)
{
	struct budget_book *b;
	struct refused refused;

	fresh();
	b = open_book();
	allow(b, 0);
	CHECK(budget_ask(b, NULL, &model, 1, USD / 2, false, &refused) == 0,
	    "an empty purse does not say that a request would be refused");
	CHECK(budget_ask(b, NULL, &model, 1, USD + 1, false, &refused) == -1,
	    "what is left of all hosts does");
	budget_close(b);
}

/* Each of this host's processes ends sooner than the ledger is read. */
static void
test_short(void)
{
	struct budget_book *earlier, *b;

	fresh();
	earlier = open_book();
	lose_file();
	b = open_book();
	recorded = USD / 10;
	budget_close(earlier);
	budget_purse_watch(b);
	budget_close(b);
	wall_ms += 2000;
	b = open_book();
	CHECK(!say(b).alone, "a process has looked, and ended");
	budget_purse_watch(b);
	CHECK(say(b).alone && say(b).parts[PURSE_DAY].base == USD / 10,
	    "the next one reads what was spent");
	budget_close(b);
}

/* When the last process with the earlier file ends, a line of the later file's
 * is not in the ledger yet. */
static void
test_not_written_yet(void)
{
	struct budget_book *earlier, *b, *other;
	struct budget_purse_part part;

	fresh();
	earlier = open_book();
	recorded = USD / 10;
	lose_file();
	b = open_book();
	other = open_book();
	allow(b, USD / 2);
	spend(b, USD / 10);
	recorded = USD / 5;
	budget_close(earlier);
	budget_purse_watch(b);
	wall_ms += 1000;
	budget_purse_watch(other);
	spend(b, USD / 20);
	write_line(wall_ms, USD / 20);
	wall_ms += 1000;
	write_line(begin_ms, USD / 10);
	budget_purse_watch(b);
	part = say(b).parts[PURSE_DAY];
	CHECK(say(b).alone, "what was spent is known after two seconds");
	CHECK(part.base == USD / 5,
	    "from the earlier file, although a line came late (%lld)",
	    (long long)part.base);
	CHECK(part.used == 3 * (USD / 20), "and from the later one (%lld)",
	    (long long)part.used);
	wall_ms += 1000;
	budget_purse_watch(other);
	part = say(b).parts[PURSE_DAY];
	CHECK(part.base == USD / 5 && part.used == 3 * (USD / 20),
	    "another process that looked adds it no more");
	budget_close(other);
	budget_close(b);
}

/* The state of a day in which a later file has spent 0.1 USD and an earlier one
 * 0.1 USD and, while the later is there, 0.1 USD more. */
static struct budget_book *
after_earlier(void)
{
	struct budget_book *earlier, *b;

	fresh();
	earlier = open_book();
	recorded = USD / 10;
	lose_file();
	b = open_book();
	allow(b, USD / 2);
	wall_ms += 5000;
	spend(b, USD / 10);
	wall_ms += 5000;
	recorded = USD / 5;
	budget_close(earlier);
	budget_purse_watch(b);
	wall_ms += 2000;
	return b;
}

/* A fallback after a paid try, a slow reader, or a disk that is full. */
static void
test_never_written(void)
{
	struct budget_book *b = after_earlier();
	struct budget_purse_part part;

	budget_purse_watch(b);
	part = say(b).parts[PURSE_DAY];
	CHECK(say(b).alone && part.base == USD / 5,
	    "a line that is not written yet hides nothing of the earlier "
	    "file's (%lld)",
	    (long long)part.base);
	CHECK(part.used == USD / 10, "and what it says counts (%lld)",
	    (long long)part.used);
	budget_close(b);
	b = after_earlier();
	write_line(begin_ms + 4998, USD / 10);
	budget_purse_watch(b);
	part = say(b).parts[PURSE_DAY];
	CHECK(part.base == USD / 5 && part.used == USD / 10,
	    "one that is written counts once (%lld, %lld)",
	    (long long)part.base, (long long)part.used);
	budget_close(b);
}

/* More settlements than the file has notes for. */
static void
test_many(void)
{
	struct budget_book *earlier, *b;
	struct budget_room room = { .requests.left = 0 };
	struct budget_purse_part part;
	struct refused refused;
	int failed = 0;

	fresh();
	earlier = open_book();
	lose_file();
	b = open_book();
	allow(b, USD / 2);
	for (int i = 0; i < 5000; i++) {
		struct budget_reservation r = { .again = false };

		failed += budget_reserve(b, NULL, &model, 1, USD / 100000, &r,
			      &room, &refused) == -1;
		budget_settle(b, &r, 1, USD / 100000);
	}
	recorded = USD / 10;
	budget_close(earlier);
	budget_purse_watch(b);
	wall_ms += 2000;
	budget_purse_watch(b);
	part = say(b).parts[PURSE_DAY];
	CHECK(failed == 0 && part.base == USD / 10 && part.used == USD / 20,
	    "nor do thousands of them (%d, %lld, %lld)", failed,
	    (long long)part.base, (long long)part.used);
	budget_close(b);
}

static void
test_one_reads(void)
{
	struct budget_book *b = after_earlier();
	struct budget_book *other = open_book();

	reads = 0;
	also_watches = other;
	budget_purse_watch(b);
	also_watches = NULL;
	budget_purse_watch(other);
	CHECK(reads == 1, "while one process reads no other one does (%u)",
	    reads);
	CHECK(say(other).alone, "and the file is alone for both");
	budget_close(other);
	budget_close(b);
}

static void
test_reader_dies(void)
{
	struct budget_book *b = after_earlier();
	int status = -1;
	pid_t child;

	budget_close(b);
	process_close();
	fflush(stdout);
	child = fork();
	if (child == 0) {
		b = open_book();
		dies = true;
		budget_purse_watch(b);
		_exit(1);
	}
	CHECK(child != -1 && waitpid(child, &status, 0) == child && status == 0,
	    "a process dies while it reads");
	b = open_book();
	CHECK(!say(b).alone, "then it is not known what was spent");
	budget_purse_watch(b);
	CHECK(say(b).alone && say(b).parts[PURSE_DAY].base == USD / 5,
	    "until another one has read it");
	budget_close(b);
}

/* Nothing has been asked of a row since yesterday. */
static void
test_idle(void)
{
	struct budget_book *earlier, *b;

	fresh();
	earlier = open_book();
	lose_file();
	b = open_book();
	wall_ms += 86400000;
	write_line(wall_ms, USD / 10);
	budget_close(earlier);
	budget_purse_watch(b);
	wall_ms += 2000;
	budget_purse_watch(b);
	CHECK(say(b).alone && say(b).parts[PURSE_DAY].base == USD / 10,
	    "what the earlier file's spent today is known (%lld)",
	    (long long)say(b).parts[PURSE_DAY].base);
	budget_close(b);
}

static void
answer(struct budget_book *b, enum budget_purse_state state)
{
	struct budget_purse_answer a = { .state = state,
		.run = 1,
		.wall_ms = wall_ms,
		.version = 1,
		.hosts = 1 };
	struct budget_purse_call call = { .alone = false };

	if (!budget_purse_ask(b, NULL, &model, PURSE_TELL, 0, 0, &call)) {
		printf("Bail out! it says nothing\n");
		exit(99);
	}
	a.parts[PURSE_DAY].period = call.parts[PURSE_DAY].period;
	budget_purse_told(b, &call, &a);
}

/* The store waits for a host that has spent nothing. */
static void
test_awaited(void)
{
	enum budget_purse_reason reason = PURSE_NEED;
	struct budget_book *b;

	fresh();
	b = open_book();
	answer(b, PURSE_OK);
	CHECK(!budget_purse_due(b, NULL, &model, 1, &reason),
	    "who has spent nothing has nothing to tell");
	answer(b, PURSE_LEARNING);
	CHECK(budget_purse_due(b, NULL, &model, 1, &reason) &&
		reason == PURSE_TELL,
	    "until the store asks all hosts");
	say(b);
	CHECK(budget_purse_due(b, NULL, &model, 1, &reason) &&
		reason == PURSE_TELL,
	    "also when its answer did not come");
	answer(b, PURSE_OK);
	CHECK(!budget_purse_due(b, NULL, &model, 1, &reason),
	    "and it has heard this one");
	budget_close(b);
}

/* How old are the figures of all hosts? */
static int64_t
heard_ms(struct budget_book *b)
{
	struct bound bounds[BOUNDS_MAX];
	size_t n = budget_bounds(b, NULL, &model, bounds);

	for (size_t i = 0; i < n; i++)
		if (bounds[i].shared)
			return bounds[i].heard_ms;
	return -2;
}

static void
test_heard(void)
{
	struct budget_book *b;

	fresh();
	b = open_book();
	CHECK(heard_ms(b) == -1, "nothing was heard of other hosts");
	allow(b, USD / 2);
	wall_ms += 3600000;
	CHECK(heard_ms(b) == 3600000, "an hour ago something was");
	wall_ms += 86400000;
	CHECK(heard_ms(b) == -1, "but that was of a day that has ended");
	budget_close(b);
}

int
main(void)
{
	if (mkdtemp(dir) == NULL)
		return 99;
	log_open("budget_host_test", false, LOG_LEVEL_ERROR);
	snprintf(runtime_dir, sizeof(runtime_dir), "%s/run", dir);
	snprintf(lost_dir, sizeof(lost_dir), "%s/lost", dir);
	test_alone();
	test_spent_meanwhile();
	test_not_written_yet();
	test_asked();
	test_short();
	test_never_written();
	test_many();
	test_one_reads();
	test_reader_dies();
	test_idle();
	test_awaited();
	test_heard();
	process_close();
	directory_remove(dir);
	return check_done();
}

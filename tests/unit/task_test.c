/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Tasks: which runs when, what a wait reports; work on another thread blocks no
 * task; and many of them cost little.
 */
#include "config.h"

#include <sys/socket.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/task.h"
#include "check.h"

static char trace[256];
static size_t traced;

static void
note(char c)
{
	if (traced < sizeof(trace) - 1)
		trace[traced++] = c;
}

static void
forget_trace(void)
{
	memset(trace, 0, sizeof(trace));
	traced = 0;
}

static void
start(void (*fn)(void *), void *arg)
{
	if (task_start(fn, arg) == -1)
		fatal("no task: %s", strerror(errno));
}

/* ---- order ------------------------------------------------------------ */

static void
in_turns(void *arg)
{
	const char *name = arg;

	for (int i = 0; i < 3; i++) {
		note(*name);
		task_yield();
	}
}

static void
order(void)
{
	forget_trace();
	start(in_turns, (void *)"a");
	start(in_turns, (void *)"b");
	task_loop();
	CHECK_STR(trace, "ababab", "tasks run in turn");
}

/* ---- descriptors ------------------------------------------------------ */

static int pair[2];

static void
reader(void *arg)
{
	struct pollfd p = { .fd = pair[0], .events = POLLIN };
	char c;

	(void)arg;
	for (int i = 0; i < 3; i++) {
		CHECK(task_poll_again(&p, 1, 5000) == 1 &&
			p.revents == POLLIN && read(pair[0], &c, 1) == 1,
		    "what is written is reported, time %d", i + 1);
		note(c);
	}
	CHECK(task_poll_again(&p, 1, 20) == 0, "and nothing in its absence");
	task_forget(pair[0]);
}

static void
writer(void *arg)
{
	struct pollfd p = { .fd = pair[1], .events = POLLIN | POLLOUT };

	(void)arg;
	for (const char *at = "xyz"; *at != '\0'; at++) {
		CHECK(task_poll(&p, 1, 5000) == 1 && p.revents == POLLOUT &&
			write(pair[1], at, 1) == 1,
		    "there is room to write");
		task_sleep(5);
	}
}

static void
descriptors(void)
{
	forget_trace();
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		fatal("socketpair: %s", strerror(errno));
	start(reader, NULL);
	start(writer, NULL);
	task_loop();
	CHECK_STR(trace, "xyz", "both went on as they could");
	close(pair[0]);
	close(pair[1]);
}

/* A descriptor is closed, and its number is given to the next one. */
static void
number_again(void *arg)
{
	struct pollfd p = { .events = POLLIN };
	bool heard = true;

	(void)arg;
	for (int i = 0; i < 10; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
			fatal("socketpair: %s", strerror(errno));
		p.fd = pair[0];
		task_poll_again(&p, 1, 1);
		heard &= write(pair[1], "", 1) == 1 &&
		    task_poll_again(&p, 1, 5000) == 1;
		task_forget(pair[0]);
		close(pair[0]);
		close(pair[1]);
	}
	CHECK(heard, "a number that is used again is waited for anew");
}

static void
other_with_number(void *arg)
{
	struct pollfd p = { .fd = pair[0], .events = POLLIN };

	CHECK(task_poll_again(&p, 1, 5000) == 1, "%s hears", (char *)arg);
	note('h');
	task_sleep(20);
}

/* One task still has the watcher for a descriptor that another one closed. */
static void
taken_over(void *arg)
{
	(void)arg;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		fatal("socketpair: %s", strerror(errno));
	start(other_with_number, (void *)"the first");
	task_sleep(5);
	(void)!write(pair[1], "", 1);
	task_sleep(5);
	task_forget(pair[0]);
	close(pair[0]);
	close(pair[1]);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		fatal("socketpair: %s", strerror(errno));
	start(other_with_number, (void *)"the second");
	task_sleep(5);
	(void)!write(pair[1], "", 1);
}

static void
numbers(void)
{
	forget_trace();
	start(number_again, NULL);
	task_loop();
	start(taken_over, NULL);
	task_loop();
	CHECK_STR(trace, "hh", "two tasks heard, one after the other");
	close(pair[0]);
	close(pair[1]);
}

/* ---- time ------------------------------------------------------------- */

static void
sleeper(void *arg)
{
	int ms = *(int *)arg;
	int64_t from_ms = clock_now_ms();

	task_sleep(ms);
	CHECK(clock_now_ms() - from_ms >= ms - 1, "sleeps %d ms", ms);
	note((char)('0' + ms / 100));
}

static void
long_then_short(void *arg)
{
	struct pollfd p = { .fd = pair[0], .events = POLLIN };
	int64_t from_ms = clock_now_ms();

	(void)arg;
	/* The first wait's timer is still set, and is due earlier. */
	(void)!write(pair[1], "", 1);
	task_poll(&p, 1, 30);
	CHECK(task_sleep(60) == 0 && clock_now_ms() - from_ms >= 59,
	    "an earlier wait's timer ends no later wait");
}

static void
times(void)
{
	/* Far apart: a busy machine starts one task long after another. */
	static int ms[] = { 400, 10, 200 };

	forget_trace();
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		fatal("socketpair: %s", strerror(errno));
	for (int i = 0; i < 3; i++)
		start(sleeper, &ms[i]);
	start(long_then_short, NULL);
	task_loop();
	CHECK_STR(trace, "024", "the shortest sleep ends first");
	close(pair[0]);
	close(pair[1]);
}

/* ---- waking ----------------------------------------------------------- */

static struct task *asleep;

static void
woken(void *arg)
{
	(void)arg;
	asleep = task_self();
	CHECK(task_sleep(60000) == -1 && errno == EINTR, "woken in a wait");
	task_wake(asleep);
	CHECK(task_sleep(60000) == -1 && errno == EINTR, "and before one");
	CHECK(task_sleep(1) == 0, "once");
}

static void
waker(void *arg)
{
	(void)arg;
	task_wake(asleep);
}

static int signals;

static void
on_signal(int sig)
{
	signals += sig == SIGUSR1;
	task_wake(asleep);
}

static void
signalled(void *arg)
{
	sigset_t set;

	(void)arg;
	asleep = task_self();
	sigprocmask(SIG_SETMASK, NULL, &set);
	CHECK(!sigismember(&set, SIGUSR1), "the loop lets the signal come");
	kill(getpid(), SIGUSR1);
	CHECK(task_sleep(60000) == -1 && signals == 1, "by a signal");
}

static void
waking(void)
{
	sigset_t set;

	start(woken, NULL);
	start(waker, NULL);
	task_loop();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	task_on_signal(SIGUSR1, on_signal);
	start(signalled, NULL);
	task_loop();
}

/* ---- the crew --------------------------------------------------------- */

static bool working;

static void
work(void *arg)
{
	struct timespec moment = { 0, 30 * 1000 * 1000 };

	CHECK(task_self() == NULL, "the crew is no task");
	nanosleep(&moment, NULL);
	*(int *)arg += 1;
}

static void
gives_work(void *arg)
{
	log_set_request("of-the-giver");
	working = true;
	task_offload(work, arg);
	working = false;
	CHECK(*(int *)arg == 1, "the work is done");
	CHECK_STR(log_get_request(), "of-the-giver",
	    "each task has its own request in the log");
}

static void
goes_on(void *arg)
{
	int *turns = arg;

	log_set_request("of-another");
	do {
		task_sleep(1);
		++*turns;
	} while (working);
}

static void
work_for_others(void)
{
	int done = 0, turns = 0;

	start(gives_work, &done);
	start(goes_on, &turns);
	task_loop();
	CHECK(turns >= 3, "others run meanwhile");
	task_offload(work, &done);
	CHECK(done == 2, "without a task it is done at once");
}

/* ---- many ------------------------------------------------------------- */

#define MANY 5000

/* A turn of 20 ms. */
static void
selfish(void *arg)
{
	int64_t end_ms = clock_now_ms() + 21;

	(void)arg;
	while (clock_now_ms() < end_ms)
		;
}

static int deep_sum;

static int
deeper(int n)
{
	volatile char room[256];

	room[0] = (char)n;
	return n == 0 ? 0 : deeper(n - 1) + (room[0] == (char)n);
}

static void
one_of_many(void *arg)
{
	int *count = arg;

	task_sleep(50);
	deep_sum += deeper(100);
	++*count;
}

static void
many(void)
{
	int count = 0;

	start(selfish, NULL);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < MANY; i++)
			start(one_of_many, &count);
		task_loop();
	}
	CHECK(count == 2 * MANY && deep_sum == 2 * MANY * 100,
	    "%d tasks at once, twice", MANY);
	CHECK(task_longest_ns() >= 20 * 1000 * 1000,
	    "the longest turn is measured");
}

int
main(void)
{
	struct pollfd p = { .fd = -1 };
	struct sigaction after;

	CHECK(task_poll(&p, 1, 1) == 0 && task_sleep(1) == 0,
	    "without a loop it is poll(2)");
	task_open();
	order();
	descriptors();
	numbers();
	times();
	waking();
	work_for_others();
	many();
	task_close();
	kill(getpid(), SIGUSR1);
	CHECK(sigaction(SIGUSR1, NULL, &after) == 0 &&
		after.sa_handler == SIG_IGN,
	    "without the loop its signals are ignored");
	return check_done();
}

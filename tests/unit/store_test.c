/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The store's client against a real engine, which is stopped, emptied of its
 * scripts, killed and started again.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/task.h"
#include "fleet/store.h"

#include "check.h"

static char dir[] = "/tmp/tailgate-store-XXXXXX", sock[64];
static struct config config;
static struct store *store;
static pid_t engine;
static unsigned nmessages, nmissed;

static struct store_script add = { .name = "add",
	.text = "return {ARGV[1], redis.call('INCRBY', KEYS[1], ARGV[2])}" };
static struct store_script flush = { .name = "flush",
	.text = "return redis.call('PUBLISH', KEYS[1], ARGV[2])" };

static void
engine_start(void)
{
	static const char *const names[] = { "valkey-server", "redis-server" };
	char out[80];
	int fd;

	if ((engine = fork()) != 0)
		return;
	snprintf(out, sizeof(out), "%s/engine.log", dir);
	fd = open(out, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, 1);
	dup2(fd, 2);
	for (size_t i = 0; i < 2; i++)
		execlp(names[i], names[i], "--port", "0", "--unixsocket", sock,
		    "--save", "", "--dir", dir, (char *)NULL);
	_exit(77);
}

static void
engine_end(void)
{
	kill(engine, SIGKILL);
	waitpid(engine, NULL, 0);
	unlink(sock);
}

static bool
wait_up(bool up)
{
	int64_t until_ms = clock_now_ms() + 20000;

	while (store_is_up(store) != up && clock_now_ms() < until_ms)
		task_sleep(5);
	return store_is_up(store) == up;
}

static enum store_result
call(int64_t *n, char run[41])
{
	char name[STORE_KEY_SIZE], number[STORE_NUMBER_SIZE];
	struct span key = store_key(store, name, "test", "a", NULL);
	struct span arg = store_number(number, 2);
	struct store_reply *reply;
	enum store_result r;

	r = store_eval(store, &add, &key, 1, &arg, 1, &reply);
	*n = store_reply_int(store_reply_at(reply, 1), -1);
	strlcpy(run, store_reply_text(store_reply_at(reply, 0)).p, 41);
	store_reply_free(reply);
	return r;
}

static void
on_message(void *ctx, struct span message)
{
	(void)ctx;
	if (message.p == NULL)
		nmissed++;
	else
		nmessages++;
}

static void
test_calls(void)
{
	char run[41], name[STORE_KEY_SIZE];
	int64_t n;

	store_key(store, name, "test", "a", "x");
	CHECK_STR(name, "tailgate:{test:a}:x", "a name has one hash tag");
	CHECK(call(&n, run) == STORE_OK, "a script runs");
	CHECK(n == 2, "its reply comes");
	CHECK(strlen(run) == 40, "it has the engine's run");
	CHECK(call(&n, run) == STORE_OK, "it runs by its digest");
	CHECK(n == 4, "on the same data");
}

/* Two that were begun together; the second reply is read first. */
static void
test_together(void)
{
	struct span key = span_of("together"), one = span_of("1");
	struct store_call *first, *second;
	struct store_reply *of_first, *of_second;

	first = store_begin(store, &add, &key, 1, &one, 1);
	second = store_begin(store, &add, &key, 1, &one, 1);
	task_sleep(20); /* nothing waits for them meanwhile */
	CHECK(store_wait(store, second, &of_second) == STORE_OK &&
		store_wait(store, first, &of_first) == STORE_OK,
	    "two calls at once");
	CHECK(store_reply_int(store_reply_at(of_first, 1), 0) == 1 &&
		store_reply_int(store_reply_at(of_second, 1), 0) == 2,
	    "are done in their order");
	store_reply_free(of_first);
	store_reply_free(of_second);
	first = store_begin(store, &add, &key, 1, &one, 1);
	CHECK(store_tell(store, &add, &key, 1, &one, 1) == STORE_OK,
	    "a call that nobody waits for");
	CHECK(store_wait(store, first, &of_first) == STORE_OK,
	    "does not end another's wait");
	store_reply_free(of_first);
	CHECK(store_wait(store, NULL, &of_first) == STORE_AWAY,
	    "what was not begun is away");
}

static void
test_messages(void)
{
	struct span key = span_of("channel"), word = span_of("hello");
	int64_t until_ms = clock_now_ms() + 5000;
	struct store_facts facts;

	for (;;) {
		store_facts(store, &facts);
		if (facts.listens || clock_now_ms() >= until_ms)
			break;
		task_sleep(5);
	}
	CHECK(
	    nmissed == 1, "a subscription says once that messages were missed");
	CHECK(store_tell(store, &flush, &key, 1, &word, 1) == STORE_OK,
	    "a script publishes");
	while (nmessages == 0 && clock_now_ms() < until_ms)
		task_sleep(1);
	CHECK(nmessages == 1, "and its message comes");
}

/* A script that the engine has lost is sent again. */
static void
test_forgotten(void)
{
	static struct store_script forget = { .name = "forget",
		.text = "redis.call('SET', KEYS[1], '1')" };
	struct span key = span_of("forget");
	char command[256], run[41];
	struct store_reply *reply;
	int64_t n;

	snprintf(command, sizeof(command),
	    "redis-cli -s %s script flush >/dev/null 2>&1 || "
	    "valkey-cli -s %s script flush >/dev/null 2>&1",
	    sock, sock);
	CHECK(system(command) == 0, "the engine forgets its scripts");
	CHECK(call(&n, run) == STORE_OK, "a script is sent again");
	CHECK(n == 6, "once");
	CHECK(store_eval(store, &forget, &key, 1, NULL, 0, &reply) == STORE_OK,
	    "a new one runs");
	store_reply_free(reply);
}

/* The first call waits for the timeout, the next ones for nothing. */
static void
test_stopped(void)
{
	int64_t n, began_ms = clock_now_ms();
	char run[41];
	int away = 0;

	kill(engine, SIGSTOP);
	waitpid(engine, NULL, WUNTRACED);
	CHECK(call(&n, run) == STORE_LOST, "a stopped engine gives no reply");
	CHECK(clock_now_ms() - began_ms >= config.store.timeout_ms,
	    "after the timeout");
	began_ms = clock_now_ms();
	for (int i = 0; i < 100; i++)
		away += call(&n, run) == STORE_AWAY;
	CHECK(away == 100, "the next calls fail");
	CHECK(clock_now_ms() - began_ms < config.store.timeout_ms, "at once");
	kill(engine, SIGCONT);
	CHECK(wait_up(true), "a continued engine is used again");
	CHECK(call(&n, run) == STORE_OK, "the next call runs");
	CHECK(n == 10, "the lost one ran as well");
}

static void
test_killed(void)
{
	struct span key = span_of("together"), one = span_of("1");
	struct store_call *begun;
	struct store_reply *reply;
	int64_t n, cpu_ns;
	char before[41], run[41];

	CHECK(call(&n, before) == STORE_OK, "a last call");
	begun = store_begin(store, &add, &key, 1, &one, 1);
	engine_end();
	CHECK(wait_up(false), "a killed engine is noticed");
	CHECK(store_wait(store, begun, &reply) == STORE_LOST,
	    "what was begun before is lost");
	CHECK(call(&n, run) == STORE_AWAY, "a call fails");
	cpu_ns = clock_cpu_ns();
	task_sleep(500);
	CHECK(clock_cpu_ns() - cpu_ns < 100000000,
	    "nothing spins while it is away");
	engine_start();
	CHECK(wait_up(true), "another engine is found");
	CHECK(call(&n, run) == STORE_OK, "and used");
	CHECK(n == 2, "it begins anew");
	CHECK(strcmp(run, before) != 0, "its run is another");
}

static void
test_all(void *ctx)
{
	(void)ctx;
	store_start(store);
	wait_up(true);
	test_calls();
	test_together();
	test_messages();
	test_forgotten();
	test_stopped();
	test_killed();
	store_end(store);
}

int
main(void)
{
	struct stat st;

	if (system("command -v redis-server >/dev/null || "
		   "command -v valkey-server >/dev/null") != 0)
		return getenv("TAILGATE_CI") == NULL ? 77 : 1;
	if (mkdtemp(dir) == NULL)
		return 99;
	snprintf(sock, sizeof(sock), "%s/sock", dir);
	log_set_level(LOG_LEVEL_ERROR);
	config.store = (struct store_settings){ .url = "unix:",
		.path = sock,
		.prefix = "tailgate",
		.timeout_ms = 250 };
	engine_start();
	while (stat(sock, &st) == -1 && waitpid(engine, NULL, WNOHANG) == 0)
		usleep(10000);
	task_open();
	store = store_new(&config);
	store_listen(store, "channel", on_message, NULL);
	if (task_start(test_all, NULL) == -1)
		return 99;
	task_loop();
	store_free(store);
	task_close();
	engine_end();
	return check_done();
}

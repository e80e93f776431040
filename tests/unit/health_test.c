/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The providers' rows over time, threads, processes and crashes.  The test's
 * own clock replaces base/clock.c, and moves when the test says so.
 */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "state/circuit.h"
#include "state/health.h"
#include "state/learned.h"
#include "check.h"
#include "directory.h"

#define THREADS 50
#define COOLDOWN 5000
#define BEFORE_MS INT64_C(1000000)

static _Atomic int64_t now_ms = BEFORE_MS;

int64_t
clock_now_ns(void)
{
	return now_ms * 1000000;
}

int64_t
clock_boot_ms(void)
{
	return now_ms;
}

int64_t
clock_wall_ms(void)
{
	return INT64_C(1800000000000) + now_ms;
}

static struct provider providers[3];
static struct config config;
static char dir[] = "/tmp/health_test.XXXXXX";

static void
config_make(void)
{
	static const char *const names[] = { "gpu", "cloud", "other" };

	for (size_t i = 0; i < 3; i++)
		providers[i] = (struct provider){
			.name = names[i],
			.index = i,
			.timeouts = { .connect_ms = 2000,
			    .first_byte_ms = 60000 },
			.circuit = { .failures = 3,
			    .cooldown_ms = COOLDOWN,
			    .cooldown_max_ms = 40000 },
			.learn = true,
		};
	config = (struct config){
		.runtime_dir = dir,
		.providers = providers,
		.nproviders = 3,
	};
}

static struct health *
opened(void)
{
	char why[256] = "";
	struct health *h = health_open(&config, why, sizeof(why));

	if (h == NULL) {
		printf("Bail out! %s\n", why);
		_exit(99);
	}
	return h;
}

static bool
admit(struct health *h, size_t i, bool *trial)
{
	int64_t open_ms;

	return health_admit(h, &providers[i], trial, &open_ms);
}

static void
outcome(struct health *h, size_t i, bool trial, enum health_outcome what)
{
	health_begin(h, &providers[i]);
	health_report(h, &providers[i], trial, what, 0, -1);
}

static void
fail_open(struct health *h, size_t i)
{
	for (int n = 0; n < 3; n++)
		outcome(h, i, false, HEALTH_CONNECT);
}

/* Closes the circuit again, for the next test. */
static void
mend(struct health *h, size_t i)
{
	outcome(h, i, false, HEALTH_OK);
}

static const char *
state_of(struct health *h, size_t i)
{
	struct health_row row;

	health_row(h, &providers[i], &row);
	return row.state;
}

static unsigned
in_flight(struct health *h, size_t i)
{
	struct facts_provider facts[3];
	struct health_row row;

	now_ms += 1000;
	health_facts(h, facts);
	health_row(h, &providers[i], &row);
	CHECK(facts[i].in_flight == row.in_flight,
	    "facts and row agree on what is in flight");
	return row.in_flight;
}

static void
test_transitions(struct health *h)
{
	struct facts_provider facts[3];
	struct health_row row;
	int64_t open_ms;
	bool trial;

	CHECK(admit(h, 0, &trial) && !trial, "a new provider is admitted");
	outcome(h, 0, false, HEALTH_ERROR);
	outcome(h, 0, false, HEALTH_TIMEOUT);
	CHECK_STR(state_of(h, 0), "closed", "two failures of three");
	outcome(h, 0, false, HEALTH_CONNECT);
	CHECK(!health_admit(h, &providers[0], &trial, &open_ms) && !trial &&
		open_ms == COOLDOWN,
	    "three failures keep requests out for the cooldown");
	health_row(h, &providers[0], &row);
	CHECK_STR(row.state, "open", "the row says so");
	CHECK(row.failures == 3 && row.last_error == HEALTH_CONNECT &&
		row.last_error_wall_ms == clock_wall_ms() &&
		row.since_wall_ms == clock_wall_ms() &&
		row.open_ms == COOLDOWN && row.requests == 3 && row.errors == 3,
	    "with failures, last error, times and counts");
	health_facts(h, facts);
	CHECK(facts[0].open_ms == COOLDOWN && facts[1].open_ms == 0,
	    "the facts know it, and of this provider only");
	CHECK(admit(h, 1, &trial), "another provider is not concerned");
	now_ms += COOLDOWN;
	health_facts(h, facts);
	CHECK(facts[0].open_ms == -1, "its time over, a trial is due");
	CHECK_STR(state_of(h, 0), "half-open", "half open");
	CHECK(admit(h, 0, &trial) && trial, "the first one is the trial");
	CHECK(!admit(h, 0, &trial), "the second waits");
	health_facts(h, facts);
	CHECK(facts[0].open_ms > 0, "the facts keep others away meanwhile");
	outcome(h, 0, true, HEALTH_ERROR);
	health_admit(h, &providers[0], &trial, &open_ms);
	CHECK(open_ms == (int64_t)2 * COOLDOWN,
	    "a failed trial doubles the time");
	now_ms += (int64_t)2 * COOLDOWN;
	CHECK(admit(h, 0, &trial) && trial, "the next trial");
	outcome(h, 0, true, HEALTH_OK);
	CHECK(admit(h, 0, &trial) && !trial, "answered: closed");
	health_row(h, &providers[0], &row);
	CHECK(row.failures == 0 && row.since_wall_ms == clock_wall_ms(),
	    "the count starts anew, since now");
}

static void
test_answered(struct health *h)
{
	bool trial, other;

	fail_open(h, 0);
	now_ms += COOLDOWN;
	CHECK(admit(h, 0, &trial) && trial, "a trial that streams for long");
	health_begin(h, &providers[0]);
	health_answered(h, &providers[0], trial);
	CHECK(admit(h, 0, &other) && !other,
	    "lets the others in with its first byte");
	health_report(h, &providers[0], trial, HEALTH_OK, 0, 5);
	CHECK_STR(state_of(h, 0), "closed", "and ends in peace");
}

static void
test_limits(struct health *h)
{
	int64_t open_ms;
	bool trial;

	health_begin(h, &providers[1]);
	health_report(h, &providers[1], false, HEALTH_RATE_LIMITED, 7000, 3);
	health_admit(h, &providers[1], &trial, &open_ms);
	CHECK(open_ms == 7000, "a 429 keeps out for its Retry-After");
	health_begin(h, &providers[1]);
	health_report(h, &providers[1], false, HEALTH_OK, 0, 3);
	CHECK(!admit(h, 1, &trial), "whatever was under way before");
	now_ms += 7000;
	CHECK(admit(h, 1, &trial) && trial, "then one tries");
	outcome(h, 1, trial, HEALTH_OK);
	outcome(h, 1, false, HEALTH_LOADING);
	health_admit(h, &providers[1], &trial, &open_ms);
	CHECK(open_ms == CIRCUIT_LOADING_MS, "a loading model: a moment");
	now_ms += CIRCUIT_LOADING_MS;
	CHECK(admit(h, 1, &trial) && trial, "and asked again");
	outcome(h, 1, trial, HEALTH_OK);
	providers[1].circuit.failures = 0;
	for (int i = 0; i < 50; i++)
		outcome(h, 1, false, HEALTH_ERROR);
	CHECK(admit(h, 1, &trial) && !trial, "failures = 0 never opens");
	providers[1].circuit.failures = 3;
	mend(h, 1);
}

static void
latency(struct health *h, int64_t ms, int times)
{
	while (times-- > 0) {
		health_begin(h, &providers[2]);
		health_report(h, &providers[2], false, HEALTH_OK, 0, ms);
	}
}

static int64_t
report_model(struct health *h, size_t i, const char *model,
    enum health_outcome what, int64_t ms)
{
	health_begin(h, &providers[i]);
	health_model_report(h, &providers[i], model, what, ms);
	health_report(h, &providers[i], false, what, ms, -1);
	return health_model_open_ms(h, &providers[i], model);
}

static size_t
held(struct health *h)
{
	struct facts facts = { 0 };
	struct arena *arena = arena_new();

	health_held_facts(h, arena, &facts);
	arena_free(arena);
	return facts.nheld;
}

static void
show_held(void *ctx, const struct health_held *row)
{
	struct buf *out = ctx;

	buf_printf(out, "%s:%s:%lld ", row->model,
	    health_outcome_name(row->why), (long long)row->open_ms);
}

/* In the state that test_models() has left. */
static void
test_held_shown(struct health *h)
{
	static const char *const shown[] = {
		"b:one model rate limited:7000 ",
		"a:one model rate limited:7000 b:one model loading:2000 "
		"c:one model rate limited:5000 d:one model rate limited:5000 ",
		"",
	};

	for (size_t i = 0; i < 3; i++) {
		struct buf out;

		buf_init(&out, 4096);
		buf_puts(&out, "");
		health_each_held(h, &providers[i], show_held, &out);
		CHECK_STR(
		    out.p, shown[i], "what people see of provider %zu", i);
		buf_free(&out);
	}
}

/* Trouble with one model does not affect the others. */
static void
test_models(struct health *h)
{
	static const struct {
		const char *name;
		enum health_outcome outcome;
		int64_t retry_ms, held_ms;
	} rows[] = {
		{ "a 429", HEALTH_MODEL_LIMITED, 7000, 7000 },
		{ "a 429 beyond cooldown_max", HEALTH_MODEL_LIMITED, 99000,
		    40000 },
		{ "a 429 without a time", HEALTH_MODEL_LIMITED, 0, 0 },
		{ "loading", HEALTH_MODEL_LOADING, 0, FACTS_LOADING_MS },
		{ "no such model", HEALTH_NO_MODEL, 0, 0 },
		{ "an error", HEALTH_ERROR, 7000, 0 },
	};
	bool trial;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CHECK(report_model(h, 1, "a", rows[i].outcome,
			  rows[i].retry_ms) == rows[i].held_ms,
		    "%s: the model is held", rows[i].name);
		CHECK(health_model_open_ms(h, &providers[1], "b") == 0 &&
			health_model_open_ms(h, &providers[0], "a") == 0 &&
			admit(h, 1, &trial) && !trial,
		    "%s: others are not", rows[i].name);
		CHECK(held(h) == (rows[i].held_ms > 0), "%s: facts",
		    rows[i].name);
		now_ms += rows[i].held_ms;
		CHECK(health_model_open_ms(h, &providers[1], "a") == 0 &&
			held(h) == 0,
		    "%s: and then it may be asked", rows[i].name);
		mend(h, 1);
	}

	report_model(h, 1, "a", HEALTH_MODEL_LIMITED, 7000);
	report_model(h, 0, "b", HEALTH_MODEL_LIMITED, 7000);
	report_model(h, 1, "b", HEALTH_MODEL_LOADING, 0);
	report_model(h, 1, "a", HEALTH_MODEL_LIMITED, 7000);
	CHECK(admit(h, 1, &trial) && !trial,
	    "one model twice, another that loads, another provider's");
	report_model(h, 1, "c", HEALTH_MODEL_LIMITED, 5000);
	report_model(h, 1, "d", HEALTH_MODEL_LIMITED, 5000);
	CHECK(admit(h, 1, &trial) && !trial,
	    "three models limited one after the other: a fourth may go");
	test_held_shown(h);
	now_ms += 7000;
	CHECK(held(h) == 0, "and all of them after their times");

	for (int i = 0; i < 2000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "m%d", i);
		report_model(h, 2, name, HEALTH_MODEL_LOADING, 0);
	}
	CHECK(held(h) <= 256 &&
		health_model_open_ms(h, &providers[2], "m1999") > 0,
	    "more models than rows: the last ones are held");
	now_ms -= 900000;
	CHECK(health_model_open_ms(h, &providers[2], "m1999") == 0,
	    "a time from before a reboot holds nobody");
	now_ms += 900000 + FACTS_LOADING_MS;
}

/* How long a key that was limited without a time is left alone. */
static int64_t
key_rests(struct health *h)
{
	int64_t rest_ms;

	health_key_rest(h, &providers[1], 0, "a", HEALTH_RATE_LIMITED, 0);
	CHECK(health_key(h, &providers[1], "a", 1u << 1, &rest_ms) == -1,
	    "the only key that is left rests");
	return rest_ms;
}

/* The time grows with each failure in a row, and starts again after a quiet
 * time. */
static void
test_key_rests(struct health *h)
{
	int64_t most_ms = providers[1].circuit.cooldown_max_ms;

	providers[1].nkeys = 2;
	for (int round = 0; round < 2; round++) {
		for (int64_t ms = COOLDOWN; ms < most_ms; ms *= 2) {
			int64_t rest_ms = key_rests(h);

			CHECK(rest_ms == ms,
			    "round %d: rests for %lld ms: %lld", round,
			    (long long)ms, (long long)rest_ms);
			now_ms += ms;
		}
		now_ms += most_ms;
	}
	providers[1].nkeys = 0;
}

static void
test_latency(struct health *h)
{
	struct facts_provider facts[3];
	struct health_row row;

	health_row(h, &providers[2], &row);
	CHECK(row.first_byte_p50_ms == -1, "no answer yet: not known");
	latency(h, 0, 1);
	health_row(h, &providers[2], &row);
	CHECK(row.first_byte_p50_ms == 0, "less than a millisecond is known");
	latency(h, 100, 5);
	latency(h, 90000, 2);
	health_row(h, &providers[2], &row);
	CHECK(row.first_byte_p50_ms == 100, "the middle, not the mean");
	latency(h, 250, 40);
	health_facts(h, facts);
	CHECK(facts[2].first_byte_ms == 250, "what is long ago is forgotten");
	for (int i = 0; i < 100; i++) {
		health_begin(h, &providers[2]);
		health_report(
		    h, &providers[2], false, HEALTH_RATE_LIMITED, 0, 1);
	}
	health_row(h, &providers[2], &row);
	CHECK(row.first_byte_p50_ms == 250,
	    "a quick refusal does not make it fast");
	latency(h, INT64_MAX, 40);
	health_row(h, &providers[2], &row);
	CHECK(row.first_byte_p50_ms == UINT32_MAX - 1, "nothing overflows");
}

struct crowd {
	struct health *h;
	pthread_barrier_t *barrier;
	_Atomic int *admitted, *trials;
};

static void *
crowd_thread(void *arg)
{
	struct crowd *c = arg;
	bool trial;

	pthread_barrier_wait(c->barrier);
	if (admit(c->h, 0, &trial))
		atomic_fetch_add(c->admitted, 1);
	if (trial)
		atomic_fetch_add(c->trials, 1);
	return NULL;
}

static void
crowd_run(struct crowd *c, size_t n)
{
	pthread_t threads[THREADS];

	for (size_t i = 0; i < n; i++)
		pthread_create(&threads[i], NULL, crowd_thread, c);
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

static void
test_one_trial_of_threads(struct health *h)
{
	_Atomic int admitted = 0, trials = 0;
	pthread_barrier_t barrier;
	struct crowd crowd = { h, &barrier, &admitted, &trials };

	fail_open(h, 0);
	now_ms += COOLDOWN;
	pthread_barrier_init(&barrier, NULL, THREADS);
	crowd_run(&crowd, THREADS);
	pthread_barrier_destroy(&barrier);
	CHECK(admitted == 1 && trials == 1,
	    "one of %d threads is let through, as the trial", THREADS);
	mend(h, 0);
}

struct shared {
	pthread_barrier_t barrier;
	_Atomic int admitted, trials;
};

static struct shared *
shared_new(unsigned parties)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_barrierattr_t attr;

	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&s->barrier, &attr, parties);
	pthread_barrierattr_destroy(&attr);
	return s;
}

/* Waits until the pipe's other end is written to or closed. */
static void
wait_for(int fd)
{
	char c;

	while (read(fd, &c, 1) == -1)
		continue;
}

static void
crowd_child(struct shared *s, size_t threads, int ready, int end)
{
	struct crowd crowd = { opened(), &s->barrier, &s->admitted,
		&s->trials };

	crowd_run(&crowd, threads);
	close(ready);
	wait_for(end);
	_exit(0);
}

static void
test_one_trial_of_processes(struct health *h)
{
	struct shared *s = shared_new(4 * 13);
	int ready[2], end[2];
	pid_t pids[4];
	bool trial;

	fail_open(h, 0);
	now_ms += COOLDOWN;
	if (pipe(ready) == -1 || pipe(end) == -1)
		_exit(99);
	fflush(stdout);
	for (int i = 0; i < 4; i++)
		if ((pids[i] = fork()) == 0) {
			close(end[1]);
			crowd_child(s, 13, ready[1], end[0]);
		}
	close(ready[1]);
	wait_for(ready[0]);
	CHECK(s->admitted == 1 && s->trials == 1,
	    "one of 52 threads in 4 processes is let through");
	CHECK(!admit(h, 0, &trial), "and nobody else while it lives");
	close(end[1]);
	for (int i = 0; i < 4; i++)
		waitpid(pids[i], NULL, 0);
	now_ms += 1000;
	CHECK(admit(h, 0, &trial) && trial,
	    "its process gone without a word, the next one tries");
	outcome(h, 0, trial, HEALTH_OK);
	close(ready[0]);
	close(end[0]);
	munmap(s, sizeof(*s));
}

/* A child that has run `what` and reports it; then it waits to be killed. */
static pid_t
child_with(void (*what)(struct health *))
{
	int ready[2];
	pid_t pid;

	if (pipe(ready) == -1)
		_exit(99);
	fflush(stdout);
	if ((pid = fork()) == 0) {
		what(opened());
		if (write(ready[1], "x", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	wait_for(ready[0]);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void
kill_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void
child_takes_trial(struct health *h)
{
	bool trial;

	if (!admit(h, 0, &trial) || !trial)
		_exit(1);
}

static void
child_begins(struct health *h)
{
	for (int i = 0; i < 3; i++)
		health_begin(h, &providers[0]);
	health_begin(h, &providers[1]);
}

static void
child_nothing(struct health *h)
{
	(void)h;
}

static void
test_crash_of_trial(struct health *h)
{
	bool trial;
	pid_t pid;

	fail_open(h, 0);
	now_ms += COOLDOWN;
	pid = child_with(child_takes_trial);
	CHECK(!admit(h, 0, &trial), "the trial is out in another process");
	kill_child(pid);
	now_ms += 500; /* its last check said alive */
	CHECK(admit(h, 0, &trial) && trial, "killed: the next one tries");
	outcome(h, 0, trial, HEALTH_OK);

	fail_open(h, 0);
	now_ms += COOLDOWN;
	kill_child(child_with(child_takes_trial));
	pid = child_with(child_nothing);
	CHECK(admit(h, 0, &trial) && trial, "also where its index lives again");
	outcome(h, 0, trial, HEALTH_OK);
	kill_child(pid);
}

static void
test_crash_in_flight(struct health *h)
{
	pid_t pid, heir;

	health_begin(h, &providers[0]);
	pid = child_with(child_begins);
	CHECK(in_flight(h, 0) == 4, "in flight over two processes");
	CHECK(in_flight(h, 1) == 1, "each provider for itself");
	kill_child(pid);
	CHECK(in_flight(h, 0) == 1, "a killed process has nothing in flight");
	heir = child_with(child_nothing);
	CHECK(in_flight(h, 0) == 1 && in_flight(h, 1) == 0,
	    "nor has the next one of its index");
	kill_child(heir);
	health_report(h, &providers[0], false, HEALTH_ABANDONED, 0, -1);
	CHECK(in_flight(h, 0) == 0, "reported: no longer");
	health_report(h, &providers[0], false, HEALTH_ABANDONED, 0, -1);
	CHECK(in_flight(h, 0) == 0, "a report without a begin takes nothing");
}

struct late {
	struct health *h;
	pthread_barrier_t barrier;
	bool trial;
};

static void *
late_thread(void *arg)
{
	struct late *late = arg;

	admit(late->h, 0, &late->trial);
	pthread_barrier_wait(&late->barrier);
	pthread_barrier_wait(&late->barrier);
	health_report(
	    late->h, &providers[0], late->trial, HEALTH_ABANDONED, 0, -1);
	return NULL;
}

/* A trial may need 2 s to connect and 60 s to the first byte. */
static void
test_lease(struct health *h)
{
	struct late late = { .h = h };
	pthread_t thread;
	bool trial;

	fail_open(h, 0);
	now_ms += COOLDOWN;
	pthread_barrier_init(&late.barrier, NULL, 2);
	pthread_create(&thread, NULL, late_thread, &late);
	pthread_barrier_wait(&late.barrier);
	CHECK(late.trial, "a trial that never reports");
	now_ms += 62000;
	CHECK(!admit(h, 0, &trial), "is waited for as long as it may take");
	now_ms += 60000;
	CHECK(admit(h, 0, &trial) && trial, "and no longer");
	pthread_barrier_wait(&late.barrier);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&late.barrier);
	CHECK(!admit(h, 0, &trial), "it does not give back the next one's");
	health_report(h, &providers[0], true, HEALTH_ABANDONED, 0, -1);
	CHECK(admit(h, 0, &trial) && trial, "which gives back its own");
	outcome(h, 0, trial, HEALTH_OK);
}

static void
test_reordered(struct health *h)
{
	struct provider saved = providers[0];
	struct health *again;

	fail_open(h, 0);
	providers[0] = providers[2];
	providers[2] = saved;
	providers[0].index = 0;
	providers[2].index = 2;
	again = opened();
	CHECK_STR(
	    state_of(again, 2), "open", "a provider that moved keeps its row");
	CHECK_STR(state_of(again, 0), "closed",
	    "and so does the one now in its place");
	mend(again, 2);
	health_close(again);
	config_make();
}

static void
test_many_names(void)
{
	static struct provider many[CONFIG_PROVIDERS_MAX];
	static char names[CONFIG_PROVIDERS_MAX][40];
	struct config big = config;
	struct health *h = NULL;
	struct health_row row;
	char why[256] = "";
	bool clean = true;

	big.providers = many;
	big.nproviders = CONFIG_PROVIDERS_MAX;
	for (int round = 0; round < 5; round++) {
		now_ms += 1000;
		for (size_t i = 0; i < CONFIG_PROVIDERS_MAX; i++) {
			snprintf(
			    names[i], sizeof(names[i]), "p%d.%zu", round, i);
			many[i] = providers[0];
			many[i].name = names[i];
			many[i].index = i;
		}
		health_close(h);
		h = health_open(&big, why, sizeof(why));
		for (size_t i = 0; h != NULL && i < big.nproviders; i++) {
			health_row(h, &many[i], &row);
			clean = clean && row.requests == 0;
			health_begin(h, &many[i]);
			health_report(h, &many[i], false, HEALTH_ERROR, 0, -1);
			health_row(h, &many[i], &row);
			clean = clean && row.requests == 1;
		}
	}
	CHECK(h != NULL && clean,
	    "1280 names in turn: rows long unused are used again, clean");
	health_close(h);
}

static void
test_turn(struct health *h)
{
	struct model a = { .id = "chat" }, b = { .id = "notes" };
	struct health *again = opened();
	uint32_t first = health_rotate(h, &a), other = health_rotate(h, &b);

	CHECK(health_rotate(again, &a) == first + 1 &&
		health_rotate(h, &a) == first + 2,
	    "each call gets the next turn, whoever asks");
	CHECK(health_rotate(h, &b) == other + 1, "each model has its own");
	health_close(again);
}

static void
put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (f == NULL || fputs(text, f) == EOF || fclose(f) == EOF)
		_exit(99);
}

static size_t
learned_from(const char *text)
{
	struct facts_learned *facts;
	size_t n;

	put("learned.json", text);
	n = learned_load(&config, &facts);
	free(facts);
	return n;
}

static void
test_learned(void)
{
	struct facts_learned in[] = {
		{ .provider = &providers[0],
		    .model = "qwen \"3\" \xe6\x97\xa5",
		    .context = 32768,
		    .images = TRI_YES,
		    .tools = TRI_NO },
		{ .provider = &providers[1], .model = "m" },
	};
	struct facts_learned *out;
	uint64_t stamp;
	size_t n;

	CHECK(learned_load(&config, &out) == 0 && out == NULL &&
		learned_stamp(&config) == 0,
	    "nothing learned yet");
	CHECK(learned_store(&config, in, 2) == 0, "stored");
	stamp = learned_stamp(&config);
	n = learned_load(&config, &out);
	CHECK(n == 2 && out[0].provider == &providers[0] &&
		out[0].context == 32768 && out[0].images == TRI_YES &&
		out[0].tools == TRI_NO && out[0].audio == TRI_UNSET &&
		out[1].context == 0,
	    "and loaded as it was");
	CHECK_STR(
	    n > 0 ? out[0].model : NULL, in[0].model, "with the model's name");
	free(out);
	CHECK(learned_store(&config, in, 1) == 0 &&
		learned_stamp(&config) != stamp && stamp != 0,
	    "another file has another stamp");
	providers[0].learn = false;
	CHECK(learned_load(&config, &out) == 0,
	    "not for a provider that is not to learn");
	providers[0].learn = true;
}

static void
test_learned_hostile(void)
{
	struct facts_learned *out;
	char path[128];

	CHECK(learned_from("") == 0, "an empty file");
	CHECK(
	    learned_from("{\"version\": 1, \"learned\": [") == 0, "a cut one");
	CHECK(learned_from("[1, 2]") == 0, "an array");
	CHECK(learned_from("{\"version\": 2, \"learned\": [{\"provider\": "
			   "\"gpu\", \"model\": \"m\"}]}") == 0,
	    "another version");
	CHECK(learned_from("{\"version\": 1, \"learned\": {\"gpu\": 1}}") == 0,
	    "an object for the list");
	CHECK(learned_from(
		  "{\"version\": 1, \"learned\": [7, null, {}, "
		  "{\"provider\": \"nobody\", \"model\": \"m\"}, "
		  "{\"provider\": \"gpu\"}, "
		  "{\"provider\": \"gpu\", \"model\": \"\"}, "
		  "{\"provider\": \"gpu\", \"model\": 7}, "
		  "{\"provider\": \"gpu\", \"model\": \"m\", \"context\": -1}, "
		  "{\"provider\": \"gpu\", \"model\": \"m\", \"context\": "
		  "\"9\"}, "
		  "{\"provider\": \"gpu\", \"model\": \"m\", \"context\": "
		  "9000000000000000000}, "
		  "{\"provider\": \"gpu\", \"model\": \"good\", \"context\": "
		  "9}]}") == 1,
	    "of eleven rows the one that holds");
	snprintf(path, sizeof(path), "%s/learned.json", dir);
	put("elsewhere.json",
	    "{\"version\": 1, \"learned\": [{\"provider\": \"gpu\", "
	    "\"model\": \"m\"}]}");
	unlink(path);
	if (symlink("elsewhere.json", path) == -1)
		_exit(99);
	CHECK(learned_load(&config, &out) == 0,
	    "nothing is read through a symbolic link");
	unlink(path);
	if (mkfifo(path, 0600) == -1)
		_exit(99);
	CHECK(learned_load(&config, &out) == 0,
	    "nor from a pipe, nor does it wait for one");
	unlink(path);
}

static void
test_no_directory(void)
{
	struct config bad = config;
	char why[256] = "";

	bad.runtime_dir = "/nonexistent/tailgate";
	CHECK(health_open(&bad, why, sizeof(why)) == NULL && why[0] != '\0',
	    "no directory: said why");
}

int
main(void)
{
	struct health *h;

	if (mkdtemp(dir) == NULL)
		return 99;
	log_open("health_test", false, LOG_LEVEL_ERROR);
	config_make();
	h = opened();
	test_transitions(h);
	test_answered(h);
	test_limits(h);
	test_models(h);
	test_key_rests(h);
	test_latency(h);
	test_one_trial_of_threads(h);
	test_one_trial_of_processes(h);
	test_crash_of_trial(h);
	test_crash_in_flight(h);
	test_lease(h);
	test_reordered(h);
	test_turn(h);
	test_learned();
	test_learned_hostile();
	test_no_directory();
	health_close(h);
	test_many_names();
	directory_remove(dir);
	return check_done();
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Slots: taking and releasing, order, fairness, deadlines, clients that leave,
 * processes that die or stop, and directories in a wrong state.
 * tests/slots_load.c tests what shows only under load.
 */
#include "config.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "state/process.h"
#include "state/slots.h"
#include "../slots_poll.h"

#include "check.h"

#define WAITERS_MAX 64
#define PATIENCE_MS 20000

static char dir[64], why[1200];
static struct limit limits[2];
static struct config config;
static struct slots *slots;

static void
nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* tests/slots.sh runs all of this without wake-ups, too. */
static struct slots *
open_slots(const struct config *c)
{
	struct slots *s = slots_open(c, why, sizeof(why));

	if (s != NULL && getenv("TAILGATE_SLOTS_POLL") != NULL)
		slots_poll_only(s);
	return s;
}

static void
begin(unsigned nslots, unsigned queue, unsigned per_client)
{
	remove_tree(dir);
	process_close();
	limits[0] = (struct limit){ .name = "gpu",
		.slots = nslots,
		.queue = queue,
		.per_client = per_client };
	config = (struct config){
		.runtime_dir = dir, .limits = limits, .nlimits = 1
	};
	slots = open_slots(&config);
	if (slots == NULL) {
		printf("Bail out! slots_open: %s\n", why);
		exit(99);
	}
}

static void
finish(void)
{
	slots_close(slots);
	slots = NULL;
}

static enum slots_result
take(const char *client, int64_t wait_ms, struct slots_lease *lease)
{
	struct slots_ask ask = { .limit = &limits[0],
		.client = client,
		.request_id = "req-1",
		.model = "qwen",
		.priority = 10,
		.deadline_ms = clock_now_ms() + wait_ms };

	return slots_take(slots, &ask, lease);
}

static struct facts_limit
facts(void)
{
	struct facts_limit f[2] = { { .used = 0 } };

	slots_facts(slots, f);
	return f[0];
}

/* --- Waiters in threads --------------------------------------------------- */

struct waiter {
	pthread_t thread;
	const char *client;
	unsigned priority;
	int64_t wait_ms;
	struct watch watch;
	enum slots_result result;
	struct slots_lease lease;
	unsigned served; /* order of service: 1 is the first */
};

static struct waiter waiters[WAITERS_MAX];
static pthread_mutex_t served_mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned nserved;

static void *
wait_and_note(void *arg)
{
	struct waiter *w = arg;
	struct slots_ask ask = { .limit = &limits[0],
		.client = w->client,
		.request_id = "waiting",
		.model = "m",
		.priority = w->priority,
		.deadline_ms = clock_now_ms() + w->wait_ms,
		.watch = w->watch.tick != NULL ? &w->watch : NULL };

	w->result = slots_take(slots, &ask, &w->lease);
	if (w->result == SLOTS_TAKEN) {
		pthread_mutex_lock(&served_mutex);
		w->served = ++nserved;
		pthread_mutex_unlock(&served_mutex);
		slots_release(&w->lease);
	}
	return NULL;
}

static bool
queued(unsigned n)
{
	int64_t end = clock_now_ms() + PATIENCE_MS;

	while (facts().queued != n && clock_now_ms() < end)
		nap();
	return facts().queued == n;
}

/* Starts waiter i, and returns when it is in the queue. */
static void
start_waiter(unsigned i, const char *client, unsigned priority)
{
	unsigned before = facts().queued;

	waiters[i].client = client;
	waiters[i].priority = priority;
	waiters[i].wait_ms = PATIENCE_MS;
	waiters[i].served = 0;
	if (pthread_create(
		&waiters[i].thread, NULL, wait_and_note, &waiters[i]) != 0 ||
	    !queued(before + 1)) {
		printf("Bail out! a waiter does not queue up\n");
		exit(99);
	}
}

static void
join_waiters(unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		pthread_join(waiters[i].thread, NULL);
}

static void
forget_waiters(void)
{
	memset(waiters, 0, sizeof(waiters));
	nserved = 0;
}

/* --- Other processes ------------------------------------------------------ */

/* A child that opens the slots itself, takes one (or waits for one), reports
 * its result and then lives until it is killed. */
static pid_t
spawn_taker(int64_t wait_ms, int *result_fd)
{
	struct slots_lease lease;
	char byte;
	int fds[2];
	pid_t pid;

	if (pipe(fds) == -1 || (pid = fork()) == -1)
		exit(99);
	if (pid == 0) {
		slots = open_slots(&config);
		if (slots == NULL)
			_exit(99);
		byte = (char)take("other", wait_ms, &lease);
		if (write(fds[1], &byte, 1) != 1)
			_exit(99);
		for (;;)
			pause();
	}
	close(fds[1]);
	*result_fd = fds[0];
	return pid;
}

static int
result_of(int fd)
{
	char byte = -1;

	if (read(fd, &byte, 1) != 1)
		byte = -1;
	close(fd);
	return byte;
}

static void
end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* --- Tests ---------------------------------------------------------------- */

static void
test_take_and_release(void)
{
	struct slots_lease a, b, c;

	begin(2, 0, 0);
	CHECK(take("alice", 0, &a) == SLOTS_TAKEN, "the first slot");
	CHECK(take("alice", 0, &b) == SLOTS_TAKEN, "the second slot");
	CHECK(a.slot != b.slot, "two slots are two");
	CHECK(facts().used == 2, "both count as used");
	CHECK(take("bob", 1000, &c) == SLOTS_FULL, "queue = 0: full at once");
	CHECK(c.position == 1 && c.retry_after_ms >= 1000,
	    "a refusal says the place and when to come back");
	slots_release(&c);
	CHECK(facts().used == 2, "releasing what was not taken does nothing");
	slots_release(&a);
	slots_release(&a);
	CHECK(facts().used == 1, "released, and twice is once");
	CHECK(take("bob", 0, &c) == SLOTS_TAKEN, "free again");
	slots_release(&b);
	slots_release(&c);
	finish();
}

static void
test_deadline_and_full(void)
{
	struct slots_lease held, lease;
	int64_t began;

	begin(1, 2, 0);
	forget_waiters();
	take("alice", 0, &held);
	began = clock_now_ms();
	CHECK(take("bob", 30, &lease) == SLOTS_TIMEOUT, "the deadline comes");
	CHECK(clock_now_ms() - began >= 30, "not before its time");
	CHECK(lease.waited_ms >= 30 && lease.position == 1,
	    "it tells its wait and place");
	CHECK(facts().queued == 0, "and stands in the queue no more");
	start_waiter(0, "bob", 10);
	start_waiter(1, "carol", 10);
	CHECK(take("dave", PATIENCE_MS, &lease) == SLOTS_FULL,
	    "two wait where two may: full");
	CHECK(lease.position == 3, "the place it would have had");
	slots_release(&held);
	join_waiters(2);
	CHECK(waiters[0].result == SLOTS_TAKEN &&
		waiters[1].result == SLOTS_TAKEN,
	    "those who waited are served");
	finish();
}

static void
test_retry_after(void)
{
	struct slots_lease held, refused;

	begin(1, 0, 0);
	take("alice", 0, &held);
	held.taken_ms -= 60000;
	slots_release(&held);
	take("alice", 0, &held);
	take("bob", 0, &refused);
	CHECK(refused.retry_after_ms >= 60000 && refused.retry_after_ms < 65000,
	    "Retry-After follows how long slots are held");
	slots_release(&held);
	finish();
}

static void
test_order(void)
{
	struct slots_lease held;
	unsigned i;
	bool in_order = true;

	begin(1, 64, 0);
	forget_waiters();
	take("alice", 0, &held);
	for (i = 0; i < 20; i++)
		start_waiter(i, "alice", 10);
	slots_release(&held);
	join_waiters(20);
	for (i = 0; i < 20; i++)
		in_order = in_order && waiters[i].served == i + 1;
	CHECK(in_order, "within a client arrival order holds");
	finish();
}

static void
test_fairness(void)
{
	struct slots_lease held;
	unsigned i;

	begin(1, 64, 0);
	forget_waiters();
	take("busy", 0, &held);
	for (i = 0; i < 50; i++)
		start_waiter(i, "busy", 10);
	start_waiter(50, "person", 10);
	slots_release(&held);
	join_waiters(51);
	CHECK(waiters[50].served >= 1 && waiters[50].served <= 2,
	    "50 of one client wait, another's one is served next but one: "
	    "%u",
	    waiters[50].served);
	finish();
}

static void
test_round_robin(void)
{
	struct slots_lease held;
	unsigned i, turns = 0;

	begin(1, 64, 0);
	forget_waiters();
	take("nobody", 0, &held);
	for (i = 0; i < 10; i++)
		start_waiter(i, "a", 10);
	for (i = 10; i < 20; i++)
		start_waiter(i, "b", 10);
	slots_release(&held);
	join_waiters(20);
	for (i = 0; i < 10; i++)
		turns += waiters[i].served == 2 * i + 1;
	CHECK(turns == 10, "two clients take turns, whoever came first");
	finish();
}

static void
test_priority(void)
{
	struct slots_lease held;
	unsigned i, early = 0, last = 0;

	begin(1, 64, 0);
	forget_waiters();
	take("nobody", 0, &held);
	for (i = 0; i < 10; i++)
		start_waiter(i, "batch", 1);
	for (i = 10; i < 40; i++)
		start_waiter(i, "interactive", 10);
	slots_release(&held);
	join_waiters(40);
	for (i = 10; i < 40; i++)
		early += waiters[i].served <= 22;
	for (i = 0; i < 3; i++)
		if (waiters[i].served > last)
			last = waiters[i].served;
	CHECK(early >= 19, "ten times the priority: ten times as often (%u)",
	    early);
	CHECK(last <= 30, "and the other one does not starve (%u)", last);
	finish();
}

static int
tick_count(void *ctx)
{
	++*(int *)ctx;
	return WATCH_FOREVER;
}

static int
tick_gone_later(void *ctx)
{
	return ++*(int *)ctx >= 3 ? WATCH_GONE : 5;
}

static void
test_watch(void)
{
	struct slots_lease held, lease;
	int calls = 0;
	struct watch watch = { .fd = -1, .tick = tick_count, .ctx = &calls };
	struct slots_ask ask = { .limit = &limits[0],
		.client = "bob",
		.watch = &watch,
		.priority = 10 };

	begin(1, 4, 0);
	ask.deadline_ms = clock_now_ms();
	CHECK(slots_take(slots, &ask, &held) == SLOTS_TAKEN && calls == 0,
	    "no tick where nothing is waited for");
	ask.deadline_ms = clock_now_ms() + 10;
	slots_take(slots, &ask, &lease);
	CHECK(calls == 1, "one tick before the first sleep (%d)", calls);
	calls = 0;
	watch.tick = tick_gone_later;
	ask.deadline_ms = clock_now_ms() + PATIENCE_MS;
	CHECK(slots_take(slots, &ask, &lease) == SLOTS_GONE && calls == 3,
	    "ticks come when they asked to, and a gone client leaves");
	CHECK(facts().queued == 0, "its row is free");
	slots_release(&held);
	finish();
}

static int
tick_fd(void *ctx)
{
	char byte;
	ssize_t n = read(*(int *)ctx, &byte, 1);

	return n == 0 ? WATCH_GONE : WATCH_FOREVER;
}

static void
test_watch_fd(void)
{
	struct slots_lease held;
	int fds[2];

	begin(1, 4, 0);
	forget_waiters();
	if (pipe(fds) == -1 || fcntl(fds[0], F_SETFL, O_NONBLOCK) == -1)
		exit(99);
	take("alice", 0, &held);
	waiters[0].watch = (struct watch){
		.fd = fds[0], .events = POLLIN, .tick = tick_fd, .ctx = &fds[0]
	};
	start_waiter(0, "bob", 10);
	start_waiter(1, "carol", 10);
	close(fds[1]);
	pthread_join(waiters[0].thread, NULL);
	CHECK(waiters[0].result == SLOTS_GONE,
	    "a client that hangs up leaves the queue");
	slots_release(&held);
	pthread_join(waiters[1].thread, NULL);
	CHECK(waiters[1].result == SLOTS_TAKEN, "and holds nobody up");
	close(fds[0]);
	finish();
}

static void
test_per_client(void)
{
	struct slots_lease a, b, c;

	begin(3, 4, 1);
	CHECK(take("alice", 0, &a) == SLOTS_TAKEN, "alice's only slot");
	CHECK(take("alice", 20, &c) == SLOTS_TIMEOUT,
	    "per_client = 1: no second one though two are free");
	forget_waiters();
	start_waiter(0, "alice", 10);
	CHECK(take("bob", 1000, &b) == SLOTS_TAKEN,
	    "who waits for that reason is in nobody's way");
	slots_release(&a);
	join_waiters(1);
	CHECK(waiters[0].result == SLOTS_TAKEN, "alice's next follows");
	slots_release(&b);
	finish();
}

static void
test_other_process(void)
{
	struct slots_lease lease;
	int fd;
	pid_t pid;

	begin(1, 4, 0);
	pid = spawn_taker(PATIENCE_MS, &fd);
	CHECK(result_of(fd) == SLOTS_TAKEN, "another process takes the slot");
	CHECK(take("alice", 20, &lease) == SLOTS_TIMEOUT, "so we cannot");
	forget_waiters();
	start_waiter(0, "alice", 10);
	end_child(pid);
	join_waiters(1);
	CHECK(waiters[0].result == SLOTS_TAKEN,
	    "killed, it has given the slot back");
	finish();
}

static void
test_killed_waiter(void)
{
	struct slots_lease held, lease;
	enum slots_result r = SLOTS_FULL;
	int64_t end = clock_now_ms() + PATIENCE_MS;
	int fd;
	pid_t pid;

	begin(1, 1, 0);
	take("alice", 0, &held);
	pid = spawn_taker(PATIENCE_MS, &fd);
	CHECK(queued(1), "another process waits");
	CHECK(take("alice", PATIENCE_MS, &lease) == SLOTS_FULL,
	    "and fills the queue");
	end_child(pid);
	close(fd);
	while (r == SLOTS_FULL && clock_now_ms() < end) {
		r = take("alice", 5, &lease);
		nap();
	}
	CHECK(r == SLOTS_TIMEOUT, "killed, it no longer fills it");
	slots_release(&held);
	CHECK(take("alice", PATIENCE_MS, &lease) == SLOTS_TAKEN,
	    "nor does it hold up who comes");
	slots_release(&lease);
	finish();
}

static void
test_killed_first(void)
{
	struct slots_lease held;
	int fd;
	pid_t pid;

	begin(1, 8, 0);
	forget_waiters();
	take("alice", 0, &held);
	pid = spawn_taker(PATIENCE_MS, &fd);
	CHECK(queued(1), "another process waits first");
	start_waiter(0, "alice", 10);
	end_child(pid);
	close(fd);
	slots_release(&held);
	join_waiters(1);
	CHECK(waiters[0].result == SLOTS_TAKEN,
	    "a killed first waiter does not block the one behind it");
	finish();
}

static void
test_stopped_first(void)
{
	struct slots_lease held;
	int fd;
	pid_t pid;

	begin(1, 8, 0);
	forget_waiters();
	take("alice", 0, &held);
	pid = spawn_taker(PATIENCE_MS, &fd);
	CHECK(queued(1), "another process waits first");
	start_waiter(0, "alice", 10);
	/* kill(2) returns while it still runs, and it could take the slot. */
	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	slots_release(&held);
	join_waiters(1);
	CHECK(waiters[0].result == SLOTS_TAKEN,
	    "a stopped first waiter is passed over");
	kill(pid, SIGCONT);
	CHECK(result_of(fd) == SLOTS_TAKEN, "and comes back to its turn");
	end_child(pid);
	finish();
}

/* A reload: the old generation knows of two slots, the new one of one. */
static void
test_two_generations(void)
{
	struct slots_lease a, b, c;
	struct slots *old, *new;
	struct limit less;
	struct config fewer = { 0 };
	struct slots_ask ask = { .limit = &less, .client = "x" };

	begin(2, 4, 0);
	old = slots;
	less = limits[0];
	less.slots = 1;
	fewer.runtime_dir = dir;
	fewer.limits = &less;
	fewer.nlimits = 1;
	new = open_slots(&fewer);
	CHECK(new != NULL, "both have the directory open");
	CHECK(take("x", 0, &a) == SLOTS_TAKEN && a.slot == 0, "old: slot 0");
	CHECK(slots_take(new, &ask, &c) == SLOTS_TIMEOUT,
	    "new: its only slot is taken");
	CHECK(take("x", 0, &b) == SLOTS_TAKEN && b.slot == 1, "old: slot 1");
	slots_release(&a);
	CHECK(slots_take(new, &ask, &c) == SLOTS_TAKEN && c.slot == 0,
	    "new: slot 0 when it is free");
	slots_release(&b);
	slots_release(&c);
	slots_close(new);
	slots = old;
	finish();
}

struct seen {
	unsigned holders, waiters;
	struct slots_row holder;
};

static void
see(void *ctx, const struct slots_row *row)
{
	struct seen *seen = ctx;

	if (row->holder) {
		seen->holders++;
		seen->holder = *row;
	} else
		seen->waiters++;
}

static void
test_status(void)
{
	struct slots_lease held;
	struct seen seen = { 0 };
	int64_t before = clock_now_ms();

	begin(1, 4, 0);
	forget_waiters();
	take("alice", 0, &held);
	start_waiter(0, "bob", 10);
	slots_each(slots, see, &seen);
	CHECK(seen.holders == 1 && seen.waiters == 1, "one holds, one waits");
	CHECK_STR(seen.holder.client, "alice", "the holder's client");
	CHECK_STR(seen.holder.request_id, "req-1", "its request");
	CHECK_STR(seen.holder.model, "qwen", "its model");
	CHECK(seen.holder.pid == (int)getpid() &&
		seen.holder.limit == &limits[0] &&
		seen.holder.since_ms >= before,
	    "its process, limit and time");
	slots_release(&held);
	join_waiters(1);
	seen = (struct seen){ 0 };
	slots_each(slots, see, &seen);
	CHECK(seen.holders == 0 && seen.waiters == 0, "nobody any more");
	finish();
}

static void
test_removed_directory(void)
{
	struct slots_lease lease;

	begin(1, 4, 0);
	CHECK(take("alice", 0, &lease) == SLOTS_TAKEN, "taken");
	slots_release(&lease);
	remove_tree(dir);
	CHECK(take("alice", 1000, &lease) == SLOTS_BROKEN,
	    "no directory: no slot");
	slots_release(&lease);
	finish();
	begin(1, 4, 0);
	remove_tree(dir);
	CHECK(take("alice", 1000, &lease) == SLOTS_BROKEN,
	    "nor where none was taken before");
	finish();
}

static void
refuse_to_open(const char *what)
{
	struct slots *s = open_slots(&config);

	CHECK(s == NULL && why[0] != '\0' && strchr(why, '\n') == NULL,
	    "%s is refused: %s", what, why);
	slots_close(s);
}

static void
test_bad_directories(void)
{
	char missing[96], path[96];

	begin(1, 4, 0);
	finish();
	chmod(dir, 0777);
	refuse_to_open("a directory that others may write to");
	chmod(dir, 0750);
	if (geteuid() == 0) {
		if (chown(dir, 12345, 12345) == -1 || seteuid(54321) == -1)
			exit(99);
		refuse_to_open("somebody else's directory");
		if (seteuid(0) == -1 || chown(dir, 0, 0) == -1)
			exit(99);
	} else
		printf("# not root: no foreign owner tried\n");
	snprintf(missing, sizeof(missing), "%s/no/such", dir);
	config.runtime_dir = missing;
	refuse_to_open("a directory that cannot be made");
	config.runtime_dir = dir;

	remove_tree(dir);
	mkdir(dir, 0750);
	snprintf(path, sizeof(path), "%s/slots", dir);
	if (symlink("/tmp", path) == -1)
		exit(99);
	refuse_to_open("a symbolic link for slots");
	unlink(path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	refuse_to_open("a file for slots");
	unlink(path);

	mkdir(path, 0750);
	snprintf(path, sizeof(path), "%s/slots/gpu", dir);
	mkdir(path, 0750);
	snprintf(path, sizeof(path), "%s/slots/gpu/queue", dir);
	if (symlink("/dev/null", path) == -1)
		exit(99);
	refuse_to_open("a symbolic link for the queue");
	limits[0].name = "..";
	refuse_to_open("a limit named ..");
	limits[0].name = "gpu";
	limits[0].slots = SLOTS_MAX + 1;
	refuse_to_open("too many slots");
}

static void
test_hostile_slot_files(void)
{
	struct slots_lease lease;
	char path[96];

	begin(1, 4, 0);
	snprintf(path, sizeof(path), "%s/slots/gpu/slot.0", dir);
	if (symlink("/dev/null", path) == -1)
		exit(99);
	CHECK(take("alice", 1000, &lease) == SLOTS_BROKEN,
	    "a symbolic link for a slot is not followed");
	unlink(path);
	mkfifo(path, 0600);
	CHECK(take("alice", 1000, &lease) == SLOTS_BROKEN,
	    "a FIFO for a slot does not hang us");
	finish();
}

int
main(void)
{
	snprintf(dir, sizeof(dir), "/tmp/slots_test.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 99;
	setvbuf(stdout, NULL, _IOLBF, 0);
	test_take_and_release();
	test_deadline_and_full();
	test_retry_after();
	test_order();
	test_fairness();
	test_round_robin();
	test_priority();
	test_watch();
	test_watch_fd();
	test_per_client();
	test_other_process();
	test_killed_waiter();
	test_killed_first();
	test_stopped_first();
	test_two_generations();
	test_status();
	test_removed_directory();
	test_bad_directories();
	test_hostile_slot_files();
	remove_tree(dir);
	return check_done();
}

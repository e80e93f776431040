/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hammers one limit from many processes and threads, kills some of them, and
 * keeps its own account, in memory shared by fork, of who holds what:
 *  - a slot taken while its holder lives is counted as a violation, and so is
 *    a client's slot above per_client;
 *  - so is, if there is one slot, a waiter overtaken by a later one of its
 *    client (waiting begins when tick is first called; it does not count if
 *    the slot was idle for so long that slots.h allows to pass a waiter over);
 *  - so is a take that fails in a process that nobody killed.
 * It prints hand-over times, overtakings between clients and CPU, and exits 1
 * if there was a violation.  With -w it only lets everybody wait (-T seconds)
 * and prints what that costs.
 */
#include "config.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "state/slots.h"
#include "slots_poll.h"

#define PROCESSES_MAX 64
#define THREADS_MAX 256
#define SAMPLES_MAX (1 << 20)
#define DORMANT_NS 150000000

/* One thread while it waits; zero while it does not. */
struct waiter {
	_Atomic int64_t waiting_ns;
	_Atomic int client;
	_Atomic unsigned overtaken;
};

struct board {
	_Atomic int holder[SLOTS_MAX]; /* process number + 1, by slot */
	_Atomic int client[SLOTS_MAX]; /* of the holder */
	_Atomic int64_t released_ns[SLOTS_MAX], killed_ns[SLOTS_MAX];
	_Atomic int64_t worst_kill_ns, kills_seen;
	_Atomic long taken, violations, order, failures, killed;
	_Atomic long by_client[1024];
	_Atomic int dead[PROCESSES_MAX]; /* about to be killed */
	_Atomic unsigned worst; /* overtakings of one waiter */
	_Atomic unsigned nsamples;
	int32_t handover_us[SAMPLES_MAX];
	struct waiter waiters[PROCESSES_MAX][THREADS_MAX];
};

static struct {
	const char *dir;
	unsigned processes, threads, clients, slots, queue, per_client;
	long total, kills;
	int hold_us;
	double seconds;
	bool waiting;
} o = { .processes = 2,
	.threads = 4,
	.clients = 3,
	.slots = 1,
	.queue = SLOTS_QUEUE_MAX,
	.total = 2000,
	.hold_us = 200,
	.seconds = 60 };

static struct board *board;
static struct slots *slots;
static struct limit limit;
static struct config config;

/* One thread of a process. */
struct me {
	unsigned process, thread, random;
	int client;
	int64_t began_ns;
};

static unsigned
random_below(unsigned *state, unsigned n)
{
	*state = *state * 1103515245 + 12345;
	return n == 0 ? 0 : (*state >> 8) % n;
}

static void
pause_us(int us)
{
	struct timespec ts = { us / 1000000, us % 1000000 * 1000L };

	nanosleep(&ts, NULL);
}

static int
tick(void *ctx)
{
	struct me *me = ctx;
	struct waiter *w = &board->waiters[me->process][me->thread];

	if (atomic_load(&w->waiting_ns) == 0)
		atomic_store(&w->waiting_ns, clock_now_ns());
	return WATCH_FOREVER;
}

/* We have overtaken everybody who waited before we came. */
static void
count_overtaken(const struct me *me, int64_t idle_ns)
{
	struct waiter *w;
	unsigned p, t, n, worst;
	int64_t since;

	for (p = 0; p < o.processes; p++)
		for (t = 0; t < o.threads; t++) {
			w = &board->waiters[p][t];
			since = atomic_load(&w->waiting_ns);
			if (since == 0 || since >= me->began_ns ||
			    atomic_load(&board->dead[p]))
				continue;
			n = atomic_fetch_add(&w->overtaken, 1) + 1;
			worst = atomic_load(&board->worst);
			while (n > worst &&
			    !atomic_compare_exchange_weak(
				&board->worst, &worst, n))
				;
			if (o.slots == 1 && idle_ns < DORMANT_NS &&
			    atomic_load(&w->client) == me->client)
				atomic_fetch_add(&board->order, 1);
		}
}

/* How many slots a client holds according to the board: never more than it
 * really holds. */
static unsigned
held_by(int client)
{
	unsigned i, n = 0;
	int holder;

	for (i = 0; i < o.slots; i++) {
		holder = atomic_load(&board->holder[i]);
		n += holder != 0 && !board->dead[holder - 1] &&
		    atomic_load(&board->client[i]) == client;
	}
	return n;
}

/* How long a killed holder's slot was idle. */
static void
note_kill(unsigned slot, int64_t now)
{
	int64_t killed = atomic_exchange(&board->killed_ns[slot], 0);
	int64_t worst = atomic_load(&board->worst_kill_ns);

	if (killed == 0)
		return;
	atomic_fetch_add(&board->kills_seen, 1);
	while (now - killed > worst &&
	    !atomic_compare_exchange_weak(
		&board->worst_kill_ns, &worst, now - killed))
		;
}

static void
begin_hold(const struct me *me, unsigned slot, bool waited)
{
	int was, mine = (int)me->process + 1;
	int64_t now = clock_now_ns(), released;
	unsigned i;

	atomic_store(&board->client[slot], me->client);
	was = atomic_exchange(&board->holder[slot], mine);
	if (slot >= o.slots || (was != 0 && !board->dead[was - 1]))
		atomic_fetch_add(&board->violations, 1);
	if (o.per_client > 0 && held_by(me->client) > o.per_client)
		atomic_fetch_add(&board->violations, 1);
	note_kill(slot, now);
	released = atomic_exchange(&board->released_ns[slot], 0);
	count_overtaken(me, released == 0 ? DORMANT_NS : now - released);
	if (!waited || released < me->began_ns)
		return;
	i = atomic_fetch_add(&board->nsamples, 1);
	if (i < SAMPLES_MAX)
		board->handover_us[i] = (int32_t)((now - released) / 1000);
}

static void
take_one(struct me *me)
{
	struct waiter *w = &board->waiters[me->process][me->thread];
	struct watch watch = { .fd = -1, .tick = tick, .ctx = me };
	char name[32];
	struct slots_ask ask = { .limit = &limit,
		.client = name,
		.request_id = "load",
		.model = "m",
		.priority = 10,
		.deadline_ms = clock_now_ms() + 120000,
		.watch = &watch };
	struct slots_lease lease;
	enum slots_result r;
	bool waited;

	me->client = (int)random_below(&me->random, o.clients);
	snprintf(name, sizeof(name), "client%d", me->client);
	atomic_store(&w->overtaken, 0);
	atomic_store(&w->client, me->client);
	me->began_ns = clock_now_ns();
	r = slots_take(slots, &ask, &lease);
	waited = atomic_exchange(&w->waiting_ns, 0) != 0;
	if (r != SLOTS_TAKEN) {
		atomic_fetch_add(&board->failures, 1);
		fprintf(stderr, "take: result %d\n", (int)r);
		return;
	}
	begin_hold(me, lease.slot, waited);
	atomic_fetch_add(&board->taken, 1);
	atomic_fetch_add(&board->by_client[me->client], 1);
	if (o.hold_us > 0)
		pause_us(
		    (int)random_below(&me->random, (unsigned)o.hold_us * 2));
	atomic_store(&board->holder[lease.slot], 0);
	atomic_store(&board->released_ns[lease.slot], clock_now_ns());
	slots_release(&lease);
}

static void *
work(void *arg)
{
	struct me *me = arg;

	while (atomic_load(&board->taken) < o.total)
		take_one(me);
	return NULL;
}

/* Waits for a slot that the parent holds, until the time is up. */
static void *
wait_only(void *arg)
{
	struct me *me = arg;
	char name[32];
	struct slots_ask ask = { .limit = &limit,
		.client = name,
		.deadline_ms = clock_now_ms() + (int64_t)(o.seconds * 1000) };
	struct slots_lease lease;

	snprintf(name, sizeof(name), "client%u", me->thread % o.clients);
	if (slots_take(slots, &ask, &lease) != SLOTS_TIMEOUT)
		atomic_fetch_add(&board->violations, 1);
	return NULL;
}

static void
open_slots(void)
{
	char why[512];

	slots = slots_open(&config, why, sizeof(why));
	if (slots == NULL) {
		fprintf(stderr, "%s\n", why);
		_exit(2);
	}
	if (getenv("TAILGATE_SLOTS_POLL") != NULL)
		slots_poll_only(slots);
}

static void
run_process(unsigned number)
{
	static struct me me[THREADS_MAX];
	pthread_t threads[THREADS_MAX];
	unsigned i;

	open_slots();
	for (i = 0; i < o.threads; i++) {
		me[i] = (struct me){ .process = number,
			.thread = i,
			.random = (unsigned)getpid() * 257 + i };
		if (pthread_create(&threads[i], NULL,
			o.waiting ? wait_only : work, &me[i]) != 0)
			_exit(2);
	}
	for (i = 0; i < o.threads; i++)
		pthread_join(threads[i], NULL);
	slots_close(slots);
}

static pid_t
start(unsigned number)
{
	pid_t pid = fork();

	if (pid == -1) {
		perror("fork");
		exit(2);
	}
	if (pid == 0) {
		run_process(number);
		exit(0);
	}
	return pid;
}

/* Kills one process and starts another in its place.  What the dead one left on
 * the board is removed when nobody can mistake it for its successor's. */
static void
kill_one(pid_t *pids, unsigned *random)
{
	unsigned i, p = random_below(random, o.processes);
	int mine;

	atomic_store(&board->dead[p], 1);
	for (i = 0; i < SLOTS_MAX; i++)
		if (atomic_load(&board->holder[i]) == (int)p + 1)
			atomic_store(&board->killed_ns[i], clock_now_ns());
	kill(pids[p], SIGKILL);
	waitpid(pids[p], NULL, 0);
	for (i = 0; i < SLOTS_MAX; i++) {
		mine = (int)p + 1;
		atomic_compare_exchange_strong(&board->holder[i], &mine, 0);
	}
	memset(board->waiters[p], 0, sizeof(board->waiters[p]));
	atomic_store(&board->dead[p], 0);
	atomic_fetch_add(&board->killed, 1);
	pids[p] = start(p);
}

static int
compare(const void *a, const void *b)
{
	return (*(const int32_t *)a > *(const int32_t *)b) -
	    (*(const int32_t *)a < *(const int32_t *)b);
}

static double
cpu_percent(int who, double wall)
{
	struct rusage u;

	getrusage(who, &u);
	return ((double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
		   (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6) /
	    wall * 100;
}

static void
report(double wall)
{
	unsigned n = board->nsamples, c;

	if (n > SAMPLES_MAX)
		n = SAMPLES_MAX;
	qsort(board->handover_us, n, sizeof(int32_t), compare);
	printf("taken %ld in %.2f s, killed %ld, violations %ld, out of order "
	       "%ld, failures %ld\n",
	    (long)board->taken, wall, (long)board->killed,
	    (long)board->violations, (long)board->order, (long)board->failures);
	if (n > 0)
		printf("hand-over us: p50 %d p99 %d max %d (%u)\n",
		    board->handover_us[n / 2],
		    board->handover_us[(unsigned)((double)n * 0.99)],
		    board->handover_us[n - 1], n);
	if (board->kills_seen > 0)
		printf("a killed holder's slot was taken after: at most %ld us "
		       "(%ld)\n",
		    (long)(board->worst_kill_ns / 1000),
		    (long)board->kills_seen);
	printf("later arrivals served before one waiter: at most %u\n",
	    (unsigned)board->worst);
	for (c = 0; c < o.clients && c < 8; c++)
		printf("client%u %ld%s", c, (long)board->by_client[c],
		    c + 1 < o.clients && c < 7 ? ", " : "\n");
	printf("cpu of all processes: %.2f %% of a core\n",
	    cpu_percent(RUSAGE_CHILDREN, wall));
}

static void
options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "d:p:t:c:s:q:l:n:k:h:T:w")) != -1)
		switch (c) {
		case 'd':
			o.dir = optarg;
			break;
		case 'p':
			o.processes = (unsigned)atoi(optarg);
			break;
		case 't':
			o.threads = (unsigned)atoi(optarg);
			break;
		case 'c':
			o.clients = (unsigned)atoi(optarg);
			break;
		case 's':
			o.slots = (unsigned)atoi(optarg);
			break;
		case 'q':
			o.queue = (unsigned)atoi(optarg);
			break;
		case 'l':
			o.per_client = (unsigned)atoi(optarg);
			break;
		case 'n':
			o.total = atol(optarg);
			break;
		case 'k':
			o.kills = atol(optarg);
			break;
		case 'h':
			o.hold_us = atoi(optarg);
			break;
		case 'T':
			o.seconds = atof(optarg);
			break;
		case 'w':
			o.waiting = true;
			break;
		default:
			o.dir = NULL;
			optind = argc;
			break;
		}
	if (o.dir == NULL || o.processes > PROCESSES_MAX ||
	    o.threads > THREADS_MAX || o.clients > 1024) {
		fprintf(stderr,
		    "usage: slots_load -d DIR [-p processes] "
		    "[-t threads] [-c clients] [-s slots] [-q queue] "
		    "[-l per_client] [-n takes] [-k kills] [-h hold_us] "
		    "[-w [-T seconds]]\n");
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	pid_t pids[PROCESSES_MAX], holder = 0;
	unsigned i, random = 1;
	int64_t began;
	int status, rv = 0;

	options(argc, argv);
	limit = (struct limit){ .name = "load",
		.slots = o.slots,
		.queue = o.queue,
		.per_client = o.per_client };
	config = (struct config){
		.runtime_dir = o.dir, .limits = &limit, .nlimits = 1
	};
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED) {
		perror("mmap");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	began = clock_now_ns();
	if (o.waiting && (holder = fork()) == 0) {
		struct slots_ask ask = { .limit = &limit,
			.client = "holder",
			.deadline_ms = CLOCK_NEVER };
		struct slots_lease lease;

		open_slots();
		for (i = 0; i < o.slots; i++)
			if (slots_take(slots, &ask, &lease) != SLOTS_TAKEN)
				_exit(2);
		atomic_store(&board->taken, 1);
		for (;;)
			pause();
	}
	while (o.waiting && board->taken == 0)
		pause_us(1000);
	for (i = 0; i < o.processes; i++)
		pids[i] = start(i);
	while (o.kills > 0 && atomic_load(&board->taken) < o.total) {
		pause_us(1000);
		if (board->taken * (o.kills + 1) / o.total > board->killed)
			kill_one(pids, &random);
	}
	for (i = 0; i < o.processes; i++)
		if (waitpid(pids[i], &status, 0) == -1 || status != 0)
			rv = 1;
	report((double)(clock_now_ns() - began) / 1e9);
	if (holder > 0) {
		kill(holder, SIGKILL);
		waitpid(holder, NULL, 0);
	}
	if (board->violations + board->order + board->failures > 0)
		rv = 1;
	return rv;
}

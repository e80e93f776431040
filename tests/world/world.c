/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Worlds, one for each seed, until the time is up or one of them fails.
 *
 *	world [-v] [-s SEED] [-t SECONDS] [-n WORLDS]
 */
#include "config.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/log.h"
#include "calls.h"
#include "config/settings.h"
#include "ledger/desk.h"
#include "ledger/gap.h"
#include "ledger/keeper.h"
#include "serve/worker.h"

#define HEAP_BYTES ((size_t)4 << 30) /* of address space */
/* A world that takes longer is hung. */
#define WATCHDOG_S 120
/* The ledger's process, a thread here, leaves /dev/null open, and a process its
 * place in the table of processes. */
#define FILES_KEPT 3

struct world *world;
const struct config *world_config;
char world_dir[256];

static char *heap;
static bool verbose;

/* ---- what everything uses ---------------------------------------------- */

void
world_wrong(const char *fmt, ...)
{
	va_list args;

	if (world->why[0] != '\0')
		return;
	va_start(args, fmt);
	vsnprintf(world->why, sizeof(world->why), fmt, args);
	va_end(args);
}

void *
world_alloc(size_t size)
{
	char *p = heap + world->heap_used;

	world->heap_used += (size + 15) & ~(size_t)15;
	if (world->heap_used > HEAP_BYTES)
		abort();
	return p;
}

uint64_t
world_random(void)
{
	uint64_t z = (world->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t
world_below(uint64_t n)
{
	return n == 0 ? 0 : world_random() % n;
}

/* Each order of magnitude is as likely as the next. */
uint64_t
world_size(uint64_t lo, uint64_t hi)
{
	uint64_t span = hi - lo + 1, bits = 0;

	while (bits < 63 && (UINT64_C(1) << bits) < span)
		bits++;
	bits = world_below(bits + 1);
	return lo + world_below(UINT64_C(1) << bits) % span;
}

bool
world_chance(unsigned of_1024)
{
	return of_1024 > 0 && world_below(1024) < of_1024;
}

void
world_note(uint64_t what, uint64_t value)
{
	world->trace = (world->trace ^ (what << 56 | (value & 0xffffffff))) *
	    UINT64_C(0x100000001b3);
	world->trace ^= world->trace >> 29;
}

/* ---- events: a heap ---------------------------------------------------- */

static bool
comes_before(const struct world_event *a, const struct world_event *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

void
world_at(int64_t at_ns, void (*fn)(int), int arg)
{
	unsigned i = world->nevents++;
	struct world_event e = { at_ns, world->norder++, fn, arg };

	if (i == WORLD_EVENTS_MAX)
		abort();
	for (; i > 0 && comes_before(&e, &world->events[(i - 1) / 2]);
	     i = (i - 1) / 2)
		world->events[i] = world->events[(i - 1) / 2];
	world->events[i] = e;
}

static struct world_event
take_first(void)
{
	struct world_event first = world->events[0], *all = world->events;
	struct world_event last = all[--world->nevents];
	unsigned i = 0, child;

	while ((child = 2 * i + 1) < world->nevents) {
		if (child + 1 < world->nevents &&
		    comes_before(&all[child + 1], &all[child]))
			child++;
		if (!comes_before(&all[child], &last))
			break;
		all[i] = all[child];
		i = child;
	}
	all[i] = last;
	return first;
}

int64_t
world_events_run(void)
{
	while (world->nevents > 0 && world->events[0].at_ns <= world->mono_ns) {
		struct world_event e = take_first();

		world_note('e', (uint64_t)e.arg);
		e.fn(e.arg);
	}
	return world->nevents > 0 ? world->events[0].at_ns : INT64_MAX;
}

/* ---- a world's parameters ---------------------------------------------- */

static void
step_clock(int arg)
{
	(void)arg;
	/* Within one day, so that budgets can be compared. */
	world->wall_ns += ((int64_t)world_below(7200) - 3600) * WORLD_S;
}

static void
term(int life)
{
	if ((unsigned)life == world->life)
		world->term_due = true;
}

static void
draw_faults(void)
{
	static const unsigned rates[] = { 0, 1, 10, 60, 200 };
	static const unsigned ios[] = { 0, 0, 0, 0, 1, 2, 7, 64 };

	world->calm = world_chance(150);
	if (world->calm)
		return;
	world->fault = rates[world_below(5)];
	world->disk_fault = world_chance(300) ? 1u << world_below(9) : 0;
	world->disk_hang = world_chance(300) ? 1u << world_below(6) : 0;
	world->descriptor_fault = world_chance(300) ? 1u << world_below(6) : 0;
	world->io_max = ios[world_below(8)];
	world->private_text = world_chance(300);
}

static void
draw_lives(int64_t end_ns)
{
	world->nlives = world->calm || world_chance(500)
	    ? 1
	    : 1 + (unsigned)world_below(WORLD_LIVES_MAX);
	for (unsigned i = 0; i < world->nlives; i++) {
		world->term_at_ns[i] =
		    end_ns * (int64_t)(i + 1) / (int64_t)world->nlives;
		if (i + 1 < world->nlives && world_chance(700))
			world->kill_at_op[i] =
			    world_size(1, world->nrequests * 60);
	}
}

static void
draw(uint64_t seed)
{
	int64_t at = WORLD_S, gap;

	memset(world, 0, sizeof(*world));
	world->seed = world->random = seed;
	world->mono_ns = 1000 * WORLD_S;
	world->wall_ns = WORLD_NOON_MS * WORLD_MS - world->mono_ns;
	draw_faults();
	world->slots = 1 + (unsigned)world_below(8);
	world->queue = world->calm ? 1000 : (unsigned)world_below(40);
	world->drain_ms =
	    world->calm || world_chance(700) ? 3600000 : world_size(0, 5000);
	world->nrequests = world->io_max != 0
	    ? 20 + (unsigned)world_below(30)
	    : 50 + (unsigned)world_below(WORLD_REQUESTS_MAX - 50);
	gap = (int64_t)world_size(1, 20000) * 1000;
	for (unsigned i = 0; i < world->nrequests; i++) {
		client_plan(i);
		at += (int64_t)world_below((uint64_t)gap * 2);
		world_at(world->mono_ns + at, client_arrive, (int)i);
	}
	if (!world->calm && world_chance(200))
		world_at(world->mono_ns + at / 2, step_clock, 0);
	/* In a calm world all requests have been accepted by then. */
	draw_lives(at + (int64_t)world_size(100, 3000) * WORLD_MS);
}

/* ---- a life ------------------------------------------------------------ */

static void *
keeper_main(void *ctx)
{
	(void)ctx;
	ledger_keeper_run(world_config, SIM_DESK_FD);
}

int __wrap_pthread_create(
    pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __wrap_pthread_join(pthread_t, void **);

static struct config *
load_config(void)
{
	char path[512];
	struct config *config;

	config_write();
	snprintf(path, sizeof(path), "%s/tailgate.conf", world_dir);
	config = config_load(path, 0, stderr);
	if (config == NULL)
		exit(2);
	return config;
}

/* Counts the real descriptors. */
static unsigned
count_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	if (dir == NULL)
		return 0; /* not on this system */
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* Runs in a process of its own. */
static void
live(void)
{
	unsigned life = world->life, before, files;
	char path[512];
	int desk[2], fd;
	pthread_t keeper;

	json_object_seed(1);
	log_open("world", false, LOG_LEVEL_INFO);
	if (!verbose) {
		snprintf(path, sizeof(path), "%s/log", world_dir);
		fd = __real_open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
		dup3(fd, 2, 0);
		__real_close(fd);
	}
	__real_close(SIM_DESK_FD);
	fd = __real_open("/dev/null", O_WRONLY);
	if (fd != SIM_DESK_FD)
		abort();
	world_config = load_config();
	before = sim_open_fds();
	files = count_files();
	if (ledger_desk_open(desk) == -1)
		abort();
	sim_set_desk(desk[LEDGER_DESK_KEEPS]);
	__wrap_pthread_create(&keeper, NULL, keeper_main, NULL);
	world_at(world->mono_ns + world->term_at_ns[life] -
		(life > 0 ? world->term_at_ns[life - 1] : 0),
	    term, (int)life);
	if (worker_run(world_config,
		&(struct worker_ends){ .listen_fd = sim_listen_fd(),
		    .parent_fd = WORLD_PARENT_FD,
		    .ledger = desk[LEDGER_DESK_SERVES],
		    .waker = -1 },
		share_board_new(world_config), 0) != 0)
		world_wrong("the worker did not start");
	world->serving = false;
	sim_fd_close(desk[LEDGER_DESK_SERVES]);
	__wrap_pthread_join(keeper, NULL);
	if (sim_open_fds() != before)
		world_wrong(
		    "%u sockets are left open", sim_open_fds() - before);
	if (count_files() > files + FILES_KEPT)
		world_wrong("%u files are left open",
		    count_files() - files - FILES_KEPT);
	check_life();
	loop_kill_threads();
}

/* Runs in another process, since it opens what workers leave behind. */
static void
check(void)
{
	int status;
	pid_t pid;

	fflush(NULL);
	if ((pid = fork()) == 0) {
		check_world();
		exit(0);
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid || status != 0)
		world_wrong("the check failed");
}

/* A client may see only in the next life that its response was cut. */
static void
after_hurry(void)
{
	for (unsigned i = 0; i < world->nrequests; i++) {
		struct world_request *r = &world->requests[i];

		if (r->begun && !r->closed)
			r->hurried = true;
	}
	sim_worker_died();
}

/* What the parent of workers does. */
static void
after_death(pid_t pid)
{
	char run[512];

	world->deaths++;
	snprintf(run, sizeof(run), "%s/run", world_dir);
	ledger_gap_died(run, (int)pid);
	for (unsigned i = 0; i < world->nrequests; i++) {
		struct world_request *r = &world->requests[i];

		if (r->begun && !r->closed && !r->died)
			r->died = true;
	}
	sim_worker_died();
}

static void
run_life(void)
{
	int status;
	pid_t pid;
	bool hurried = world->hurried;

	world->killed = world->term_due = world->hurried = false;
	fflush(NULL);
	if ((pid = fork()) == 0) {
		alarm(WATCHDOG_S);
		live();
		exit(0);
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		abort();
	world->serving = false;
	if (world->killed)
		after_death(pid);
	else if (WIFSIGNALED(status))
		world_wrong(WTERMSIG(status) == SIGALRM
			? "life %u hangs"
			: "life %u died of a signal",
		    world->life);
	else if (WEXITSTATUS(status) != 0)
		world_wrong("life %u ended with status %d", world->life,
		    WEXITSTATUS(status));
	else if (world->hurried)
		after_hurry();
	world->cut_ns[world->life] =
	    world->killed || world->hurried ? world->mono_ns : INT64_MAX;
	world->hurried |= hurried;
}

/* ---- a world ----------------------------------------------------------- */

static void
make_dirs(void)
{
	static const char *const names[] = { "run", "state", "spool" };
	char command[600], path[512];

	snprintf(command, sizeof(command), "rm -rf '%s'/*", world_dir);
	if (system(command) != 0)
		abort();
	for (unsigned i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", world_dir, names[i]);
		if (mkdir(path, 0700) == -1)
			abort();
	}
}

/* Clients that come after the last worker find no server. */
static void
end_clients(void)
{
	while (world->nbacklog > 0)
		sim_close(sim_conn(sim_accept()), 0, true);
	for (unsigned i = 0; i < world->nconns; i++)
		if (world->conns[i].peer == SIM_CLIENT)
			client_poke(&world->conns[i]);
	for (int i = 0; i < 1000000 && world->nevents > 0; i++) {
		int64_t next = world_events_run();

		if (next != INT64_MAX)
			world->mono_ns = next;
	}
}

static bool
run_world(uint64_t seed)
{
	draw(seed);
	make_dirs();
	for (world->life = 0;
	     world->life < world->nlives && world->why[0] == '\0';
	     world->life++)
		run_life();
	world->life--;
	end_clients();
	if (world->why[0] == '\0')
		check();
	return world->why[0] == '\0';
}

static int64_t
real_ms(void)
{
	struct timespec now;

	/* The real time: this call is not replaced. */
	timespec_get(&now, TIME_UTC);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
say(uint64_t seed)
{
	printf("seed %llu: %u requests, %u lives, %u deaths, faults %u/1024, "
	       "disk %u, descriptors %u, pieces of %u%s: %llu calls, trace "
	       "%016llx%s%s\n",
	    (unsigned long long)seed, world->nrequests, world->nlives,
	    world->deaths, world->fault, world->disk_fault,
	    world->descriptor_fault, world->io_max, world->calm ? ", calm" : "",
	    (unsigned long long)world->nops, (unsigned long long)world->trace,
	    world->why[0] ? ": " : "", world->why);
}

/* 0, or 1: a world failed. */
static int
run_worlds(uint64_t seed, long seconds, long worlds)
{
	int64_t begun = real_ms(), until = begun + seconds * 1000;
	unsigned long long requests = 0, n = 0, deaths = 0;
	uint64_t trace;
	bool good;

	do {
		good = run_world(seed + n);
		requests += world->arrived;
		deaths += world->deaths;
		if (verbose || !good)
			say(seed + n);
		if (good && n == 0) { /* the second run must have the same
					 trace */
			trace = world->trace;
			good = run_world(seed);
			if (trace != world->trace) {
				world_wrong("it does not replay");
				good = false;
				say(seed);
			}
		}
		n++;
	} while (good && (worlds > 0 ? (long)n < worlds : real_ms() < until));
	printf("%llu worlds from seed %llu, %llu requests, %llu deaths, %lld "
	       "ms\n",
	    n, (unsigned long long)seed, requests, deaths,
	    (long long)(real_ms() - begun));
	if (!good)
		printf("again: make world SEED=%llu TIME=0\n",
		    (unsigned long long)(seed + n - 1));
	return good ? 0 : 1;
}

int
main(int argc, char **argv)
{
	const char *tmp = getenv("TMPDIR");
	uint64_t seed = (uint64_t)real_ms();
	long seconds = 10, worlds = 0;
	int opt, status;

	while ((opt = getopt(argc, argv, "s:t:n:v")) != -1) {
		if (opt == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (opt == 't')
			seconds = strtol(optarg, NULL, 10);
		else if (opt == 'n')
			worlds = strtol(optarg, NULL, 10);
		else if (opt == 'v')
			verbose = true;
		else
			return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	log_open("world", false, LOG_LEVEL_ERROR);
	snprintf(world_dir, sizeof(world_dir), "%s/tailgate-world.XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(world_dir) == NULL)
		return 2;
	world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANON, -1, 0);
	heap = mmap(NULL, HEAP_BYTES, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANON | MAP_NORESERVE, -1, 0);
	if (world == MAP_FAILED || heap == MAP_FAILED)
		return 2;
	status = run_worlds(seed, seconds, worlds);
	if (status == 0) {
		char command[600];

		snprintf(command, sizeof(command), "rm -rf '%s'", world_dir);
		return system(command) == 0 ? 0 : 2;
	}
	printf("its files are in %s\n", world_dir);
	return status;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What it costs to hand over a slot that hosts share.  Processes play the
 * hosts, and take turns at one slot of an engine on a Unix socket.
 *
 *	handover [-h hosts] [-w waiters] [-n hand-overs] [-m hold-ms] SOCKET
 *
 * Prints the time from one host's release to the next host's acquisition
 * (median, 99 %), and the CPU time of all hosts per second.  If -m is longer
 * than the run, all but one wait: this measures what waiting costs.
 */
#include "config.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include <err.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/task.h"
#include "fleet/leases.h"

#define SAMPLES_MAX 100000
#define LEASE_MS 15000

static struct shared {
	_Atomic int64_t given_ns;
	_Atomic int giver;
	_Atomic unsigned n;
	_Atomic int64_t cpu_ns;
	int64_t ns[SAMPLES_MAX];
} * shared;

static struct limit limit = {
	.name = "bench", .slots = 1, .queue = 65536, .shared = true
};
static struct config config = {
	.gateway = "bench", .limits = &limit, .nlimits = 1
};
static struct leases *leases;
static struct store *store;
static unsigned most = 2000, hold_ms = 2, nwaiters = 10, running;
static int host;

static void
note(int64_t now_ns)
{
	unsigned i;

	if (atomic_load(&shared->given_ns) == 0 ||
	    atomic_load(&shared->giver) == host)
		return;
	i = atomic_fetch_add(&shared->n, 1);
	if (i < SAMPLES_MAX)
		shared->ns[i] = now_ns - atomic_load(&shared->given_ns);
}

static void
waiter(void *ctx)
{
	char name[32];
	struct slots_ask ask = { .limit = &limit,
		.client = name,
		.priority = 10,
		.deadline_ms = CLOCK_NEVER };
	struct lease lease;

	snprintf(name, sizeof(name), "host%d", host);
	(void)ctx;
	while (atomic_load(&shared->n) < most) {
		ask.deadline_ms = clock_now_ms() + 60000;
		if (leases_take(leases, &ask, &lease) != LEASES_TAKEN)
			break;
		note(clock_now_ns());
		task_sleep((int)hold_ms);
		atomic_store(&shared->giver, host);
		atomic_store(&shared->given_ns, clock_now_ns());
		leases_release(leases, &lease);
	}
	if (--running == 0) {
		leases_end(leases);
		store_end(store);
	}
}

static void
host_run(void)
{
	task_open();
	store = store_new(&config);
	leases = leases_new(&config, store, NULL);
	if (leases == NULL)
		errx(1, "no shared limit");
	store_start(store);
	running = nwaiters;
	for (unsigned i = 0; i < nwaiters; i++)
		if (task_start(waiter, NULL) == -1)
			err(1, "task");
	task_loop();
	atomic_fetch_add(&shared->cpu_ns, clock_cpu_ns());
	_exit(0);
}

static int
compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
print(int64_t began_ns)
{
	unsigned n = atomic_load(&shared->n);
	double seconds = (double)(clock_now_ns() - began_ns) / 1e9;

	if (n > SAMPLES_MAX)
		n = SAMPLES_MAX;
	qsort(shared->ns, n, sizeof(*shared->ns), compare);
	printf("handovers=%u", n);
	if (n > 0)
		printf(" p50_us=%lld p99_us=%lld",
		    (long long)(shared->ns[n / 2] / 1000),
		    (long long)(shared->ns[n * 99 / 100] / 1000));
	printf(" seconds=%.1f cpu_percent=%.2f\n", seconds,
	    (double)atomic_load(&shared->cpu_ns) / 1e7 / seconds);
}

int
main(int argc, char **argv)
{
	unsigned hosts = 3;
	int64_t began_ns;
	int ch;

	while ((ch = getopt(argc, argv, "h:m:n:w:")) != -1) {
		unsigned n = (unsigned)strtoul(optarg ? optarg : "", NULL, 10);

		if (ch == 'h')
			hosts = n;
		else if (ch == 'm')
			hold_ms = n;
		else if (ch == 'n')
			most = n;
		else if (ch == 'w')
			nwaiters = n;
		else
			errx(1, "bad usage; see the head of handover.c");
	}
	if (optind + 1 != argc)
		errx(1, "one socket is needed");
	log_set_level(LOG_LEVEL_ERROR);
	config.store = (struct store_settings){ .url = "unix:",
		.path = argv[optind],
		.prefix = "bench",
		.timeout_ms = 250,
		.lease_ms = LEASE_MS };
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANON, -1, 0);
	if (shared == MAP_FAILED)
		err(1, "mmap");
	began_ns = clock_now_ns();
	for (host = 0; host < (int)hosts; host++)
		if (fork() == 0)
			host_run();
	while (wait(NULL) > 0)
		continue;
	print(began_ns);
	return 0;
}

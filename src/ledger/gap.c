/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how processes tell each other that the ledger can't be written.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ledger/gap.h"
#include "state/mapfile.h"

#define GAP_NAME "ledger"
#define GAP_MAGIC UINT64_C(0x7461696c4c454434) /* "tailLED4" */

/* A failing process tries again more often than this: an older failure is
 * that of a process that has gone. */
#define FAILED_FOR_MS 3000

/* Of a process that has no other. */
static struct ledger_gap own;
static struct ledger_gap_way own_way;

struct ledger_gap *
ledger_gap_open(const char *runtime_dir)
{
	struct ledger_gap *g = mapfile_open(runtime_dir, GAP_NAME,
	    MAPFILE_MAGIC(GAP_MAGIC), sizeof(struct ledger_gap));

	if (g != NULL)
		return g;
	log_warn("%s/%s: %s", runtime_dir, GAP_NAME, strerror(errno));
	return &own;
}

void
ledger_gap_close(struct ledger_gap *g)
{
	if (g != NULL && g != &own)
		mapfile_close(g, sizeof(*g));
}

static void
add(struct ledger_gap *g, uint32_t lost, uint32_t external, int64_t since_ms,
    int64_t until_ms)
{
	int64_t before_ms = 0;

	/* They do not come in the order of their beginnings. */
	if (atomic_compare_exchange_strong(
		&g->since_ms, &before_ms, since_ms)) {
		atomic_store(&g->until_ms, until_ms);
	} else {
		if (until_ms > atomic_load(&g->until_ms))
			atomic_store(&g->until_ms, until_ms);
		if (since_ms < before_ms)
			atomic_store(&g->since_ms, since_ms);
	}
	if (external > 0)
		atomic_fetch_add(&g->external, external);
	atomic_fetch_add(&g->lost, lost);
	atomic_fetch_add(&g->total, lost);
}

void
ledger_gap_add(struct ledger_gap *g, bool external, int64_t wall_ms)
{
	add(g, 1, external ? 1 : 0, wall_ms, wall_ms);
}

/* ---- what is on its way ------------------------------------------------ */

unsigned
ledger_gap_leave(struct ledger_gap *g, struct ledger_gap_way *way, bool in_use)
{
	int64_t since_ms, now_ms = clock_wall_ms();
	int32_t lines, external;

	if (way == NULL)
		return 0;
	lines = atomic_exchange(&way->lines, 0);
	external = atomic_exchange(&way->external, 0);
	since_ms = atomic_load(&way->since_ms);
	/* Its numbers are not trusted: it may have been taken over. */
	if (external > lines)
		external = lines;
	if (lines > 0)
		add(g, (uint32_t)lines, external < 0 ? 0 : (uint32_t)external,
		    since_ms, now_ms < since_ms ? since_ms : now_ms);
	if (!in_use)
		atomic_store(&way->pid, 0);
	return lines > 0 ? (unsigned)lines : 0;
}

/* Several may see that pid, the entry's, is dead: one of them makes the entry
 * its own, so that nobody takes it for a new process meanwhile. */
static void
bury(struct ledger_gap *g, struct ledger_gap_way *way, int32_t pid)
{
	unsigned lost;

	if (!atomic_compare_exchange_strong(
		&way->pid, &pid, -(int32_t)getpid()))
		return;
	lost = ledger_gap_leave(g, way, false);
	if (lost > 0)
		log_warn("process %d has died with %u requests that were not "
			 "recorded yet",
		    pid < 0 ? -pid : pid, lost);
}

struct ledger_gap_way *
ledger_gap_enter(struct ledger_gap *g)
{
	/* Our own number may be that of a dead one, until we use it. */
	static int32_t known;
	int32_t self = (int32_t)getpid(), pid, user;

	for (size_t i = 0; i < LEDGER_GAP_WAYS; i++) {
		pid = atomic_load(&g->ways[i].pid);
		user = pid < 0 ? -pid : pid;
		if (user > 0 &&
		    (user == self ? self != known
				  : kill(user, 0) == -1 && errno == ESRCH))
			bury(g, &g->ways[i], pid);
	}
	known = self;
	for (size_t i = 0; i < LEDGER_GAP_WAYS; i++) {
		pid = 0;
		if (!atomic_compare_exchange_strong(
			&g->ways[i].pid, &pid, self))
			continue;
		atomic_store(&g->ways[i].lines, 0);
		atomic_store(&g->ways[i].external, 0);
		return &g->ways[i];
	}
	return &own_way;
}

void
ledger_gap_on_way(
    struct ledger_gap_way *way, int lines, int external, int64_t wall_ms)
{
	if (way == NULL)
		return;
	/* Later ones do not move it: the first may still be under way. */
	if (lines > 0 && atomic_load(&way->lines) <= 0)
		atomic_store(&way->since_ms, wall_ms);
	atomic_fetch_add(&way->external, external);
	atomic_fetch_add(&way->lines, lines);
}

void
ledger_gap_died(const char *runtime_dir, int pid)
{
	struct ledger_gap *g = ledger_gap_open(runtime_dir);

	for (size_t i = 0; i < LEDGER_GAP_WAYS; i++) {
		int32_t at = atomic_load(&g->ways[i].pid);

		if (at == pid || at == -pid)
			bury(g, &g->ways[i], at);
	}
	ledger_gap_close(g);
}

/* ---- what was lost ----------------------------------------------------- */

void
ledger_gap_told(struct ledger_gap *g, uint64_t lost, uint64_t external)
{
	/* Before the count, so that requests lost meanwhile have their own
	 * beginning. */
	atomic_store(&g->since_ms, 0);
	atomic_fetch_sub(&g->external, external);
	atomic_fetch_sub(&g->lost, lost);
}

void
ledger_gap_failed(struct ledger_gap *g)
{
	atomic_store(&g->failed_ms, clock_now_ms());
}

void
ledger_gap_works(struct ledger_gap *g)
{
	/* No store if nothing changes: all processes share the cache line. */
	if (atomic_load_explicit(&g->failed_ms, memory_order_relaxed) != 0)
		atomic_store(&g->failed_ms, 0);
}

bool
ledger_gap_fails(const struct ledger_gap *g)
{
	int64_t at = atomic_load_explicit(&g->failed_ms, memory_order_relaxed);
	int64_t since_ms;

	if (at == 0)
		return false;
	since_ms = clock_now_ms() - at;
	return since_ms >= 0 && since_ms < FAILED_FOR_MS;
}

void
ledger_gap_status(const struct ledger_gap *g, struct status_ledger *out)
{
	*out = (struct status_ledger){ .writable = !ledger_gap_fails(g),
		.unrecorded = atomic_load(&g->lost),
		.unrecorded_total = atomic_load(&g->total),
		.since_wall_ms = atomic_load(&g->since_ms) };
}

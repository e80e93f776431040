/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how the budgets' file is opened, its lock, and how it is repaired after
 * a crash.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/span.h"
#include "base/sum.h"
#include "base/task.h"
#include "state/budget_internal.h"
#include "state/mapfile.h"
#include "state/process.h"

#define FIRST_ROWS 64
/* Between two tries if another process holds the lock for long. */
#define LOCK_PAUSE_MS 1

/* ---- The lock ---- */

static bool
try_lock(struct budget_file *f, uint64_t from)
{
	return atomic_compare_exchange_strong(&f->lock, &from, process_id());
}

void
budget_count_cell(struct budget_file *f, const struct budget_cell *c, int sign)
{
	const int rows[2] = { c->client, c->model };

	for (int i = 0; i < 2; i++) {
		struct budget_row *r;

		if (rows[i] < 0 || rows[i] >= BUDGET_ROWS ||
		    f->keys[rows[i]] == 0)
			continue;
		r = &f->rows[rows[i]];
		if (sign > 0) {
			r->held_tokens =
			    (uint64_t)sum_i64(budget_amount(r->held_tokens),
				budget_amount(c->tokens));
			r->held_nanousd = sum_i64(r->held_nanousd, c->nanousd);
			r->in_flight++;
		} else {
			r->held_tokens -= c->tokens < r->held_tokens
			    ? c->tokens
			    : r->held_tokens;
			r->held_nanousd =
			    budget_at_least_0(r->held_nanousd - c->nanousd);
			r->in_flight -= r->in_flight > 0;
		}
	}
}

/* After a crash in the middle: the rows' sums from the cells. */
void
budget_repair(struct budget_file *f)
{
	for (int i = 0; i < budget_nrows(f); i++) {
		if (f->keys[i] == 0)
			continue;
		f->rows[i].held_tokens = 0;
		f->rows[i].held_nanousd = 0;
		f->rows[i].in_flight = 0;
	}
	for (int i = 0; i < budget_ncells(f); i++)
		if (f->cells[i].owner != 0)
			budget_count_cell(f, &f->cells[i], 1);
}

void
budget_lock(struct budget_book *b)
{
	struct budget_file *f = b->file;

	for (unsigned tries = 1; !try_lock(f, 0); tries++) {
		uint64_t owner = atomic_load(&f->lock);

		if (tries % 64 != 0) {
			sched_yield();
			continue;
		}
		if (owner != 0 && !process_alive(owner) && try_lock(f, owner)) {
			log_warn("budget: put right after a process that died");
			budget_repair(f);
			return;
		}
		task_sleep(LOCK_PAUSE_MS);
	}
}

void
budget_unlock(struct budget_book *b)
{
	atomic_store(&b->file->lock, 0);
}

bool
budget_reap(struct budget_file *f)
{
	uint64_t alive = process_id(), dead = 0;
	bool found = false;

	for (int i = 0; i < budget_ncells(f); i++) {
		struct budget_cell *c = &f->cells[i];

		if (c->owner == 0 || c->owner == alive)
			continue;
		if (c->owner != dead && process_alive(c->owner)) {
			alive = c->owner;
			continue;
		}
		dead = c->owner;
		budget_count_cell(f, c, -1);
		c->owner = 0;
		found = true;
	}
	return found;
}

/* ---- Opening ---- */

int
budget_lock_placed(struct budget_book *b, struct budget_now now)
{
	size_t missing;

	budget_lock(b);
	while ((missing = budget_place_rows(b, now)) > 0) {
		budget_unlock(b);
		if (budget_grow_rows(b, missing) == -1)
			return -1;
		budget_lock(b);
	}
	return 0;
}

uint64_t
budget_boot(void)
{
	char text[64] = "";
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? 0 : read(fd, text, sizeof(text));

	if (fd != -1)
		close(fd);
	return budget_key('b', (struct span){ text, n < 0 ? 0 : (size_t)n });
}

/* A file from before a reboot knows neither whether the clock was set nor
 * how much time has passed: it is rebuilt. */
static void
begin_boot(struct budget_file *f, struct budget_now now)
{
	uint64_t boot = budget_boot();

	if (f->boot == boot)
		return;
	f->boot = boot;
	f->offset_ms = now.wall_ms - now.boot_ms;
	f->built = 0;
	f->reaped_ms = 0;
	f->store_known = 0;
	f->seen_ms = 0;
	f->reader = 0;
	budget_forget_notes(f);
	f->stage = BUDGET_ALONE;
}

/* The file itself, or for an onlooker a copy of it. */
static struct budget_file *
open_file(const struct config *config, char *why, size_t size)
{
	bool looks = mapfile_only_looks();
	struct budget_file *f, *copy;

	/* An onlooker before the first start sees what the ledger says. */
	if (looks)
		process_look(config->runtime_dir, why, size);
	else if (process_open(config->runtime_dir, why, size) == -1)
		return NULL;
	f = mapfile_open_part(config->runtime_dir, BUDGET_NAME,
	    MAPFILE_MAGIC(BUDGET_MAGIC), sizeof(*f),
	    offsetof(struct budget_file, rows[FIRST_ROWS]));
	if (f != NULL && looks) {
		copy = budget_copy(f);
		mapfile_close(f, sizeof(*f));
		f = copy;
	}
	if (f == NULL)
		snprintf(why, size, "%s/%s: %s", config->runtime_dir,
		    BUDGET_NAME, mapfile_error(errno));
	return f;
}

static struct budget_book *
new_book(const struct config *config, struct budget_file *file)
{
	struct budget_book *b = calloc(1, sizeof(*b));

	if (b == NULL)
		fatal("out of memory");
	b->config = config;
	b->file = file;
	b->copy = mapfile_only_looks();
	b->user_fd = -1;
	budget_name_places(b);
	return b;
}

struct budget_book *
budget_open(const struct config *config, const struct budget_history *history,
    char *why, size_t size)
{
	struct budget_book *b;
	struct budget_now now;
	struct budget_file *f;

	if ((f = open_file(config, why, size)) == NULL)
		return NULL;
	b = new_book(config, f);
	b->history = history;
	if (budget_users_join(b, why, size) == -1 ||
	    budget_host_open(b, why, size) == -1) {
		budget_close(b);
		return NULL;
	}
	now = budget_clock();
	budget_lock(b);
	begin_boot(f, now);
	budget_adjust_clock(f, now);
	budget_unlock(b);
	if (budget_lock_placed(b, now) == -1) {
		snprintf(why, size,
		    "%s/%s: no room for a row for each client "
		    "and model with a budget: %s",
		    config->runtime_dir, BUDGET_NAME, strerror(errno));
		budget_close(b);
		return NULL;
	}
	if (f->built == 0 && !budget_journal_import(b))
		budget_build(b, now);
	budget_unlock(b);
	budget_catch_up(b);
	return b;
}

void
budget_close(struct budget_book *b)
{
	if (b == NULL)
		return;
	budget_host_close(b->host);
	if (b->user_fd != -1)
		close(b->user_fd);
	if (b->copy)
		budget_copy_free(b->file);
	else
		mapfile_close(b->file, sizeof(*b->file));
	free(b->clients);
	free(b->models);
	free(b);
}

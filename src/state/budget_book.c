/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the layout of the budgets' file: which row is whose, the lock, and
 * how it is put right after a crash.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/span.h"
#include "state/budget_internal.h"
#include "state/mapfile.h"
#include "state/process.h"

/* ---- The lock ---- */

static bool
try_lock(struct budget_file *f, uint64_t from)
{
	return atomic_compare_exchange_strong(&f->lock, &from, process_id());
}

void
budget_hold_cell(struct budget_file *f, const struct budget_cell *c, int sign)
{
	const int rows[2] = { c->client, c->model };

	for (int i = 0; i < 2; i++) {
		struct budget_row *r;

		if (rows[i] < 0 || rows[i] >= BUDGET_ROWS)
			continue;
		r = &f->rows[rows[i]];
		if (sign > 0) {
			r->held_tokens =
			    (uint64_t)budget_add(budget_amount(r->held_tokens),
				budget_amount(c->tokens));
			r->held_nanousd =
			    budget_add(r->held_nanousd, c->nanousd);
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
static void
repair(struct budget_file *f)
{
	for (int i = 0; i < BUDGET_ROWS; i++) {
		f->rows[i].held_tokens = 0;
		f->rows[i].held_nanousd = 0;
		f->rows[i].in_flight = 0;
	}
	for (int i = 0; i < BUDGET_CELLS; i++)
		if (f->cells[i].owner != 0)
			budget_hold_cell(f, &f->cells[i], 1);
}

void
budget_lock(struct budget_book *b)
{
	struct budget_file *f = b->file;

	pthread_mutex_lock(&b->mutex);
	for (unsigned tries = 1; !try_lock(f, 0); tries++) {
		uint64_t owner = atomic_load(&f->lock);

		if (tries % 64 != 0) {
			sched_yield();
			continue;
		}
		if (owner != 0 && !process_alive(owner) && try_lock(f, owner)) {
			log_warn("budget: put right after a process that died");
			repair(f);
			return;
		}
		usleep(100);
	}
}

void
budget_unlock(struct budget_book *b)
{
	atomic_store(&b->file->lock, 0);
	pthread_mutex_unlock(&b->mutex);
}

bool
budget_reap(struct budget_file *f)
{
	uint64_t alive = process_id(), dead = 0;
	bool found = false;

	for (int i = 0; i < BUDGET_CELLS; i++) {
		struct budget_cell *c = &f->cells[i];

		if (c->owner == 0 || c->owner == alive)
			continue;
		if (c->owner != dead && process_alive(c->owner)) {
			alive = c->owner;
			continue;
		}
		dead = c->owner;
		budget_hold_cell(f, c, -1);
		c->owner = 0;
		found = true;
	}
	return found;
}

/* ---- Opening ---- */

uint64_t
budget_key(char kind, struct span name)
{
	uint64_t h = (UINT64_C(0xcbf29ce484222325) ^ (unsigned char)kind) *
	    UINT64_C(0x100000001b3);

	for (size_t i = 0; i < name.len; i++)
		h = (h ^ (unsigned char)name.p[i]) * UINT64_C(0x100000001b3);
	return h == 0 ? 1 : h;
}

static bool
is_idle(const struct budget_row *r, struct budget_now now)
{
	return r->in_flight == 0 &&
	    r->month.period < budget_month(now.wall_ms) &&
	    r->day.period < budget_day(now.wall_ms);
}

/* The name's row, a free one, or one that nobody has used this month. */
static int
find_row(struct budget_file *f, uint64_t key, struct budget_now now)
{
	int found = -1;

	for (int i = 0; i < BUDGET_ROWS; i++) {
		if (f->keys[i] == key)
			return i;
		if (found == -1 && f->keys[i] == 0)
			found = i;
	}
	for (int i = 0; i < BUDGET_ROWS && found == -1; i++)
		if (is_idle(&f->rows[i], now))
			found = i;
	if (found == -1)
		return -1;
	memset(&f->rows[found], 0, sizeof(f->rows[found]));
	f->keys[found] = key;
	/* From now on it is in use, and nobody else's to take. */
	budget_roll(&f->rows[found], now);
	return found;
}

static int
find_rows(struct budget_book *b, struct budget_now now)
{
	const struct config *c = b->config;
	int row = 0;

	for (size_t i = 0; i < c->nclients && row != -1; i++)
		row = b->client_rows[i] = find_row(
		    b->file, budget_key('c', span_of(c->clients[i].name)), now);
	for (size_t i = 0; i < c->nmodels && row != -1; i++)
		row = b->model_rows[i] = find_row(
		    b->file, budget_key('m', span_of(c->models[i].id)), now);
	return row == -1 ? -1 : 0;
}

/* Which boot of the machine this is, as far as the system tells. */
static uint64_t
boot_of(void)
{
	char text[64] = "";
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? 0 : read(fd, text, sizeof(text));

	if (fd != -1)
		close(fd);
	return budget_key('b', (struct span){ text, n < 0 ? 0 : (size_t)n });
}

/* A file that outlived a boot knows neither of the clock nor of the time that
 * has passed: it is made again. */
static void
begin_boot(struct budget_file *f, struct budget_now now)
{
	uint64_t boot = boot_of();

	if (f->boot == boot)
		return;
	f->boot = boot;
	f->offset_ms = now.wall_ms - now.boot_ms;
	f->built = 0;
	f->reaped_ms = 0;
}

static struct budget_book *
new_book(const struct config *config, struct budget_file *file)
{
	struct budget_book *b = calloc(1, sizeof(*b));

	if (b == NULL || pthread_mutex_init(&b->mutex, NULL) != 0)
		fatal("out of memory");
	b->config = config;
	b->file = file;
	b->client_rows = calloc(config->nclients + 1, sizeof(int));
	b->model_rows = calloc(config->nmodels + 1, sizeof(int));
	if (b->client_rows == NULL || b->model_rows == NULL)
		fatal("out of memory");
	return b;
}

struct budget_book *
budget_open(const struct config *config, const struct budget_history *history,
    char *why, size_t size)
{
	struct budget_book *b;
	struct budget_now now;
	struct budget_file *f;
	int rc;

	if (process_open(config->runtime_dir, why, size) == -1)
		return NULL;
	f = mapfile_open(
	    config->runtime_dir, BUDGET_NAME, BUDGET_MAGIC, sizeof(*f));
	if (f == NULL) {
		snprintf(why, size, "%s/%s: %s", config->runtime_dir,
		    BUDGET_NAME, mapfile_error(errno));
		return NULL;
	}
	b = new_book(config, f);
	b->history = history;
	now = budget_clock();
	budget_lock(b);
	begin_boot(f, now);
	budget_watch_clock(f, now);
	rc = find_rows(b, now);
	if (rc == 0 && f->built == 0)
		budget_build(b, now);
	budget_unlock(b);
	if (rc == 0)
		budget_catch_up(b);
	if (rc == 0)
		return b;
	snprintf(why, size, "%s/%s: more than %d clients and models",
	    config->runtime_dir, BUDGET_NAME, BUDGET_ROWS);
	budget_close(b);
	return NULL;
}

void
budget_close(struct budget_book *b)
{
	if (b == NULL)
		return;
	mapfile_close(b->file, sizeof(*b->file));
	pthread_mutex_destroy(&b->mutex);
	free(b->client_rows);
	free(b->model_rows);
	free(b);
}

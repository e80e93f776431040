/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides which row of the budgets' file belongs to which name.
 *
 * Only a name with a budget has a row.  When a name gets its first budget, the
 * ledger says what it has used so far.  Rows have no blocks on the disk before
 * they are needed.  Rows of names that no longer have a budget are given to
 * others once they are idle, or when no row is left.  There is always one: the
 * file has more rows than a configuration can have names and reservations can
 * hold.
 */
#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/span.h"
#include "state/budget_internal.h"
#include "state/mapfile.h"

#define GROW_ROWS 256

_Static_assert(
    BUDGET_ROWS >= CONFIG_CLIENTS_MAX + CONFIG_MODELS_MAX + 2 * BUDGET_CELLS,
    "a row for each name, whatever reservations hold");

uint64_t
budget_key(char kind, struct span name)
{
	uint64_t h = hash_byte(HASH_SEED, (unsigned char)kind);

	return hash_not_0(hash_more(h, name.p, name.len));
}

/* ---- The index ---- */

struct budget_index {
	size_t size; /* a power of two */
	struct slot {
		uint64_t key; /* 0: free */
		int row;
	} * slots;
};

static struct slot *
slot_of(const struct budget_index *x, uint64_t key)
{
	size_t i = (size_t)(key ^ key >> 32) & (x->size - 1);

	while (x->slots[i].key != 0 && x->slots[i].key != key)
		i = (i + 1) & (x->size - 1);
	return &x->slots[i];
}

struct budget_index *
budget_index_new(const struct budget_file *f)
{
	struct budget_index *x = calloc(1, sizeof(*x));
	size_t n = 0;

	for (int i = 0; i < budget_nrows(f); i++)
		n += f->keys[i] != 0;
	if (x == NULL)
		fatal("out of memory");
	for (x->size = 16; x->size < 2 * n; x->size *= 2)
		continue;
	if ((x->slots = calloc(x->size, sizeof(*x->slots))) == NULL)
		fatal("out of memory");
	for (int i = 0; i < budget_nrows(f); i++)
		if (f->keys[i] != 0)
			*slot_of(x, f->keys[i]) =
			    (struct slot){ f->keys[i], i };
	return x;
}

int
budget_index_find(const struct budget_index *x, uint64_t key)
{
	const struct slot *s = slot_of(x, key);

	return s->key == 0 ? -1 : s->row;
}

void
budget_index_free(struct budget_index *x)
{
	free(x->slots);
	free(x);
}

/* ---- Rows for all names ---- */

/* One search for rows, under the lock. */
struct search {
	struct budget_file *file;
	struct budget_now now;
	int nrows; /* that have blocks */
	bool *ours; /* by row: a name of this configuration has it */
	int free_at, idle_at, other_at; /* the rows before it were searched */
};

static bool
is_idle(const struct budget_row *r, struct budget_now now)
{
	return r->in_flight == 0 &&
	    r->month.period < budget_month(now.wall_ms) &&
	    r->day.period < budget_day(now.wall_ms);
}

/* A free row, otherwise one that was not used this month, otherwise (if the
 * file can't grow) one of a name that has no budget here; -1: none. */
static int
next_row(struct search *s)
{
	struct budget_file *f = s->file;

	for (; s->free_at < s->nrows; s->free_at++)
		if (f->keys[s->free_at] == 0)
			return s->free_at++;
	for (; s->idle_at < s->nrows; s->idle_at++)
		if (!s->ours[s->idle_at] &&
		    is_idle(&f->rows[s->idle_at], s->now))
			return s->idle_at++;
	for (; s->nrows == BUDGET_ROWS && s->other_at < s->nrows; s->other_at++)
		if (!s->ours[s->other_at] &&
		    f->rows[s->other_at].in_flight == 0)
			return s->other_at++;
	return -1;
}

/* How many got none. */
static size_t
give_rows(struct search *s, struct budget_place *places, size_t n)
{
	struct budget_file *f = s->file;
	size_t missing = 0;

	for (size_t i = 0; i < n; i++) {
		int row;

		if (places[i].key == 0 || places[i].row != -1)
			continue;
		if (missing > 0 || (row = next_row(s)) == -1) {
			missing++;
			continue;
		}
		memset(&f->rows[row], 0, sizeof(f->rows[row]));
		budget_roll(&f->rows[row], s->now);
		if ((uint32_t)row >= f->nrows)
			f->nrows = (uint32_t)row + 1;
		f->keys[row] = places[i].key;
		s->ours[row] = true;
		places[i].row = row;
		/* The ledger says what it has used so far. */
		f->stale |= f->built;
	}
	return missing;
}

static void
find_existing(struct search *s, const struct budget_index *x,
    struct budget_place *places, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		places[i].row = places[i].key == 0
		    ? -1
		    : budget_index_find(x, places[i].key);
		if (places[i].row != -1)
			s->ours[places[i].row] = true;
	}
}

static int
rows_grown(const struct budget_book *b)
{
	const struct budget_file *f = b->file;
	size_t n;

	if (b->copy)
		return BUDGET_ROWS;
	n = (mapfile_grown(f) - offsetof(struct budget_file, rows)) /
	    sizeof(f->rows[0]);
	return n > BUDGET_ROWS ? BUDGET_ROWS : (int)n;
}

size_t
budget_place_rows(struct budget_book *b, struct budget_now now)
{
	struct search s = { .file = b->file,
		.now = now,
		.nrows = rows_grown(b),
		.ours = calloc(BUDGET_ROWS, sizeof(bool)) };
	struct budget_index *x = budget_index_new(b->file);
	size_t missing;

	if (s.ours == NULL)
		fatal("out of memory");
	find_existing(&s, x, b->clients, b->config->nclients);
	find_existing(&s, x, b->models, b->config->nmodels);
	missing = give_rows(&s, b->clients, b->config->nclients) +
	    give_rows(&s, b->models, b->config->nmodels);
	budget_index_free(x);
	free(s.ours);
	return missing;
}

int
budget_grow_rows(struct budget_book *b, size_t more)
{
	size_t n = (size_t)rows_grown(b) + more;

	n = (n + GROW_ROWS - 1) / GROW_ROWS * GROW_ROWS;
	if (n > BUDGET_ROWS)
		n = BUDGET_ROWS;
	return mapfile_grow(b->config->runtime_dir, BUDGET_NAME, b->file,
	    offsetof(struct budget_file, rows) + n * sizeof(b->file->rows[0]));
}

/* ---- Names ---- */

bool
budget_has(const struct budget *b)
{
	return b->nanousd_per_day != 0 || b->nanousd_per_month != 0 ||
	    b->requests_per_minute != 0 || b->tokens_per_minute != 0 ||
	    b->tokens_per_day != 0 || b->concurrent != 0;
}

void
budget_name_places(struct budget_book *b)
{
	const struct config *c = b->config;

	b->clients = calloc(c->nclients + 1, sizeof(*b->clients));
	b->models = calloc(c->nmodels + 1, sizeof(*b->models));
	if (b->clients == NULL || b->models == NULL)
		fatal("out of memory");
	for (size_t i = 0; i < c->nclients; i++)
		if (budget_has(&c->clients[i].budget))
			b->clients[i].key =
			    budget_key('c', span_of(c->clients[i].name));
	for (size_t i = 0; i < c->nmodels; i++)
		if (budget_has(&c->models[i].budget))
			b->models[i].key =
			    budget_key('m', span_of(c->models[i].id));
}

struct budget_row *
budget_row_of(struct budget_book *b, const struct budget_place *p, bool *lost)
{
	if (p == NULL || p->key == 0)
		return NULL;
	if (p->row == -1 || b->file->keys[p->row] != p->key) {
		*lost = true;
		return NULL;
	}
	return &b->file->rows[p->row];
}

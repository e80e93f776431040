/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the order in which named files are read, and which of several lines of
 * one request is counted.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "ledger/named.h"

/* ---- files -------------------------------------------------------------- */

static int
by_number(const void *a, const void *b)
{
	const struct ledger_part *x = a, *y = b;

	if (x->first_n != y->first_n)
		return x->first_n < y->first_n ? -1 : 1;
	return strcmp(x->path, y->path);
}

static bool
is_there(const struct ledger_part *files, size_t n, const struct ledger_part *f)
{
	for (size_t i = 0; i < n; i++)
		if (files[i].dev == f->dev && files[i].ino == f->ino)
			return true;
	return false;
}

int
ledger_named(
    const char *const *paths, size_t n, struct ledger_part **out, FILE *err)
{
	struct ledger_part *files = calloc(n + 1, sizeof(*files));
	size_t got = 0;

	if (files == NULL)
		fatal("out of memory");
	for (size_t i = 0; i < n; i++) {
		if (ledger_part_look(paths[i], &files[got]) == -1) {
			fprintf(err, "tailgate usage: %s: %s\n", paths[i],
			    strerror(errno));
			ledger_parts_free(files, got);
			return -1;
		}
		if (is_there(files, got, &files[got]))
			free(files[got].path);
		else
			got++;
	}
	qsort(files, got, sizeof(*files), by_number);
	*out = files;
	return (int)got;
}

/* ---- once --------------------------------------------------------------- */

struct seen {
	uint64_t id; /* hash; 0: free */
	unsigned hops; /* of the line that came through the fewest */
};

struct ledger_once {
	size_t size, used; /* size: a power of two */
	struct seen *table;
};

static struct seen *
place_of(struct seen *table, size_t size, uint64_t id)
{
	size_t i = id & (size - 1);

	while (table[i].id != 0 && table[i].id != id)
		i = (i + 1) & (size - 1);
	return &table[i];
}

static void
grow(struct ledger_once *o)
{
	size_t size = o->size == 0 ? 1024 : o->size * 2;
	struct seen *table = calloc(size, sizeof(*table));

	if (table == NULL)
		fatal("out of memory");
	for (size_t i = 0; i < o->size; i++)
		if (o->table[i].id != 0)
			*place_of(table, size, o->table[i].id) = o->table[i];
	free(o->table);
	o->table = table;
	o->size = size;
}

struct ledger_once *
ledger_once_new(void)
{
	struct ledger_once *o = calloc(1, sizeof(*o));

	if (o == NULL)
		fatal("out of memory");
	grow(o);
	return o;
}

void
ledger_once_free(struct ledger_once *o)
{
	if (o != NULL)
		free(o->table);
	free(o);
}

/* "office/laptop" came through one gateway before. */
static unsigned
hops_of(const struct ledger_line *l)
{
	unsigned n = 0;

	for (size_t i = 0; i < l->client.len; i++)
		n += l->client.p[i] == '/';
	return n;
}

static uint64_t
id_of(const struct ledger_line *l)
{
	return hash_not_0(hash_more(HASH_SEED, l->id.p, l->id.len));
}

/* Its place; *is_new: there was none. */
static struct seen *
enter(struct ledger_once *o, uint64_t id, bool *is_new)
{
	struct seen *s;

	if (o->used * 2 >= o->size)
		grow(o);
	s = place_of(o->table, o->size, id);
	*is_new = s->id == 0;
	s->id = id;
	o->used += *is_new;
	return s;
}

void
ledger_once_note(struct ledger_once *o, const struct ledger_line *l)
{
	unsigned hops = hops_of(l);
	struct seen *s;
	bool is_new;

	if (l->id.len == 0)
		return;
	s = enter(o, id_of(l), &is_new);
	if (is_new || hops < s->hops)
		s->hops = hops;
}

bool
ledger_once_again(struct ledger_once *o, const struct ledger_line *l)
{
	uint64_t h = hash_more(HASH_SEED, &l->n, sizeof(l->n));
	bool is_new;

	/* Lines from before hosts had names belong to at most one host. */
	h = hash_more(h, l->time.p, l->time.len);
	h = hash_more(h, l->id.p, l->id.len);
	enter(
	    o, hash_not_0(hash_more(h, l->gateway.p, l->gateway.len)), &is_new);
	return !is_new;
}

bool
ledger_once_is_first(const struct ledger_once *o, const struct ledger_line *l)
{
	const struct seen *s;

	if (l->id.len == 0)
		return true;
	s = place_of(o->table, o->size, id_of(l));
	return s->id == 0 || hops_of(l) <= s->hops;
}

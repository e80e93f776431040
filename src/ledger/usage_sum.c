/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Adds up ledger lines in groups: for `tailgate usage` and the status page.
 * Hides the table that finds a line's group; a line's names are compared as
 * written and decoded only for a new group.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/jscan.h"
#include "base/memory.h"
#include "base/sum.h"
#include "ledger/usage_sum.h"

#define TABLE_SIZE 65536 /* a power of two, well above the groups */
#define KEY_MAX 2560

struct group {
	struct usage_group group; /* first: callers see only it */
	uint64_t hash;
	char *key;
	size_t key_len;
};

struct usage_sum {
	enum usage_by columns[USAGE_BY_COUNT];
	size_t ncolumns;
	struct arena *arena;
	struct group **table;
	struct usage_group **groups;
	size_t ngroups;
	struct group *last, *other;
};

static const char *const names[USAGE_BY_COUNT] = { "client", "model",
	"provider", "upstream", "place", "host", "endpoint", "status",
	"refusal", "day", "month", "gateway", "session" };

const char *
usage_by_name(enum usage_by by)
{
	return (unsigned)by < USAGE_BY_COUNT ? names[by] : "?";
}

enum usage_by
usage_by_find(struct span name)
{
	unsigned i = 0;

	while (i < USAGE_BY_COUNT && !span_is(name, names[i]))
		i++;
	return i;
}

/* The model's name as USAGE_BY_MODEL has it. */
static struct span
usage_model(const struct ledger_line *l)
{
	if (l->route.len > 0 && l->route.p[l->route.len - 1] != '*')
		return l->route;
	return l->model;
}

static struct span
status_span(int64_t status)
{
	static _Thread_local char text[24];
	int n = snprintf(text, sizeof(text), "%lld", (long long)status);

	return (struct span){ text, (size_t)n };
}

/* t: NULL for a request that came to no try. */
static struct span
column(
    const struct ledger_line *l, const struct ledger_try *t, enum usage_by by)
{
	static const struct ledger_try none;

	if (t == NULL)
		t = &none;
	switch (by) {
	case USAGE_BY_CLIENT:
		return l->client;
	case USAGE_BY_MODEL:
		return usage_model(l);
	case USAGE_BY_PROVIDER:
		return t->provider;
	case USAGE_BY_UPSTREAM:
		return t->upstream_model;
	case USAGE_BY_PLACE:
		return t->place;
	case USAGE_BY_HOST:
		return t->host;
	case USAGE_BY_ENDPOINT:
		return l->endpoint;
	case USAGE_BY_STATUS:
		return status_span(l->status);
	case USAGE_BY_REFUSAL:
		return l->refusal;
	case USAGE_BY_DAY:
		return (struct span){ l->time.p, 10 };
	case USAGE_BY_MONTH:
		return (struct span){ l->time.p, 7 };
	case USAGE_BY_GATEWAY:
		return l->gateway;
	case USAGE_BY_SESSION:
		return l->session;
	default:
		return (struct span){ NULL, 0 };
	}
}

/* The columns' values one after the other, each ended by a quote, which none
 * of them can contain as written.  Names with so long a common beginning
 * count as one. */
static size_t
make_key(const struct usage_sum *s, const struct ledger_line *l,
    const struct ledger_try *t, char *key)
{
	size_t len = 0;

	for (size_t i = 0; i < s->ncolumns; i++) {
		struct span v = column(l, t, s->columns[i]);
		size_t room = KEY_MAX / USAGE_BY_COUNT - 1;

		if (v.len < room)
			room = v.len;
		if (room > 0)
			memcpy(key + len, v.p, room);
		len += room;
		key[len++] = '"';
	}
	return len;
}

static uint64_t
hash_of(const char *p, size_t len)
{
	uint64_t h = len, word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	word = 0;
	memcpy(&word, p, len);
	h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 32;
}

static const char *
decode(struct usage_sum *s, struct span raw)
{
	char *text = arena_alloc(s->arena, raw.len + 1);

	text[raw.len > 0 ? jscan_decode(raw, text) : 0] = '\0';
	return text;
}

static struct group *
new_group(struct usage_sum *s, const struct ledger_line *l,
    const struct ledger_try *t)
{
	struct group *e = arena_alloc(s->arena, sizeof(*e));

	for (size_t i = 0; i < s->ncolumns; i++)
		e->group.names[i] = l == NULL
		    ? "(other)"
		    : decode(s, column(l, t, s->columns[i]));
	s->groups[s->ngroups++] = &e->group;
	return e;
}

static struct group *
other_group(struct usage_sum *s)
{
	if (s->other == NULL)
		s->other = new_group(s, NULL, NULL);
	return s->other;
}

static bool
same(const struct group *e, uint64_t hash, const char *key, size_t len)
{
	return e->hash == hash && e->key_len == len &&
	    memcmp(e->key, key, len) == 0;
}

static struct group *
find_group(struct usage_sum *s, const struct ledger_line *l,
    const struct ledger_try *t)
{
	char key[KEY_MAX];
	size_t len = make_key(s, l, t, key), at;
	uint64_t hash = hash_of(key, len);
	struct group *e;

	/* Requests come in runs of the same kind. */
	if (s->last != NULL && same(s->last, hash, key, len))
		return s->last;
	for (at = hash % TABLE_SIZE; (e = s->table[at]) != NULL;
	     at = (at + 1) % TABLE_SIZE)
		if (same(e, hash, key, len))
			return s->last = e;
	if (s->ngroups >= USAGE_GROUPS_MAX)
		return other_group(s);
	e = s->table[at] = new_group(s, l, t);
	e->hash = hash;
	e->key = arena_alloc(s->arena, len);
	e->key_len = len;
	memcpy(e->key, key, len);
	return s->last = e;
}

void
usage_count_add(struct usage_count *to, const struct usage_count *c)
{
	to->requests += c->requests;
	to->tries += c->tries;
	to->failed += c->failed;
	to->estimated += c->estimated;
	to->unpriced += c->unpriced;
	to->input = sum_i64(to->input, c->input);
	to->cached = sum_i64(to->cached, c->cached);
	to->cache_write = sum_i64(to->cache_write, c->cache_write);
	to->output = sum_i64(to->output, c->output);
	to->reasoning = sum_i64(to->reasoning, c->reasoning);
	to->cost_nanousd = sum_i64(to->cost_nanousd, c->cost_nanousd);
	to->external += c->external;
	to->external_bytes = sum_i64(to->external_bytes, c->external_bytes);
	to->total_ms = sum_i64(to->total_ms, c->total_ms);
	to->lost += c->lost;
	to->lost_external += c->lost_external;
}

/* What a try used, in the group of where it went, which is returned. */
static struct group *
add_try(struct usage_sum *s, const struct ledger_line *l,
    const struct ledger_try *t)
{
	bool external = t->sent && span_is(t->place, "external");
	struct usage_count c = {
		.tries = 1,
		.estimated = span_is(t->usage, "estimated"),
		.unpriced = external && t->cost_nanousd < 0,
		.input = t->input,
		.cached = t->cached,
		.cache_write = t->cache_write,
		.output = t->output,
		.reasoning = t->reasoning,
		.cost_nanousd = t->cost_nanousd < 0 ? 0 : t->cost_nanousd,
		.external = external,
		.external_bytes = external ? t->bytes_sent : 0,
	};

	struct group *to = find_group(s, l, t);

	usage_count_add(&to->group.count, &c);
	return to;
}

/* The request itself, in the group of where it ended. */
static void
add_request(struct group *to, const struct ledger_line *l)
{
	struct usage_count c = {
		.requests = !l->gap,
		.failed = l->status >= 400,
		.total_ms = l->total_ms > 0 ? l->total_ms : 0,
		.lost = (uint64_t)l->lost,
		.lost_external = (uint64_t)l->lost_external,
	};

	usage_count_add(&to->group.count, &c);
}

void
usage_sum_add(struct usage_sum *s, const struct ledger_line *l)
{
	struct ledger_tries tries = { .begun = false };
	struct ledger_try t;
	struct group *last = NULL;

	while (ledger_try_next(&tries, l, &t))
		last = add_try(s, l, &t);
	add_request(last != NULL ? last : find_group(s, l, NULL), l);
}

struct usage_sum *
usage_sum_new(const enum usage_by *columns, size_t n)
{
	struct usage_sum *s = memory_zero(sizeof(*s));

	memcpy(s->columns, columns, n * sizeof(*columns));
	s->ncolumns = n;
	s->arena = arena_new();
	s->table = memory_zero(TABLE_SIZE * sizeof(*s->table));
	s->groups = memory_zero((USAGE_GROUPS_MAX + 1) * sizeof(*s->groups));
	return s;
}

void
usage_sum_reset(struct usage_sum *s)
{
	memset(s->table, 0, TABLE_SIZE * sizeof(*s->table));
	s->ngroups = 0;
	s->last = s->other = NULL;
	arena_reset(s->arena);
}

void
usage_sum_free(struct usage_sum *s)
{
	if (s == NULL)
		return;
	arena_free(s->arena);
	free(s->table);
	free(s->groups);
	free(s);
}

/* qsort has no context; a sum's order depends on its columns. */
static _Thread_local const struct usage_sum *sorting;

static int
descending(int64_t a, int64_t b)
{
	return (a < b) - (a > b);
}

static int
compare(const void *a, const void *b)
{
	const struct usage_group *x = *(struct usage_group *const *)a;
	const struct usage_group *y = *(struct usage_group *const *)b;
	int by = 0;

	for (size_t i = 0; i < sorting->ncolumns && by == 0; i++)
		if (sorting->columns[i] == USAGE_BY_DAY ||
		    sorting->columns[i] == USAGE_BY_MONTH)
			by = strcmp(x->names[i], y->names[i]);
	if (by == 0)
		by = descending(x->count.cost_nanousd, y->count.cost_nanousd);
	if (by == 0)
		by = descending(sum_i64(x->count.input, x->count.output),
		    sum_i64(y->count.input, y->count.output));
	if (by == 0)
		by = descending(
		    (int64_t)x->count.requests, (int64_t)y->count.requests);
	for (size_t i = 0; i < sorting->ncolumns && by == 0; i++)
		by = strcmp(x->names[i], y->names[i]);
	return by;
}

size_t
usage_sum_groups(struct usage_sum *s, struct usage_group ***out)
{
	sorting = s;
	if (s->ngroups > 1)
		qsort(s->groups, s->ngroups, sizeof(*s->groups), compare);
	*out = s->groups;
	return s->ngroups;
}

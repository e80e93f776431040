/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What GET /metrics reports: counters and histograms, to which each request is
 * added when it has ended (meters_internal.h).
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "state/mapfile.h"
#include "state/meters_internal.h"

const int64_t meters_bounds[METERS_BOUNDS] = { 5, 10, 25, 50, 100, 250, 500,
	1000, 2500, 5000, 10000, 30000, 60000, 120000, 300000, 600000 };

static void
count(struct meters_row *row, unsigned value, uint64_t by)
{
	atomic_fetch_add_explicit(
	    &row->values[value], by, memory_order_relaxed);
}

static void
observe(struct meters_row *row, unsigned first, int64_t ms)
{
	unsigned i = 0;

	while (i < METERS_BOUNDS && ms > meters_bounds[i])
		i++;
	count(row, first + i, 1);
	count(row, first + METERS_BOUNDS + 1, (uint64_t)ms);
}

/* ---- Adding a request ---- */

static const char *
or_none(const char *name)
{
	return name == NULL || *name == '\0' ? "none" : name;
}

/* An upstream may report any number. */
static const char *
status_text(int status)
{
	static const char known[][4] = { "200", "201", "202", "204", "206",
		"301", "302", "304", "307", "308", "400", "401", "402", "403",
		"404", "405", "408", "409", "410", "411", "413", "415", "422",
		"424", "425", "429", "499", "500", "501", "502", "503", "504",
		"520", "521", "522", "523", "524", "529" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const char *s = known[i];

		if ((s[0] - '0') * 100 + (s[1] - '0') * 10 + s[2] - '0' ==
		    status)
			return s;
	}
	return "other";
}

static const char *
reason_of(const struct entry *e)
{
	if (e->refusal != REFUSE_NONE)
		return refusal_spec(e->refusal)->code;
	if (e->client_gone)
		return "client_gone";
	return e->cut ? "cut" : "none";
}

static void
add_request(
    struct meters *m, const struct entry *e, const struct meters_label use[4])
{
	const struct meters_label l[] = { use[0], use[1], use[2],
		{ "status", status_text(e->status) },
		{ "reason", reason_of(e) } };
	struct meters_row *row = meters_row(m, KIND_REQUESTS, l, 5);

	if (row != NULL)
		count(row, 0, 1);
}

static void
add_bytes(
    struct meters *m, const struct entry *e, const struct meters_label use[4])
{
	struct meters_row *row = meters_row(m, KIND_USE, use, 4);

	if (row == NULL)
		return;
	count(row, USE_BYTES_IN, e->bytes_in);
	count(row, USE_BYTES_OUT, e->bytes_out);
}

static void
add_use(struct meters *m, const struct entry_try *t,
    const struct meters_label use[4])
{
	const struct usage *u = &t->usage;
	struct meters_row *row = meters_row(m, KIND_USE, use, 4);

	if (row == NULL)
		return;
	count(row, USE_INPUT, u->input);
	count(row, USE_CACHED, u->cached);
	count(row, USE_CACHE_WRITE, u->cache_write);
	count(row, USE_OUTPUT, u->output);
	count(row, USE_REASONING, u->reasoning);
	if (t->cost_nanousd > 0)
		count(row, USE_COST, (uint64_t)t->cost_nanousd);
	count(row, USE_BYTES_SENT, t->bytes_sent);
	count(row, USE_SENT, 1);
	count(row, USE_ESTIMATED, !u->reported);
	count(row, USE_UNPRICED,
	    t->place == PLACE_EXTERNAL && t->cost_nanousd < 0);
}

/* total_ms: -1 for a try that was not the last. */
static void
add_time(struct meters *m, const struct entry_try *t, int64_t total_ms,
    const struct meters_label use[4])
{
	struct meters_row *row = meters_row(m, KIND_TIME, use + 1, 2);

	if (row == NULL)
		return;
	if (t->first_byte_ms >= 0)
		observe(row, TIME_FIRST_BYTE, t->first_byte_ms);
	if (total_ms >= 0)
		observe(row, TIME_TOTAL, total_ms);
}

static void
add_wait(struct meters *m, const struct entry_try *t)
{
	for (size_t i = 0; i < m->config->nproviders; i++) {
		const struct provider *p = &m->config->providers[i];
		struct meters_row *row;

		if (strcmp(p->name, t->provider) != 0)
			continue;
		if (p->limit == NULL)
			return;
		row = meters_row(m, KIND_WAIT,
		    &(struct meters_label){ "limit", p->limit->name }, 1);
		if (row != NULL)
			observe(row, 0, t->queue_ms);
		return;
	}
}

static void
add_try(struct meters *m, const struct entry *e, const struct entry_try *t,
    const struct meters_label use[4])
{
	if (t->sent) {
		add_use(m, t, use);
		add_time(m, t, t == entry_last(e) ? e->total_ms : -1, use);
	}
	if (t->queue_ms >= 0)
		add_wait(m, t);
}

/* t: NULL for a request that came to no try. */
static void
label_use(const struct entry *e, const struct entry_try *t,
    struct meters_label use[4])
{
	use[0] = (struct meters_label){ "client",
		or_none(
		    e->client_entry != NULL ? e->client_entry : e->client) };
	use[1] = (struct meters_label){ "model", or_none(e->route) };
	use[2] = (struct meters_label){ "provider",
		or_none(t == NULL ? NULL : t->provider) };
	use[3] = (struct meters_label){ "place",
		t == NULL ? "none" : place_name(t->place) };
}

void
meters_add(struct meters *m, const struct entry *e)
{
	struct meters_label use[4];

	label_use(e, entry_last(e), use);
	add_request(m, e, use);
	/* Without a try it used nothing but the bytes it brought. */
	if (e->ntries == 0)
		return;
	add_bytes(m, e, use);
	for (size_t i = 0; i < e->ntries; i++) {
		label_use(e, &e->tries[i], use);
		add_try(m, e, &e->tries[i], use);
	}
}

/* ---- This process's own ---- */

static struct meters_cell *
my_cell(struct meters *m)
{
	int index = process_index();
	struct meters_cell *c;

	if (index < 0 || index >= PROCESS_MAX)
		return NULL;
	c = &m->file->cells[index];
	/* Otherwise the values are those of a dead process. */
	if (atomic_load(&c->owner) != process_id()) {
		pthread_mutex_lock(&m->mutex);
		if (atomic_load(&c->owner) != process_id()) {
			atomic_store(&c->busy, 0);
			atomic_store(&c->unwritten, 0);
			atomic_store(&c->unlogged, 0);
			atomic_store(&c->sandbox, 0);
			atomic_store(&c->turn_us, 0);
			atomic_store(&c->capacity, 0);
			atomic_store(&c->store, STORE_NONE);
			atomic_store(&c->owner, process_id());
		}
		pthread_mutex_unlock(&m->mutex);
	}
	return c;
}

void
meters_busy(struct meters *m, int delta)
{
	struct meters_cell *c = my_cell(m);

	if (c != NULL)
		atomic_fetch_add(&c->busy, delta);
}

void
meters_capacity(struct meters *m, unsigned requests)
{
	struct meters_cell *c = my_cell(m);

	if (c != NULL)
		atomic_store(&c->capacity, requests);
}

void
meters_turn(struct meters *m, int64_t ns)
{
	struct meters_cell *c = my_cell(m);
	unsigned us = ns / 1000 < UINT_MAX ? (unsigned)(ns / 1000) : UINT_MAX;

	if (c != NULL && us > atomic_load(&c->turn_us))
		atomic_store(&c->turn_us, us);
}

unsigned
meters_longest_turn_us(struct meters *m)
{
	unsigned longest = 0;

	for (int i = 0; i < PROCESS_MAX; i++) {
		const struct meters_cell *c = &m->file->cells[i];
		uint64_t owner = atomic_load(&c->owner);
		unsigned us = atomic_load(&c->turn_us);

		if (us > longest && owner != 0 && process_alive(owner))
			longest = us;
	}
	return longest;
}

void
meters_unwritten(void *meters, int delta)
{
	struct meters_cell *c = my_cell(meters);

	if (c != NULL)
		atomic_fetch_add(&c->unwritten, delta);
}

void
meters_unlogged(void *meters, int delta)
{
	struct meters_cell *c = my_cell(meters);

	if (c != NULL)
		atomic_fetch_add(&c->unlogged, delta);
}

void
meters_sandbox(struct meters *m, unsigned force)
{
	struct meters_cell *c = my_cell(m);

	if (c != NULL)
		atomic_store(&c->sandbox, force);
}

bool
meters_sandbox_least(struct meters *m, unsigned *force)
{
	bool any = false;

	*force = ~0u;
	for (int i = 0; i < PROCESS_MAX; i++) {
		struct meters_cell *c = &m->file->cells[i];
		uint64_t owner = atomic_load(&c->owner);

		if (owner == 0 || !process_alive(owner))
			continue;
		*force &= atomic_load(&c->sandbox);
		any = true;
	}
	return any;
}

void
meters_store(struct meters *m, const struct meters_store *store)
{
	struct meters_cell *c = my_cell(m);

	atomic_fetch_add(&m->file->store_calls, store->calls - m->store.calls);
	atomic_fetch_add(
	    &m->file->store_failed, store->failed - m->store.failed);
	m->store = *store;
	if (c == NULL)
		return;
	atomic_store(&c->store_since_ms, store->since_wall_ms);
	atomic_store(&c->store_us, store->mean_us);
	atomic_store(&c->store, store->up ? STORE_UP : STORE_DOWN);
}

bool
meters_store_sum(struct meters *m, struct meters_store_sum *sum)
{
	*sum = (struct meters_store_sum){
		.calls = atomic_load(&m->file->store_calls),
		.failed = atomic_load(&m->file->store_failed),
	};
	for (int i = 0; i < PROCESS_MAX; i++) {
		struct meters_cell *c = &m->file->cells[i];
		uint64_t owner = atomic_load(&c->owner);
		unsigned state = atomic_load(&c->store);
		int64_t since_ms = atomic_load(&c->store_since_ms);

		if (state == STORE_NONE || owner == 0 || !process_alive(owner))
			continue;
		if (since_ms > sum->since_wall_ms)
			sum->since_wall_ms = since_ms;
		if (state == STORE_UP) {
			sum->up++;
			sum->mean_us += atomic_load(&c->store_us);
		} else
			sum->away++;
	}
	if (sum->up > 0)
		sum->mean_us /= sum->up;
	return sum->up + sum->away > 0;
}

/* ---- Opening ---- */

struct meters *
meters_open(const struct config *config, char *why, size_t size)
{
	struct meters *m;

	if ((mapfile_only_looks()
		    ? process_look(config->runtime_dir, why, size)
		    : process_open(config->runtime_dir, why, size)) == -1)
		return NULL;
	m = calloc(1, sizeof(*m));
	if (m == NULL || pthread_mutex_init(&m->mutex, NULL) != 0)
		fatal("out of memory");
	m->config = config;
	m->file = mapfile_open(config->runtime_dir, METERS_NAME,
	    MAPFILE_MAGIC(METERS_MAGIC), sizeof(*m->file));
	if (m->file != NULL)
		return m;
	snprintf(why, size, "%s/%s: %s", config->runtime_dir, METERS_NAME,
	    mapfile_error(errno));
	meters_close(m);
	return NULL;
}

void
meters_close(struct meters *m)
{
	if (m == NULL)
		return;
	if (m->file != NULL)
		mapfile_close(m->file, sizeof(*m->file));
	pthread_mutex_destroy(&m->mutex);
	free(m);
}

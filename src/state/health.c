/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The rows of runtime_dir/health: asked before a request is sent to a
 * provider, told afterwards how it went.  What a circuit does is decided in
 * circuit.c; here are its words, the mapped file and who may change what.
 */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "state/circuit.h"
#include "state/health.h"
#include "state/health_models.h"
#include "state/mapfile.h"
#include "state/process.h"

#define HEALTH_MAGIC UINT64_C(0x7467686c74680001) /* "tghlth", version 1 */
#define ROWS \
	512 /* twice CONFIG_PROVIDERS_MAX: a reload that renames
			   all of them still finds room */
#define TURNS 1024
#define SAMPLES 32
#define LEASE_SLACK_MS 5000
#define SEEN_MS 500

struct row {
	_Alignas(64) _Atomic uint64_t key; /* 0: free */
	_Atomic uint64_t circuit;
	_Atomic int64_t since_wall_ms;
	_Atomic int64_t used_wall_ms;
	_Atomic uint64_t last_error; /* outcome and wall ms */
	_Atomic uint64_t requests, errors;
	_Atomic uint32_t next; /* of samples */
	_Atomic uint32_t p50; /* ms + 1; 0: not known */
	_Alignas(64) _Atomic uint32_t samples[SAMPLES]; /* ms + 1 */
};

struct turn {
	_Atomic uint64_t key;
	_Atomic uint32_t next;
};

/* What one process has in flight; read as nothing once it is dead, zeroed by
 * the next one of its index. */
struct cells {
	_Alignas(64) _Atomic uint64_t process_id;
	_Atomic uint16_t all;
	_Atomic uint16_t row[ROWS];
};

struct map {
	struct row rows[ROWS];
	struct turn turns[TURNS];
	_Atomic uint32_t top; /* no index from here on was ever used */
	struct cells cells[PROCESS_MAX];
};

_Static_assert(PROCESS_MAX <= CIRCUIT_OWNERS, "a trial's owner must fit");

struct health {
	struct map *map;
	struct health_models *models;
	const struct config *config;
	struct cells *self;
	unsigned self_index;
	struct row *rows[CONFIG_PROVIDERS_MAX]; /* by provider's index */
	/* When others were last seen alive: asking the kernel costs more than
	 * all the rest of a request's facts. */
	_Atomic int64_t seen_ms[PROCESS_MAX];
};

/* What this thread has under way: it serves one request at a time, with one
 * provider at a time. */
static _Thread_local struct {
	const struct row *trial_row;
	uint64_t trial_word;
	const struct row *begun;
} current;

static const char *const outcome_names[] = {
	[HEALTH_OK] = "ok",
	[HEALTH_CONNECT] = "no connection",
	[HEALTH_TIMEOUT] = "timeout",
	[HEALTH_ERROR] = "error",
	[HEALTH_LOADING] = "model loading",
	[HEALTH_RATE_LIMITED] = "rate limited",
	[HEALTH_ABANDONED] = "abandoned",
	[HEALTH_ACCOUNT] = "key or account not accepted",
	[HEALTH_NO_MODEL] = "no such model",
	[HEALTH_MODEL_LIMITED] = "one model rate limited",
	[HEALTH_MODEL_LOADING] = "one model loading",
};
#define OUTCOMES (sizeof(outcome_names) / sizeof(outcome_names[0]))

const char *
health_outcome_name(enum health_outcome outcome)
{
	return outcome_names[outcome];
}

/* FNV-1a; never 0. */
static uint64_t
key_of(const char *name)
{
	return hash_not_0(hash_more(HASH_SEED, name, strlen(name)));
}

static void
row_clear(struct map *map, struct row *row)
{
	atomic_store(&row->circuit, 0);
	atomic_store(&row->since_wall_ms, 0);
	atomic_store(&row->last_error, 0);
	atomic_store(&row->requests, 0);
	atomic_store(&row->errors, 0);
	atomic_store(&row->p50, 0);
	for (size_t i = 0; i < SAMPLES; i++)
		atomic_store(&row->samples[i], 0);
	for (size_t i = 0; i < PROCESS_MAX; i++)
		atomic_store(&map->cells[i].row[row - map->rows], 0);
}

/* All rows are taken: the one whose provider nobody has named for longest. */
static struct row *
row_reuse(struct map *map, uint64_t key)
{
	struct row *oldest = &map->rows[0];
	uint64_t old;

	for (size_t i = 1; i < ROWS; i++)
		if (atomic_load(&map->rows[i].used_wall_ms) <
		    atomic_load(&oldest->used_wall_ms))
			oldest = &map->rows[i];
	old = atomic_load(&oldest->key);
	if (!atomic_compare_exchange_strong(&oldest->key, &old, key))
		return NULL;
	row_clear(map, oldest);
	return oldest;
}

static struct row *
row_find(struct map *map, uint64_t key)
{
	struct row *row;

	do {
		for (size_t i = 0; i < ROWS; i++) {
			uint64_t seen = 0;

			row = &map->rows[(key + i) % ROWS];
			if (atomic_compare_exchange_strong(
				&row->key, &seen, key) ||
			    seen == key)
				return row;
		}
	} while ((row = row_reuse(map, key)) == NULL);
	return row;
}

static void
trial_give_back(struct row *row, unsigned owner)
{
	uint64_t word = atomic_load(&row->circuit);
	struct circuit_view v = circuit_view(word);

	if (v.state == CIRCUIT_TRIAL && v.owner == owner)
		atomic_compare_exchange_strong(&row->circuit, &word,
		    circuit_abandoned(word, true, clock_now_ms()));
}

/* Ends what whoever had our index before us left behind. */
static void
take_over(struct health *h)
{
	uint32_t top = atomic_load(&h->map->top);

	h->self_index = (unsigned)process_index();
	h->self = &h->map->cells[h->self_index];
	if (atomic_load(&h->self->process_id) != process_id()) {
		atomic_store(&h->self->all, 0);
		for (size_t i = 0; i < ROWS; i++) {
			atomic_store(&h->self->row[i], 0);
			trial_give_back(&h->map->rows[i], h->self_index);
		}
		atomic_store(&h->self->process_id, process_id());
	}
	while (top <= h->self_index &&
	    !atomic_compare_exchange_weak(
		&h->map->top, &top, h->self_index + 1))
		continue;
}

/* A provider that nobody has asked yet shares a row that says nothing. */
static void
look_at_rows(struct health *h)
{
	static struct row never_asked;

	h->self_index = PROCESS_MAX;
	for (size_t i = 0; i < h->config->nproviders; i++) {
		uint64_t key = key_of(h->config->providers[i].name);

		h->rows[i] = &never_asked;
		for (size_t at = 0; at < ROWS; at++) {
			struct row *row = &h->map->rows[(key + at) % ROWS];

			if (atomic_load(&row->key) == key)
				h->rows[i] = row;
		}
	}
}

static unsigned
asked_by(const struct health *h, unsigned process, const struct row *row)
{
	return row < h->map->rows || row >= h->map->rows + ROWS
	    ? 0
	    : atomic_load(&h->map->cells[process].row[row - h->map->rows]);
}

struct health *
health_open(const struct config *config, char *why, size_t size)
{
	struct health *h;

	if (mapfile_check_dir(config->runtime_dir, why, size) == -1 ||
	    (mapfile_only_looks()
		    ? process_look(config->runtime_dir, why, size)
		    : process_open(config->runtime_dir, why, size)) == -1)
		return NULL;
	if ((h = calloc(1, sizeof(*h))) == NULL)
		fatal("out of memory for the providers' health");
	h->config = config;
	h->map = mapfile_open(
	    config->runtime_dir, "health", HEALTH_MAGIC, sizeof(*h->map));
	if (h->map == NULL) {
		snprintf(why, size, "%s/health: %s", config->runtime_dir,
		    mapfile_error(errno));
		free(h);
		return NULL;
	}
	h->models = health_models_open(config);
	if (h->models == NULL) {
		snprintf(why, size, "%s/models: %s", config->runtime_dir,
		    mapfile_error(errno));
		mapfile_close(h->map, sizeof(*h->map));
		free(h);
		return NULL;
	}
	if (mapfile_only_looks()) {
		look_at_rows(h);
		return h;
	}
	take_over(h);
	for (size_t i = 0; i < config->nproviders; i++) {
		h->rows[i] =
		    row_find(h->map, key_of(config->providers[i].name));
		atomic_store(&h->rows[i]->used_wall_ms, clock_wall_ms());
	}
	return h;
}

void
health_close(struct health *h)
{
	if (h == NULL)
		return;
	health_models_close(h->models);
	mapfile_close(h->map, sizeof(*h->map));
	free(h);
}

/* How long an honest trial may keep silent. */
static int64_t
lease_ms(const struct provider *p)
{
	return (p->limit == NULL ? 0 : p->limit->wait_ms) +
	    (1 + (int64_t)p->retries) * p->timeouts.connect_ms +
	    p->timeouts.first_byte_ms + LEASE_SLACK_MS;
}

static bool
alive(struct health *h, unsigned index, int64_t now_ms)
{
	int64_t seen_ms = atomic_load(&h->seen_ms[index]);

	if (index == h->self_index ||
	    (seen_ms != 0 && now_ms - seen_ms < SEEN_MS))
		return true;
	if (!process_alive(atomic_load(&h->map->cells[index].process_id)))
		return false;
	atomic_store(&h->seen_ms[index], now_ms);
	return true;
}

static int64_t
open_ms(
    struct health *h, const struct provider *p, uint64_t word, int64_t now_ms)
{
	struct circuit_view v = circuit_view(word);
	bool dead;

	if (v.state == CIRCUIT_CLOSED || p->circuit.failures == 0)
		return 0;
	dead = v.state == CIRCUIT_TRIAL && !alive(h, v.owner, now_ms);
	return circuit_open_ms(word, &p->circuit, lease_ms(p), dead, now_ms);
}

bool
health_admit(
    struct health *h, const struct provider *p, bool *trial, int64_t *wait_ms)
{
	struct row *row = h->rows[p->index];
	uint64_t word = atomic_load(&row->circuit), next;
	int64_t now_ms;

	*trial = false;
	do {
		now_ms = clock_now_ms();
		*wait_ms = open_ms(h, p, word, now_ms);
		if (*wait_ms >= 0)
			return *wait_ms == 0;
		next = circuit_begin_trial(
		    word, h->self_index, now_ms + lease_ms(p));
	} while (!atomic_compare_exchange_weak(&row->circuit, &word, next));
	current.trial_row = row;
	current.trial_word = next;
	*wait_ms = 0;
	*trial = true;
	return true;
}

void
health_begin(struct health *h, const struct provider *p)
{
	struct row *row = h->rows[p->index];

	atomic_fetch_add(&row->requests, 1);
	atomic_fetch_add(&h->self->all, 1);
	atomic_fetch_add(&h->self->row[row - h->map->rows], 1);
	current.begun = row;
}

static uint64_t
after(uint64_t word, bool mine, const struct provider *p,
    enum health_outcome outcome, int64_t retry_after_ms)
{
	switch (outcome) {
	case HEALTH_OK:
	case HEALTH_NO_MODEL:
	case HEALTH_MODEL_LIMITED:
	case HEALTH_MODEL_LOADING:
		return circuit_answered(word, mine);
	case HEALTH_CONNECT:
	case HEALTH_TIMEOUT:
	case HEALTH_ERROR:
	case HEALTH_ACCOUNT:
		return circuit_failed(word, mine, &p->circuit, clock_now_ms());
	case HEALTH_LOADING:
		return circuit_loading(word, mine, clock_now_ms());
	case HEALTH_RATE_LIMITED:
		return circuit_rate_limited(
		    word, mine, &p->circuit, retry_after_ms, clock_now_ms());
	case HEALTH_ABANDONED:
		break;
	}
	return circuit_abandoned(word, mine, clock_now_ms());
}

static void
changed(struct row *row, const struct provider *p, uint64_t from, uint64_t to,
    enum health_outcome outcome)
{
	struct circuit_view old = circuit_view(from), new = circuit_view(to);

	if (old.state == new.state && old.until_ms == new.until_ms)
		return;
	if (old.state == CIRCUIT_CLOSED || new.state == CIRCUIT_CLOSED)
		atomic_store(&row->since_wall_ms, clock_wall_ms());
	if (new.state == CIRCUIT_CLOSED)
		log_info("provider %s: answers again", p->name);
	else if (outcome != HEALTH_ABANDONED)
		log_warn("provider %s: %s, %u failures in a row, left alone "
			 "for %lld ms",
		    p->name, outcome_names[outcome], new.failures,
		    (long long)(new.until_ms - clock_now_ms()));
}

static void
circuit_change(struct row *row, const struct provider *p, bool trial,
    enum health_outcome outcome, int64_t retry_after_ms)
{
	uint64_t word = atomic_load(&row->circuit), next;
	bool mine;

	do {
		mine = trial && current.trial_row == row &&
		    current.trial_word == word;
		next = after(word, mine, p, outcome, retry_after_ms);
		if (next == word)
			return;
	} while (!atomic_compare_exchange_weak(&row->circuit, &word, next));
	changed(row, p, word, next, outcome);
}

/* The lower middle of the samples there are. */
static uint32_t
median(const struct row *row)
{
	uint32_t sorted[SAMPLES];
	size_t n = 0, at;

	for (size_t i = 0; i < SAMPLES; i++) {
		uint32_t sample = atomic_load_explicit(
		    &row->samples[i], memory_order_relaxed);

		if (sample == 0)
			continue;
		for (at = n++; at > 0 && sorted[at - 1] > sample; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = sample;
	}
	return n == 0 ? 0 : sorted[(n - 1) / 2];
}

static void
sample_add(struct row *row, int64_t ms)
{
	uint32_t at = atomic_fetch_add(&row->next, 1) % SAMPLES;

	if (ms > UINT32_MAX - 1)
		ms = UINT32_MAX - 1;
	atomic_store(&row->samples[at], (uint32_t)ms + 1);
	atomic_store(&row->p50, median(row));
}

static void
error_note(struct row *row, enum health_outcome outcome)
{
	atomic_fetch_add(&row->errors, 1);
	atomic_store(&row->last_error,
	    (uint64_t)outcome << 56 | (uint64_t)clock_wall_ms());
}

void
health_answered(struct health *h, const struct provider *p, bool trial)
{
	circuit_change(h->rows[p->index], p, trial, HEALTH_OK, 0);
}

static void
count_down(_Atomic uint16_t *cell)
{
	uint16_t n = atomic_load(cell);

	while (n > 0 && !atomic_compare_exchange_weak(cell, &n, n - 1))
		continue;
}

void
health_report(struct health *h, const struct provider *p, bool trial,
    enum health_outcome outcome, int64_t retry_after_ms, int64_t first_byte_ms)
{
	struct row *row = h->rows[p->index];

	if (current.begun == row) {
		current.begun = NULL;
		count_down(&h->self->row[row - h->map->rows]);
		count_down(&h->self->all);
	}
	circuit_change(row, p, trial, outcome, retry_after_ms);
	if (trial)
		current.trial_row = NULL;
	if (outcome == HEALTH_OK && first_byte_ms >= 0)
		sample_add(row, first_byte_ms);
	if (outcome != HEALTH_OK && outcome != HEALTH_ABANDONED)
		error_note(row, outcome);
}

int64_t
health_model_open_ms(
    struct health *h, const struct provider *p, const char *model)
{
	return health_models_open_ms(h->models, p, model);
}

void
health_model_report(struct health *h, const struct provider *p,
    const char *model, enum health_outcome outcome, int64_t retry_after_ms)
{
	bool limited = outcome == HEALTH_MODEL_LIMITED;
	int64_t ms = limited ? retry_after_ms : FACTS_LOADING_MS;

	if (p->circuit.failures == 0 || ms <= 0 ||
	    (!limited && outcome != HEALTH_MODEL_LOADING))
		return;
	if (limited && ms > p->circuit.cooldown_max_ms)
		ms = p->circuit.cooldown_max_ms;
	health_models_hold(h->models, p, model, limited, ms);
	log_warn("provider %s: %s, left alone for %lld ms: %s", p->name,
	    outcome_names[outcome], (long long)ms, model);
}

void
health_each_held(struct health *h, const struct provider *p,
    void (*each)(void *, const struct health_held *), void *ctx)
{
	health_models_each(h->models, p, each, ctx);
}

void
health_held_facts(struct health *h, struct arena *arena, struct facts *facts)
{
	facts->held = health_models_facts(h->models, arena, &facts->nheld);
}

void
health_facts(struct health *h, struct facts_provider *out)
{
	unsigned top = atomic_load(&h->map->top);
	int64_t now_ms = clock_now_ms();

	for (size_t i = 0; i < h->config->nproviders; i++)
		out[i] = (struct facts_provider){
			.open_ms = open_ms(h, &h->config->providers[i],
			    atomic_load(&h->rows[i]->circuit), now_ms),
			.first_byte_ms =
			    (int64_t)atomic_load(&h->rows[i]->p50) - 1,
		};
	for (unsigned p = 0; p < top && p < PROCESS_MAX; p++) {
		struct cells *cells = &h->map->cells[p];

		if (atomic_load(&cells->all) == 0 || !alive(h, p, now_ms))
			continue;
		for (size_t i = 0; i < h->config->nproviders; i++)
			out[i].in_flight += asked_by(h, p, h->rows[i]);
	}
}

static unsigned
in_flight(struct health *h, const struct row *row)
{
	unsigned top = atomic_load(&h->map->top), sum = 0, n;

	for (unsigned i = 0; i < top && i < PROCESS_MAX; i++) {
		n = asked_by(h, i, row);
		if (n != 0 && alive(h, i, clock_now_ms()))
			sum += n;
	}
	return sum;
}

void
health_row(struct health *h, const struct provider *p, struct health_row *out)
{
	const struct row *row = h->rows[p->index];
	uint64_t word = atomic_load(&row->circuit);
	uint64_t error = atomic_load(&row->last_error);
	struct circuit_view v = circuit_view(word);

	*out = (struct health_row){
		.state = "open",
		.failures = v.failures,
		.since_wall_ms = atomic_load(&row->since_wall_ms),
		.open_ms = open_ms(h, p, word, clock_now_ms()),
		.last_error = error >> 56 < OUTCOMES ? error >> 56 : HEALTH_OK,
		.last_error_wall_ms = error & ((UINT64_C(1) << 56) - 1),
		.first_byte_p50_ms = (int64_t)atomic_load(&row->p50) - 1,
		.in_flight = in_flight(h, row),
		.requests = atomic_load(&row->requests),
		.errors = atomic_load(&row->errors),
	};
	if (out->open_ms == 0)
		out->state = "closed";
	else if (out->open_ms < 0 || v.state == CIRCUIT_TRIAL)
		out->state = "half-open";
}

/* A model that finds no row of its own shares one. */
uint32_t
health_turn(struct health *h, const struct model *model)
{
	uint64_t key = key_of(model->id), seen;
	struct turn *turn = NULL;

	for (size_t i = 0; i < TURNS; i++) {
		turn = &h->map->turns[(key + i) % TURNS];
		seen = atomic_load(&turn->key);
		if (seen == key ||
		    (seen == 0 &&
			(atomic_compare_exchange_strong(
			     &turn->key, &seen, key) ||
			    seen == key)))
			break;
	}
	return atomic_fetch_add(&turn->next, 1);
}

/* Whoever is dead counts for nothing as soon as we look again. */
void
health_process_ended(struct health *h, int pid)
{
	(void)pid;
	for (size_t i = 0; i < PROCESS_MAX; i++)
		atomic_store(&h->seen_ms[i], 0);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The circuits of the providers: checked before a request is sent, updated
 * after it has ended.  circuit.c decides what a circuit does; this file changes
 * its word and counts.
 */
#include "config.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/task.h"
#include "state/health_internal.h"
#include "state/health_models.h"

_Static_assert(
    sizeof(struct health_under_way) <= TASK_LOCAL_BYTES, "a task's own memory");

struct health_under_way *
health_under_way(void)
{
	return task_local();
}

static const char *const outcome_names[HEALTH_OUTCOMES] = {
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
	[HEALTH_KEY] = "one key refused or limited",
};

const char *
health_outcome_name(enum health_outcome outcome)
{
	return outcome_names[outcome];
}

/* The host's own circuit. */
static bool
admit(struct health *h, const struct provider *p, bool *trial, int64_t *wait_ms)
{
	struct health_entry *row = h->rows[p->index];
	uint64_t word = atomic_load(&row->circuit), next;
	int64_t now_ms;

	*trial = false;
	do {
		now_ms = clock_now_ms();
		*wait_ms = health_open_ms(h, p, word, now_ms);
		if (*wait_ms >= 0)
			return *wait_ms == 0;
		next = circuit_begin_trial(
		    word, h->self_index, now_ms + health_lease_ms(p));
	} while (!atomic_compare_exchange_weak(&row->circuit, &word, next));
	health_under_way()->trial_row = row;
	health_under_way()->trial_word = next;
	*wait_ms = 0;
	*trial = true;
	return true;
}

bool
health_admit(
    struct health *h, const struct provider *p, bool *trial, int64_t *wait_ms)
{
	struct health_entry *row = h->rows[p->index];

	*trial = false;
	*wait_ms =
	    health_open_ms(h, p, atomic_load(&row->circuit), clock_now_ms());
	if (*wait_ms > 0 || !health_fleet_admit(h, p, wait_ms))
		return false;
	if (!admit(h, p, trial, wait_ms)) {
		health_fleet_report(h, p, 0, 0, HEALTH_ABANDONED, 0);
		return false;
	}
	*trial = *trial || health_under_way()->fleet_row == row;
	return true;
}

void
health_begin(struct health *h, const struct provider *p)
{
	struct health_entry *row = h->rows[p->index];

	atomic_fetch_add(&row->requests, 1);
	atomic_fetch_add(&h->self->all, 1);
	atomic_fetch_add(&h->self->row[row - h->map->rows], 1);
	health_under_way()->begun = row;
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
	case HEALTH_KEY:
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
changed(struct health_entry *row, const struct provider *p, uint64_t from,
    uint64_t to, enum health_outcome outcome)
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
circuit_change(struct health *h, const struct provider *p, bool trial,
    enum health_outcome outcome, int64_t retry_after_ms)
{
	struct health_entry *row = h->rows[p->index];
	uint64_t word = atomic_load(&row->circuit), next;
	bool mine;

	do {
		mine = trial && health_under_way()->trial_row == row &&
		    health_under_way()->trial_word == word;
		next = after(word, mine, p, outcome, retry_after_ms);
		if (next == word)
			break;
	} while (!atomic_compare_exchange_weak(&row->circuit, &word, next));
	if (next != word)
		changed(row, p, word, next, outcome);
	health_fleet_report(h, p, word, next, outcome, retry_after_ms);
}

/* The lower median of the samples. */
static uint32_t
median(const struct health_entry *row)
{
	uint32_t sorted[HEALTH_SAMPLES];
	size_t n = 0, at;

	for (size_t i = 0; i < HEALTH_SAMPLES; i++) {
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
sample_add(struct health_entry *row, int64_t ms)
{
	uint32_t at = atomic_fetch_add(&row->next, 1) % HEALTH_SAMPLES;

	if (ms > UINT32_MAX - 1)
		ms = UINT32_MAX - 1;
	atomic_store(&row->samples[at], (uint32_t)ms + 1);
	atomic_store(&row->p50, median(row));
}

static void
error_note(struct health_entry *row, enum health_outcome outcome)
{
	atomic_fetch_add(&row->errors, 1);
	atomic_store(&row->last_error,
	    (uint64_t)outcome << 56 | (uint64_t)clock_wall_ms());
}

void
health_answered(struct health *h, const struct provider *p, bool trial)
{
	circuit_change(h, p, trial, HEALTH_OK, 0);
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
	struct health_entry *row = h->rows[p->index];

	if (health_under_way()->begun == row) {
		health_under_way()->begun = NULL;
		count_down(&h->self->row[row - h->map->rows]);
		count_down(&h->self->all);
	}
	circuit_change(h, p, trial, outcome, retry_after_ms);
	if (trial)
		health_under_way()->trial_row = NULL;
	if (outcome == HEALTH_OK && first_byte_ms >= 0)
		sample_add(row, first_byte_ms);
	if (outcome != HEALTH_OK && outcome != HEALTH_ABANDONED)
		error_note(row, outcome);
}

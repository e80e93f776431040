/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The present content of runtime_dir/health, for plans, for status and for the
 * metrics.
 */
#include "config.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "state/health_internal.h"
#include "state/health_models.h"
#include "state/process.h"

#define LEASE_SLACK_MS 5000
#define SEEN_MS 500

static unsigned
asked_by(
    const struct health *h, unsigned process, const struct health_entry *row)
{
	return row < h->map->rows || row >= h->map->rows + HEALTH_ROWS
	    ? 0
	    : atomic_load(&h->map->cells[process].row[row - h->map->rows]);
}

int64_t
health_lease_ms(const struct provider *p)
{
	return (p->limit == NULL ? 0 : p->limit->wait_ms) +
	    (p->sleeps ? p->wake_wait_ms : 0) +
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

int64_t
health_open_ms(
    struct health *h, const struct provider *p, uint64_t word, int64_t now_ms)
{
	struct circuit_view v = circuit_view(word);
	bool dead;

	if (v.state == CIRCUIT_CLOSED || p->circuit.failures == 0)
		return 0;
	dead = v.state == CIRCUIT_TRIAL && !alive(h, v.owner, now_ms);
	return circuit_open_ms(
	    word, &p->circuit, health_lease_ms(p), dead, now_ms);
}

void
health_held_facts(struct health *h, struct arena *arena, struct facts *facts)
{
	facts->held = health_models_facts(h->models, arena, &facts->nheld);
}

/* How long it is left alone: its circuit is open, or all its keys rest. */
static int64_t
left_alone_ms(struct health *h, size_t i, int64_t now_ms)
{
	const struct provider *p = &h->config->providers[i];
	int64_t rest_ms,
	    open_ms =
		health_open_ms(h, p, atomic_load(&h->rows[i]->circuit), now_ms);

	open_ms = health_either_ms(open_ms, health_fleet_open_ms(h, p, now_ms));

	if (p->nkeys > 1 && health_key(h, p, "", 0, &rest_ms) == -1 &&
	    rest_ms > open_ms)
		return rest_ms;
	return open_ms;
}

void
health_facts(struct health *h, struct facts_provider *out)
{
	unsigned top = atomic_load(&h->map->top);
	int64_t now_ms = clock_now_ms();

	for (size_t i = 0; i < h->config->nproviders; i++) {
		out[i] = (struct facts_provider){
			.open_ms = left_alone_ms(h, i, now_ms),
			.first_byte_ms =
			    (int64_t)atomic_load(&h->rows[i]->p50) - 1,
		};
		health_wake_row(h, &h->config->providers[i], &out[i].sleep);
	}
	for (unsigned p = 0; p < top && p < PROCESS_MAX; p++) {
		struct health_cells *cells = &h->map->cells[p];

		if (atomic_load(&cells->all) == 0 || !alive(h, p, now_ms))
			continue;
		for (size_t i = 0; i < h->config->nproviders; i++)
			out[i].in_flight += asked_by(h, p, h->rows[i]);
	}
}

static unsigned
in_flight(struct health *h, const struct health_entry *row)
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
	const struct health_entry *row = h->rows[p->index];
	uint64_t word = atomic_load(&row->circuit);
	uint64_t error = atomic_load(&row->last_error);
	struct circuit_view v = circuit_view(word);
	int64_t fleet_ms;

	*out = (struct health_row){
		.state = "open",
		.failures = v.failures,
		.since_wall_ms = atomic_load(&row->since_wall_ms),
		.open_ms = health_open_ms(h, p, word, clock_now_ms()),
		.last_error =
		    error >> 56 < HEALTH_OUTCOMES ? error >> 56 : HEALTH_OK,
		.last_error_wall_ms = error & ((UINT64_C(1) << 56) - 1),
		.first_byte_p50_ms = (int64_t)atomic_load(&row->p50) - 1,
		.in_flight = in_flight(h, row),
		.requests = atomic_load(&row->requests),
		.errors = atomic_load(&row->errors),
	};
	fleet_ms = health_fleet_open_ms(h, p, clock_now_ms());
	if (fleet_ms > out->open_ms)
		v = circuit_view(atomic_load(&row->fleet));
	out->by_fleet = fleet_ms != 0;
	out->open_ms = health_either_ms(out->open_ms, fleet_ms);
	if (out->open_ms == 0)
		out->state = "closed";
	else if (out->open_ms < 0 || v.state == CIRCUIT_TRIAL)
		out->state = "half-open";
}

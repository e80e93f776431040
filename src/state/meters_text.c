/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What is counted, as Prometheus reads it.
 */
#include "config.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/version.h"
#include "sandbox/sandbox.h"
#include "state/meters_internal.h"

static void
put_family(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static uint64_t
value_of(const struct meters_row *row, unsigned value)
{
	return atomic_load_explicit(&row->values[value], memory_order_relaxed);
}

/* Calls print for each row of a kind. */
static void
each_row(struct meters *m, enum meters_kind kind, struct buf *b,
    const char *name,
    void (*print)(
	struct buf *, const char *, const struct meters_row *, unsigned),
    unsigned value)
{
	for (int i = 0; i < METERS_ROWS; i++) {
		const struct meters_row *row = &m->file->rows[i];

		if (atomic_load_explicit(&row->kind, memory_order_acquire) ==
		    kind)
			print(b, name, row, value);
	}
}

static void
print_count(struct buf *b, const char *name, const struct meters_row *row,
    unsigned value)
{
	buf_printf(
	    b, "%s{%s} %" PRIu64 "\n", name, row->labels, value_of(row, value));
}

static void
print_tokens(struct buf *b, const char *name, const struct meters_row *row,
    unsigned value)
{
	static const char *const kinds[] = { "input", "cached", "cache_write",
		"output", "reasoning" };

	buf_printf(b, "%s{%s,kind=\"%s\"} %" PRIu64 "\n", name, row->labels,
	    kinds[value], value_of(row, value));
}

static void
print_usd(struct buf *b, const char *name, const struct meters_row *row,
    unsigned value)
{
	uint64_t v = value_of(row, value);

	buf_printf(b, "%s{%s} %" PRIu64 ".%09" PRIu64 "\n", name, row->labels,
	    v / 1000000000, v % 1000000000);
}

static void
print_histogram(struct buf *b, const char *name, const struct meters_row *row,
    unsigned first)
{
	uint64_t sum = value_of(row, first + METERS_BOUNDS + 1), n = 0;

	for (unsigned i = 0; i < METERS_BOUNDS; i++) {
		n += value_of(row, first + i);
		buf_printf(b, "%s_bucket{%s,le=\"%g\"} %" PRIu64 "\n", name,
		    row->labels, (double)meters_bounds[i] / 1000, n);
	}
	n += value_of(row, first + METERS_BOUNDS);
	buf_printf(
	    b, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", name, row->labels, n);
	buf_printf(b, "%s_sum{%s} %" PRIu64 ".%03" PRIu64 "\n", name,
	    row->labels, sum / 1000, sum % 1000);
	buf_printf(b, "%s_count{%s} %" PRIu64 "\n", name, row->labels, n);
}

static void
put_counters(struct meters *m, struct buf *b)
{
	static const struct {
		const char *name, *help;
		enum meters_kind kind;
		unsigned value;
	} table[] = {
		{ "tailgate_requests_total",
		    "Requests ended, by client, model, provider, status as the "
		    "client saw it, and the reason of a refusal.",
		    KIND_REQUESTS, 0 },
		{ "tailgate_request_bytes_total",
		    "Body bytes received from clients.", KIND_USE,
		    USE_BYTES_IN },
		{ "tailgate_response_bytes_total",
		    "Body bytes sent to clients.", KIND_USE, USE_BYTES_OUT },
		{ "tailgate_upstream_bytes_total",
		    "Body bytes sent to providers.", KIND_USE, USE_BYTES_SENT },
		{ "tailgate_upstream_requests_total",
		    "Requests sent to providers; one that fell back is sent "
		    "more than once.",
		    KIND_USE, USE_SENT },
		{ "tailgate_usage_estimated_total",
		    "Requests whose tokens are our estimate, since the "
		    "provider reported none.",
		    KIND_USE, USE_ESTIMATED },
		{ "tailgate_unpriced_total",
		    "Requests to external providers whose cost is not known.",
		    KIND_USE, USE_UNPRICED },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		put_family(b, table[i].name, "counter", table[i].help);
		each_row(m, table[i].kind, b, table[i].name, print_count,
		    table[i].value);
	}
	put_family(b, "tailgate_tokens_total", "counter",
	    "Tokens used; cached and cache_write are part of input, reasoning "
	    "of output.");
	for (unsigned i = USE_INPUT; i <= USE_REASONING; i++)
		each_row(
		    m, KIND_USE, b, "tailgate_tokens_total", print_tokens, i);
	put_family(b, "tailgate_cost_usd_total", "counter",
	    "Cost in US dollars, as far as prices are known.");
	each_row(
	    m, KIND_USE, b, "tailgate_cost_usd_total", print_usd, USE_COST);
}

static void
put_histograms(struct meters *m, struct buf *b)
{
	static const char first_byte[] = "tailgate_first_byte_seconds",
			  total[] = "tailgate_request_duration_seconds",
			  wait[] = "tailgate_queue_wait_seconds";

	put_family(b, first_byte, "histogram",
	    "From the request's beginning to the first byte of its response.");
	each_row(m, KIND_TIME, b, first_byte, print_histogram, TIME_FIRST_BYTE);
	put_family(
	    b, total, "histogram", "From the request's beginning to its end.");
	each_row(m, KIND_TIME, b, total, print_histogram, TIME_TOTAL);
	put_family(b, wait, "histogram", "Time waited for a slot.");
	each_row(m, KIND_WAIT, b, wait, print_histogram, 0);
}

/* One gauge of something that the configuration names. */
static void
put_gauge(struct buf *b, const char *name, const char *label, const char *value,
    const char *more, uint64_t v)
{
	char labels[METERS_LABELS_SIZE];

	if (meters_labels(&(struct meters_label){ label, value }, 1, labels))
		buf_printf(b, "%s{%s%s} %" PRIu64 "\n", name, labels, more, v);
}

static void
put_limits(struct meters *m, struct slots *slots, struct buf *b)
{
	const struct config *c = m->config;
	struct facts_limit *facts =
	    memory_zero((c->nlimits + 1) * sizeof(*facts));

	slots_facts(slots, facts);
	put_family(b, "tailgate_slots", "gauge", "Slots of a limit.");
	for (size_t i = 0; i < c->nlimits; i++)
		put_gauge(b, "tailgate_slots", "limit", c->limits[i].name, "",
		    c->limits[i].slots);
	put_family(b, "tailgate_slots_used", "gauge", "Slots held now.");
	for (size_t i = 0; i < c->nlimits; i++)
		put_gauge(b, "tailgate_slots_used", "limit", c->limits[i].name,
		    "", facts[i].used);
	put_family(b, "tailgate_queue_length", "gauge",
	    "Requests waiting for a slot now.");
	for (size_t i = 0; i < c->nlimits; i++)
		put_gauge(b, "tailgate_queue_length", "limit",
		    c->limits[i].name, "", facts[i].queued);
	free(facts);
}

static void
put_circuits(struct meters *m, const struct health_row *rows, struct buf *b)
{
	static const char *const states[] = { "closed", "open", "half-open" };
	const struct config *c = m->config;
	char more[32];

	put_family(b, "tailgate_provider_circuit", "gauge",
	    "1 for the state that a provider's circuit is in.");
	for (size_t i = 0; i < c->nproviders; i++)
		for (size_t k = 0; k < 3; k++) {
			snprintf(
			    more, sizeof(more), ",state=\"%s\"", states[k]);
			put_gauge(b, "tailgate_provider_circuit", "provider",
			    c->providers[i].name, more,
			    strcmp(rows[i].state, states[k]) == 0);
		}
}

static void
count_held(void *ctx, const struct health_held *held)
{
	unsigned *n = ctx;

	(void)held;
	(*n)++;
}

static unsigned
models_held(struct health *health, const struct provider *p)
{
	unsigned n = 0;

	health_each_held(health, p, count_held, &n);
	return n;
}

/* Of the providers whose hosts are woken; nothing if there is none. */
static void
put_sleeps(struct meters *m, struct health *health, struct buf *b)
{
	static const struct {
		const char *name, *type, *help;
	} families[] = {
		{ "tailgate_provider_asleep", "gauge",
		    "1 if a provider's host is asleep, as far as is known." },
		{ "tailgate_provider_wake_waiting", "gauge",
		    "Requests that wait until a provider's host is awake." },
		{ "tailgate_provider_wakes_total", "counter",
		    "How often a provider's host was to be woken." },
	};
	const struct config *c = m->config;

	for (size_t k = 0; k < 3; k++) {
		bool first = true;

		for (size_t i = 0; i < c->nproviders; i++) {
			struct facts_sleep s;

			if (!c->providers[i].sleeps)
				continue;
			if (first)
				put_family(b, families[k].name,
				    families[k].type, families[k].help);
			first = false;
			health_wake_row(health, &c->providers[i], &s);
			put_gauge(b, families[k].name, "provider",
			    c->providers[i].name, "",
			    k == 0       ? s.since_wall_ms != 0
				: k == 1 ? s.waiting
					 : s.wakes);
		}
	}
}

static void
put_providers(struct meters *m, struct health *health, struct buf *b)
{
	const struct config *c = m->config;
	struct health_row *rows =
	    memory_zero((c->nproviders + 1) * sizeof(*rows));

	for (size_t i = 0; i < c->nproviders; i++)
		health_row(health, &c->providers[i], &rows[i]);
	put_circuits(m, rows, b);
	put_family(b, "tailgate_provider_failures", "gauge",
	    "Failures of a provider in a row.");
	for (size_t i = 0; i < c->nproviders; i++)
		put_gauge(b, "tailgate_provider_failures", "provider",
		    c->providers[i].name, "", rows[i].failures);
	put_family(b, "tailgate_provider_in_flight", "gauge",
	    "Requests that a provider is working on.");
	for (size_t i = 0; i < c->nproviders; i++)
		put_gauge(b, "tailgate_provider_in_flight", "provider",
		    c->providers[i].name, "", rows[i].in_flight);
	put_family(b, "tailgate_provider_models_held", "gauge",
	    "Models of a provider that are left alone: rate limited, loading.");
	for (size_t i = 0; i < c->nproviders; i++)
		put_gauge(b, "tailgate_provider_models_held", "provider",
		    c->providers[i].name, "",
		    models_held(health, &c->providers[i]));
	put_sleeps(m, health, b);
	free(rows);
}

static void
put_processes(struct meters *m, struct buf *b)
{
	unsigned workers = 0;
	uint64_t capacity = 0;
	int64_t busy = 0, unwritten = 0, unlogged = 0;

	for (int i = 0; i < PROCESS_MAX; i++) {
		struct meters_cell *c = &m->file->cells[i];
		uint64_t owner = atomic_load(&c->owner);
		/* In this order: a request that is seen to have ended has its
		 * line among those that wait, or in the file. */
		int n = atomic_load(&c->busy), lines, logged;

		lines = atomic_load(&c->unwritten);
		logged = atomic_load(&c->unlogged);
		if (owner == 0 || !process_alive(owner))
			continue;
		workers++;
		capacity += atomic_load(&c->capacity);
		busy += n > 0 ? n : 0;
		unwritten += lines > 0 ? lines : 0;
		unlogged += logged > 0 ? logged : 0;
	}
	put_family(
	    b, "tailgate_workers", "gauge", "Processes that serve requests.");
	buf_printf(b, "tailgate_workers %u\n", workers);
	put_family(b, "tailgate_requests_open", "gauge",
	    "Requests that are served or wait now.");
	buf_printf(b, "tailgate_requests_open %" PRId64 "\n", busy);
	put_family(b, "tailgate_ledger_waiting", "gauge",
	    "Lines of the ledger that are about to be written.");
	buf_printf(b, "tailgate_ledger_waiting %" PRId64 "\n", unwritten);
	put_family(b, "tailgate_log_waiting", "gauge",
	    "Lines of a log file that are about to be written.");
	buf_printf(b, "tailgate_log_waiting %" PRId64 "\n", unlogged);
	put_family(b, "tailgate_longest_turn_seconds", "gauge",
	    "The longest that one request kept the others of its process "
	    "from going on.");
	buf_printf(b, "tailgate_longest_turn_seconds %.6f\n",
	    meters_longest_turn_us(m) / 1e6);
	put_family(b, "tailgate_requests_limit", "gauge",
	    "Requests that may be open at once, as many as there are "
	    "descriptors and memory for.");
	buf_printf(b, "tailgate_requests_limit %" PRIu64 "\n", capacity);
}

static void
put_sandbox(struct meters *m, struct buf *b)
{
	unsigned force;

	if (!meters_sandbox_least(m, &force))
		return;
	put_family(b, "tailgate_sandbox", "gauge",
	    "1 if every worker is held by that part of the sandbox.");
	for (unsigned i = 0; sandbox_part(i) != NULL; i++)
		put_gauge(b, "tailgate_sandbox", "part", sandbox_part(i), "",
		    force >> i & 1);
}

static void
put_store(struct meters *m, struct buf *b)
{
	struct meters_store_sum sum;

	if (!meters_store_sum(m, &sum))
		return;
	put_family(b, "tailgate_store_up", "gauge",
	    "1 if every worker reaches the store.");
	buf_printf(b, "tailgate_store_up %d\n", sum.away == 0);
	put_family(b, "tailgate_store_workers", "gauge",
	    "Workers that reach the store, and that do not.");
	put_gauge(b, "tailgate_store_workers", "store", "up", "", sum.up);
	put_gauge(b, "tailgate_store_workers", "store", "away", "", sum.away);
	put_family(b, "tailgate_store_calls_total", "counter",
	    "Scripts that the store was asked to run.");
	buf_printf(b, "tailgate_store_calls_total %" PRIu64 "\n", sum.calls);
	put_family(b, "tailgate_store_failed_total", "counter",
	    "Calls that the store refused, or did not reply to in time.");
	buf_printf(b, "tailgate_store_failed_total %" PRIu64 "\n", sum.failed);
	put_family(b, "tailgate_store_round_trip_seconds", "gauge",
	    "How long a call takes, smoothed.");
	buf_printf(b, "tailgate_store_round_trip_seconds %.6f\n",
	    (double)sum.mean_us / 1e6);
}

void
meters_text(
    struct meters *m, struct health *health, struct slots *slots, struct buf *b)
{
	put_family(
	    b, "tailgate_info", "gauge", "1, labelled with the version.");
	put_gauge(b, "tailgate_info", "version", TAILGATE_VERSION, "", 1);
	put_processes(m, b);
	put_sandbox(m, b);
	put_store(m, b);
	if (slots != NULL)
		put_limits(m, slots, b);
	if (health != NULL)
		put_providers(m, health, b);
	put_counters(m, b);
	put_histograms(m, b);
}

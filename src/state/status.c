/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Writes what health and slots know as one JSON object.  No request needs
 * it; operators do, by the command or over HTTP.
 */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/jput.h"
#include "base/memory.h"
#include "state/spending.h"
#include "state/status.h"

/* 0: never. */
static void
put_time(struct buf *b, const char *name, int64_t wall_ms)
{
	char text[CLOCK_TEXT_SIZE];

	if (wall_ms != 0)
		clock_text(wall_ms, text);
	jput_text(b, name, wall_ms == 0 ? NULL : text);
}

static void
held_json(void *ctx, const struct health_held *held)
{
	struct buf *b = ctx;

	jput_open(b, '{');
	jput_text(b, "model", held->model);
	jput_text(b, "why", health_outcome_name(held->why));
	jput_i64(b, "open_ms", held->open_ms);
	buf_puts(b, "}");
}

/* Where there are several: none is shown, and none has a name. */
static void
keys_json(struct buf *b, struct health *health, const struct provider *p)
{
	if (p->nkeys < 2)
		return;
	jput_name_open(b, "keys", '[');
	for (size_t i = 0; i < p->nkeys; i++) {
		jput_open(b, '{');
		jput_i64(b, "number", (int64_t)i + 1);
		jput_name_open(b, "rests", '[');
		health_each_rest(health, p, i, held_json, b);
		buf_puts(b, "]}");
	}
	buf_puts(b, "]");
}

static void
sleep_json(struct buf *b, struct health *health, const struct provider *p)
{
	struct facts_sleep sleep;

	if (!p->sleeps)
		return;
	health_wake_row(health, p, &sleep);
	jput_name_open(b, "wake", '{');
	jput_bool(b, "asleep", sleep.since_wall_ms != 0);
	put_time(b, "since", sleep.since_wall_ms);
	jput_u64(b, "waiting", sleep.waiting);
	jput_u64(b, "wakes", sleep.wakes);
	buf_puts(b, "}");
}

static void
provider_json(struct buf *b, struct health *health, const struct provider *p)
{
	struct health_row row;

	health_row(health, p, &row);
	jput_open(b, '{');
	jput_text(b, "name", p->name);
	jput_text(b, "place", place_name(p->place));
	if (p->auth == AUTH_CLIENT)
		jput_text(b, "auth", "client");
	jput_text(b, "limit", p->limit == NULL ? NULL : p->limit->name);
	jput_text(b, "state", row.state);
	if (row.by_fleet)
		jput_bool(b, "by_fleet", true);
	jput_i64(b, "open_ms", row.open_ms < 0 ? 0 : row.open_ms);
	jput_i64(b, "failures", row.failures);
	put_time(b, "since", row.since_wall_ms);
	jput_text(b, "last_error",
	    row.last_error == HEALTH_OK ? NULL
					: health_outcome_name(row.last_error));
	put_time(b, "last_error_at", row.last_error_wall_ms);
	jput_known(b, "first_byte_p50_ms", row.first_byte_p50_ms);
	jput_i64(b, "in_flight", row.in_flight);
	jput_i64(b, "requests", (int64_t)row.requests);
	jput_i64(b, "errors", (int64_t)row.errors);
	jput_name_open(b, "held", '[');
	health_each_held(health, p, held_json, b);
	buf_puts(b, "]");
	keys_json(b, health, p);
	sleep_json(b, health, p);
	buf_puts(b, "}");
}

static void
limits_json(struct buf *b, const struct config *config, struct slots *slots)
{
	struct facts_limit *facts =
	    memory_zero((config->nlimits + 1) * sizeof(*facts));

	slots_facts(slots, facts);
	for (size_t i = 0; i < config->nlimits; i++) {
		const struct limit *limit = &config->limits[i];

		jput_open(b, '{');
		jput_text(b, "name", limit->name);
		jput_i64(b, "slots", limit->slots);
		jput_i64(b, "used", facts[i].used);
		jput_i64(b, "queue", limit->queue);
		jput_i64(b, "queued", facts[i].queued);
		if (limit->swap == SWAP_GROUP) {
			jput_text(b, "model_in_use",
			    facts[i].model == 0 ? NULL : facts[i].model_name);
			jput_u64(b, "switches", facts[i].switches);
		}
		buf_puts(b, "}");
	}
	free(facts);
}

static void
request_json(void *ctx, const struct slots_row *row)
{
	struct buf *b = ctx;

	jput_open(b, '{');
	jput_text(b, "limit", row->limit->name);
	jput_text(b, "phase", row->holder ? "running" : "waiting");
	jput_text(b, "client", row->client);
	jput_text(b, "model", row->model);
	jput_text(b, "request_id", row->request_id);
	jput_i64(b, "pid", row->pid);
	jput_i64(b, "age_ms", clock_now_ms() - row->since_ms);
	buf_puts(b, "}");
}

static void
recording_json(struct buf *b, struct recording *recording)
{
	struct recording_facts facts;

	recording_facts(recording, &facts);
	if (!facts.on) {
		jput_raw(b, "recording", "null");
		return;
	}
	jput_name_open(b, "recording", '{');
	jput_text(b, "client", facts.client);
	put_time(b, "until", facts.until_wall_ms);
	jput_i64(b, "exchanges", facts.taken);
	jput_i64(b, "most", facts.most);
	jput_u64(b, "bytes", facts.bytes);
	buf_puts(b, "}");
}

static void
ledger_json(struct buf *b, const struct status_ledger *ledger)
{
	jput_name_open(b, "ledger", '{');
	jput_bool(b, "writable", ledger->writable);
	jput_u64(b, "unrecorded", ledger->unrecorded);
	put_time(b, "since", ledger->since_wall_ms);
	buf_puts(b, "}");
}

static void
store_json(struct buf *b, struct meters *meters)
{
	struct meters_store_sum sum;

	if (!meters_store_sum(meters, &sum))
		return;
	jput_name_open(b, "store", '{');
	jput_bool(b, "reachable", sum.away == 0);
	jput_i64(b, "workers", sum.up + sum.away);
	jput_i64(b, "away", sum.away);
	put_time(b, "since", sum.since_wall_ms);
	jput_i64(b, "mean_us", sum.mean_us);
	jput_u64(b, "calls", sum.calls);
	jput_u64(b, "failed", sum.failed);
	buf_puts(b, "}");
}

void
status_json(const struct status_of *of, struct buf *b)
{
	const struct config *config = of->config;

	buf_puts(b, "{");
	put_time(b, "at", clock_wall_ms());
	jput_text(b, "version", PACKAGE_VERSION);
	jput_name_open(b, "providers", '[');
	for (size_t i = 0; i < config->nproviders; i++)
		provider_json(b, of->health, &config->providers[i]);
	buf_puts(b, "]");
	jput_name_open(b, "limits", '[');
	limits_json(b, config, of->slots);
	buf_puts(b, "]");
	jput_name_open(b, "requests", '[');
	slots_each(of->slots, request_json, b);
	buf_puts(b, "]");
	if (of->budgets != NULL) {
		jput_name(b, "budgets");
		spending_json(of->budgets, config, b);
	}
	if (config->store.url != NULL)
		store_json(b, of->meters);
	if (of->fleet.p != NULL) {
		jput_name(b, "fleet");
		buf_add(b, of->fleet.p, of->fleet.len);
	}
	if (of->recording != NULL)
		recording_json(b, of->recording);
	if (of->ledger != NULL)
		ledger_json(b, of->ledger);
	buf_puts(b, "}\n");
}

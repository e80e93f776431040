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
#include "base/log.h"
#include "state/spending.h"
#include "state/status.h"

static void
member(struct buf *b, const char *name)
{
	if (b->len > 0 && b->p[b->len - 1] != '{')
		buf_puts(b, ",");
	buf_printf(b, "\"%s\":", name);
}

static void
member_text(struct buf *b, const char *name, const char *text)
{
	member(b, name);
	if (text == NULL)
		buf_puts(b, "null");
	else
		buf_json(b, span_of(text));
}

static void
member_int(struct buf *b, const char *name, int64_t n)
{
	member(b, name);
	buf_printf(b, "%lld", (long long)n);
}

/* 0: never. */
static void
member_time(struct buf *b, const char *name, int64_t wall_ms)
{
	char text[CLOCK_TEXT_SIZE];

	if (wall_ms != 0)
		clock_text(wall_ms, text);
	member_text(b, name, wall_ms == 0 ? NULL : text);
}

static void
element(struct buf *b)
{
	buf_puts(b, b->len > 0 && b->p[b->len - 1] == '[' ? "{" : ",{");
}

static void
held_json(void *ctx, const struct health_held *held)
{
	struct buf *b = ctx;

	element(b);
	member_text(b, "model", held->model);
	member_text(b, "why", health_outcome_name(held->why));
	member_int(b, "open_ms", held->open_ms);
	buf_puts(b, "}");
}

static void
provider_json(struct buf *b, struct health *health, const struct provider *p)
{
	struct health_row row;

	health_row(health, p, &row);
	element(b);
	member_text(b, "name", p->name);
	member_text(b, "place", place_name(p->place));
	member_text(b, "limit", p->limit == NULL ? NULL : p->limit->name);
	member_text(b, "state", row.state);
	member_int(b, "open_ms", row.open_ms < 0 ? 0 : row.open_ms);
	member_int(b, "failures", row.failures);
	member_time(b, "since", row.since_wall_ms);
	member_text(b, "last_error",
	    row.last_error == HEALTH_OK ? NULL
					: health_outcome_name(row.last_error));
	member_time(b, "last_error_at", row.last_error_wall_ms);
	member(b, "first_byte_p50_ms");
	if (row.first_byte_p50_ms < 0)
		buf_puts(b, "null");
	else
		buf_printf(b, "%lld", (long long)row.first_byte_p50_ms);
	member_int(b, "in_flight", row.in_flight);
	member_int(b, "requests", (int64_t)row.requests);
	member_int(b, "errors", (int64_t)row.errors);
	member(b, "held");
	buf_puts(b, "[");
	health_each_held(health, p, held_json, b);
	buf_puts(b, "]");
	buf_puts(b, "}");
}

static void
limits_json(struct buf *b, const struct config *config, struct slots *slots)
{
	struct facts_limit *facts = calloc(config->nlimits + 1, sizeof(*facts));

	if (facts == NULL)
		fatal("out of memory for the limits' state");
	slots_facts(slots, facts);
	for (size_t i = 0; i < config->nlimits; i++) {
		const struct limit *limit = &config->limits[i];

		element(b);
		member_text(b, "name", limit->name);
		member_int(b, "slots", limit->slots);
		member_int(b, "used", facts[i].used);
		member_int(b, "queue", limit->queue);
		member_int(b, "queued", facts[i].queued);
		buf_puts(b, "}");
	}
	free(facts);
}

static void
request_json(void *ctx, const struct slots_row *row)
{
	struct buf *b = ctx;

	element(b);
	member_text(b, "limit", row->limit->name);
	member_text(b, "phase", row->holder ? "running" : "waiting");
	member_text(b, "client", row->client);
	member_text(b, "model", row->model);
	member_text(b, "request_id", row->request_id);
	member_int(b, "pid", row->pid);
	member_int(b, "age_ms", clock_now_ms() - row->since_ms);
	buf_puts(b, "}");
}

void
status_json(const struct config *config, struct health *health,
    struct slots *slots, struct budget_book *budgets, struct buf *b)
{
	buf_puts(b, "{");
	member_time(b, "at", clock_wall_ms());
	member_text(b, "version", PACKAGE_VERSION);
	member(b, "providers");
	buf_puts(b, "[");
	for (size_t i = 0; i < config->nproviders; i++)
		provider_json(b, health, &config->providers[i]);
	buf_puts(b, "]");
	member(b, "limits");
	buf_puts(b, "[");
	limits_json(b, config, slots);
	buf_puts(b, "]");
	member(b, "requests");
	buf_puts(b, "[");
	slots_each(slots, request_json, b);
	buf_puts(b, "]");
	if (budgets != NULL) {
		member(b, "budgets");
		spending_json(budgets, config, b);
	}
	buf_puts(b, "}\n");
}

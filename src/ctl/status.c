/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * `tailgate status`: the state of the providers, the load of the limits, the
 * requests that hold a slot and those that wait for one.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "ctl/ctl.h"
#include "ctl/status_more.h"
#include "ctl/table.h"
#include "ledger/rebuild.h"
#include "state/health.h"
#include "state/meters.h"
#include "state/slots.h"
#include "state/spending.h"
#include "state/status.h"

#define JSON_MAX (16 * 1024 * 1024)

static void
age_cell(struct table *t, int64_t ms)
{
	char text[CLOCK_AGE_SIZE];

	clock_age(ms, text);
	table_cell(t, "%s", text);
}

/* The age of a wall time; 0 (never): an empty cell. */
static void
since_cell(struct table *t, int64_t wall_ms)
{
	int64_t ms = clock_wall_ms() - wall_ms;

	age_cell(t, wall_ms == 0 ? -1 : ms < 0 ? 0 : ms);
}

static void
state_cell(struct table *t, const struct health_row *row)
{
	if (row->open_ms > 0 && strcmp(row->state, "open") == 0)
		table_cell(t, "open (%llds yet)",
		    ((long long)row->open_ms + 999) / 1000);
	else
		table_cell(t, "%s", row->state);
}

static void
error_cell(struct table *t, const struct health_row *row)
{
	table_cell(t, "%s",
	    row->last_error == HEALTH_OK
		? ""
		: health_outcome_name(row->last_error));
	since_cell(t, row->last_error_wall_ms);
}

static void
print_providers(const struct config *config, struct health *health)
{
	struct table *t = table_new("provider|place|circuit|>since|last error|"
				    ">ago|>first byte|>in flight|>requests|"
				    ">errors");

	for (size_t i = 0; i < config->nproviders; i++) {
		const struct provider *p = &config->providers[i];
		struct health_row row;

		health_row(health, p, &row);
		table_cell(t, "%s", p->name);
		table_cell(t, "%s", place_name(p->place));
		state_cell(t, &row);
		since_cell(t, row.since_wall_ms);
		error_cell(t, &row);
		if (row.first_byte_p50_ms < 0)
			table_cell(t, "%s", "");
		else
			table_cell(
			    t, "%lldms", (long long)row.first_byte_p50_ms);
		table_cell(t, "%u", row.in_flight);
		table_number(t, (long long)row.requests);
		table_number(t, (long long)row.errors);
	}
	table_print(t, stdout);
	table_free(t);
}

struct held_rows {
	struct table *table;
	const struct provider *provider;
};

static void
held_row(void *ctx, const struct health_held *held)
{
	const struct held_rows *rows = ctx;

	table_cell(rows->table, "%s", rows->provider->name);
	table_cell(rows->table, "%s", held->model);
	table_cell(rows->table, "%s", health_outcome_name(held->why));
	age_cell(rows->table, held->open_ms);
}

/* Models that their provider does not serve for now, while it serves others. */
static void
print_held(const struct config *config, struct health *health)
{
	struct held_rows rows = { table_new("provider|model|left alone|>for"),
		NULL };

	for (size_t i = 0; i < config->nproviders; i++) {
		rows.provider = &config->providers[i];
		health_each_held(health, rows.provider, held_row, &rows);
	}
	if (table_rows(rows.table) > 0) {
		putchar('\n');
		table_print(rows.table, stdout);
	}
	table_free(rows.table);
}

struct rest_rows {
	struct table *table;
	const struct provider *provider;
	size_t key;
};

static void
rest_row(void *ctx, const struct health_held *held)
{
	const struct rest_rows *rows = ctx;

	table_cell(rows->table, "%s", rows->provider->name);
	table_cell(rows->table, "key %zu of %zu rests", rows->key + 1,
	    rows->provider->nkeys);
	table_cell(rows->table, "%s", held->model);
	table_cell(rows->table, "%s", health_outcome_name(held->why));
	age_cell(rows->table, held->open_ms);
}

/* The keys that rest, of providers that have several. */
static void
print_rests(const struct config *config, struct health *health)
{
	struct rest_rows rows = {
		.table = table_new("provider|key|model|because of|>for"),
	};

	for (size_t i = 0; i < config->nproviders; i++) {
		rows.provider = &config->providers[i];
		for (rows.key = 0; rows.key < rows.provider->nkeys &&
		     rows.provider->nkeys > 1;
		     rows.key++)
			health_each_rest(
			    health, rows.provider, rows.key, rest_row, &rows);
	}
	if (table_rows(rows.table) > 0) {
		putchar('\n');
		table_print(rows.table, stdout);
	}
	table_free(rows.table);
}

/* The providers whose hosts are woken. */
static void
print_sleeps(const struct config *config, struct health *health)
{
	struct table *t = table_new("provider|host|>for|>requests wait|>woken");

	for (size_t i = 0; i < config->nproviders; i++) {
		const struct provider *p = &config->providers[i];
		struct facts_sleep sleep;

		if (!p->sleeps)
			continue;
		health_wake_row(health, p, &sleep);
		table_cell(t, "%s", p->name);
		table_cell(t, "%s",
		    sleep.since_wall_ms == 0 ? "awake"
			: sleep.waiting == 0 ? "asleep"
					     : "waking up");
		since_cell(t, sleep.since_wall_ms);
		table_cell(t, "%u", sleep.waiting);
		table_number(t, (long long)sleep.wakes);
	}
	if (table_rows(t) > 0) {
		putchar('\n');
		table_print(t, stdout);
	}
	table_free(t);
}

/* The limits whose server loads one model at a time. */
static void
print_swaps(const struct config *config, const struct facts_limit *facts)
{
	struct table *t =
	    table_new("limit|model in use|>switches|>others wait at the most");

	for (size_t i = 0; i < config->nlimits; i++) {
		if (config->limits[i].swap != SWAP_GROUP)
			continue;
		table_cell(t, "%s", config->limits[i].name);
		table_cell(t, "%s", facts[i].model_name);
		table_number(t, (long long)facts[i].switches);
		age_cell(t, config->limits[i].swap_wait_ms);
	}
	if (table_rows(t) > 0) {
		putchar('\n');
		table_print(t, stdout);
	}
	table_free(t);
}

static void
print_limits(const struct config *config, struct slots *slots)
{
	struct table *t = table_new("limit|>slots|>used|>queued|>queue");
	struct facts_limit *facts = calloc(config->nlimits + 1, sizeof(*facts));

	if (facts == NULL)
		fatal("out of memory for the limits' state");
	slots_facts(slots, facts);
	for (size_t i = 0; i < config->nlimits; i++) {
		table_cell(t, "%s", config->limits[i].name);
		table_cell(t, "%u", config->limits[i].slots);
		table_cell(t, "%u", facts[i].used);
		table_cell(t, "%u", facts[i].queued);
		table_cell(t, "%u", config->limits[i].queue);
	}
	if (table_rows(t) > 0) {
		putchar('\n');
		table_print(t, stdout);
	}
	table_free(t);
	print_swaps(config, facts);
	free(facts);
}

static void
request_row(void *ctx, const struct slots_row *row)
{
	struct table *t = ctx;

	table_cell(t, "%s", row->limit->name);
	table_cell(t, "%s", row->holder ? "running" : "waiting");
	age_cell(t, clock_now_ms() - row->since_ms);
	table_cell(t, "%s", row->client);
	table_cell(t, "%s", row->model);
	table_cell(t, "%d", row->pid);
	table_cell(t, "%s", row->request_id);
}

static void
print_requests(struct slots *slots)
{
	struct table *t =
	    table_new("limit|phase|>for|client|model|>pid|request");

	slots_each(slots, request_row, t);
	if (table_rows(t) > 0) {
		putchar('\n');
		table_print(t, stdout);
	}
	table_free(t);
}

/* The sandbox that every worker has, and the longest turn of a request. */
static void
print_sandbox(struct meters *meters)
{
	unsigned force;
	char text[64];

	if (!meters_sandbox_least(meters, &force)) {
		puts("no gateway is running");
		return;
	}
	sandbox_text(force, text, sizeof(text));
	printf("sandbox: %s\n", text);
	printf("longest turn of a request: %.1f ms\n",
	    meters_longest_turn_us(meters) / 1000.0);
}

static void
bound_row(void *ctx, const struct bound *bound)
{
	const int64_t amounts[] = { bound->limit, bound->used, bound->held,
		bound_left(bound) };
	struct table *t = ctx;
	struct buf text;

	table_cell(t, "%s %s", bound->kind, bound->name);
	table_cell(
	    t, "%s%s", bound->setting, bound->shared ? " (all hosts)" : "");
	buf_init(&text, 64);
	for (size_t i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++) {
		bound_amount(bound, amounts[i], &text);
		table_cell(t, "%s", text.p);
		buf_reset(&text);
	}
	buf_free(&text);
	age_cell(t, bound->reset_ms);
}

static void
print_budgets(const struct config *config, struct budget_book *budgets)
{
	struct table *t =
	    table_new("budget of|bound|>limit|>spent|>held|>left|>resets in");

	spending_each(budgets, config, bound_row, t);
	if (table_rows(t) > 0) {
		putchar('\n');
		table_print(t, stdout);
	}
	table_free(t);
}

static int
print_json(const struct status_of *of)
{
	struct buf json;
	int status = 0;

	buf_init(&json, JSON_MAX);
	status_json(of, &json);
	if (buf_failed(&json) || fputs(json.p, stdout) == EOF)
		status = 1;
	buf_free(&json);
	return status;
}

static int
status_print(const struct config *config, bool json)
{
	char why[256];
	struct health *health;
	struct slots *slots = NULL;
	struct meters *meters = NULL;
	struct budget_book *budgets = NULL;
	struct recording *recording = NULL;
	struct status_ledger ledger;
	int status = 1;

	health = health_open(config, why, sizeof(why));
	if (health != NULL)
		slots = slots_open(config, why, sizeof(why));
	if (slots != NULL)
		meters = meters_open(config, why, sizeof(why));
	if (meters != NULL)
		budgets =
		    budget_open(config, &ledger_history, why, sizeof(why));
	if (budgets != NULL)
		recording = recording_open(config, why, sizeof(why));
	if (recording == NULL) {
		fprintf(stderr, "tailgate status: %s\n", why);
	} else if (json) {
		status = print_json(&(struct status_of){ .config = config,
		    .health = health,
		    .slots = slots,
		    .budgets = budgets,
		    .meters = meters,
		    .recording = recording,
		    .ledger =
			status_ledger_look(config, &ledger) ? &ledger : NULL });
	} else {
		print_providers(config, health);
		print_held(config, health);
		print_rests(config, health);
		print_sleeps(config, health);
		status_own_keys(config);
		print_limits(config, slots);
		print_requests(slots);
		print_budgets(config, budgets);
		status_recording(recording);
		status_ledger(config);
		putchar('\n');
		print_sandbox(meters);
		status_store(config, meters);
		status = fflush(stdout) == EOF;
	}
	recording_close(recording);
	budget_close(budgets);
	meters_close(meters);
	slots_close(slots);
	health_close(health);
	return status;
}

const struct ctl_option ctl_status_options[] = {
	{ "json", NULL, 'j', "print JSON" },
	{ NULL, NULL, 0, NULL },
};

int
ctl_status(int argc, char **argv)
{
	struct config *config;
	bool json = false;
	int ch, status;

	while ((ch = ctl_option_next(
		    argc, argv, "status", ctl_status_options)) != -1) {
		if (ch != 'j')
			return ctl_misuse("status", NULL);
		json = true;
	}
	if (optind != argc)
		return ctl_misuse(
		    "status", "unknown argument \"%s\"", argv[optind]);
	if ((config = ctl_load(CONFIG_NO_SECRETS, SANDBOX_INSPECT, NULL)) ==
	    NULL)
		return 1;
	status = status_print(config, json);
	config_free(config);
	return status;
}

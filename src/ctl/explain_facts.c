/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Facts for `tailgate explain`: hides where they come from.
 */
#include "config.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "ctl/explain_facts.h"
#include "ledger/rebuild.h"
#include "state/health.h"
#include "state/learned.h"
#include "state/slots.h"

static void
live_health(
    const struct config *config, struct arena *arena, struct facts *facts)
{
	struct facts_provider *rows;
	struct facts_learned *learned = NULL;
	struct health *health;
	size_t bytes;
	char why[256];

	health = health_open(config, why, sizeof(why));
	if (health == NULL) {
		fprintf(
		    stderr, "tailgate explain: health is not known: %s\n", why);
		return;
	}
	rows = arena_alloc(arena, (config->nproviders + 1) * sizeof(*rows));
	health_facts(health, rows);
	health_held_facts(health, arena, facts);
	facts->providers = rows;
	health_close(health);
	/* Strings may point into the block, so the process keeps it. */
	facts->nlearned = learned_load(config, &learned);
	bytes = facts->nlearned * sizeof(*learned);
	facts->learned = learned;
	if (bytes == 0)
		free(learned);
}

static struct slots *
live_slots(
    const struct config *config, struct arena *arena, struct facts *facts)
{
	struct facts_limit *rows;
	struct slots *slots;
	char why[256];

	if (config->nlimits == 0)
		return NULL;
	slots = slots_open(config, why, sizeof(why));
	if (slots == NULL) {
		fprintf(
		    stderr, "tailgate explain: slots are not known: %s\n", why);
		return NULL;
	}
	rows = arena_alloc(arena, config->nlimits * sizeof(*rows));
	slots_facts(slots, rows);
	facts->limits = rows;
	return slots;
}

static struct budget_book *
live_budgets(const struct config *config)
{
	struct budget_book *book;
	char why[256];

	book = budget_open(config, &ledger_history, why, sizeof(why));
	if (book == NULL)
		fprintf(stderr, "tailgate explain: budgets are not known: %s\n",
		    why);
	return book;
}

void
explain_facts_live(const struct config *config, struct arena *arena,
    struct facts *facts, struct explain_state *state)
{
	*facts = (struct facts){ .wall_ms = clock_wall_ms() };
	live_health(config, arena, facts);
	state->slots = live_slots(config, arena, facts);
	state->budgets = live_budgets(config);
}

void
explain_facts_close(struct explain_state *state)
{
	slots_close(state->slots);
	budget_close(state->budgets);
}

/* A member's number, 0 if there is none. */
static json_int_t
number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static enum tri
tri(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_boolean(value))
		return TRI_UNSET;
	return json_is_true(value) ? TRI_YES : TRI_NO;
}

static void
read_providers(const struct config *config, const json_t *root,
    struct arena *arena, struct facts *facts)
{
	const json_t *row, *all = json_object_get(root, "providers");
	struct facts_provider *rows =
	    arena_alloc(arena, (config->nproviders + 1) * sizeof(*rows));
	size_t i;

	for (i = 0; i < config->nproviders; i++) {
		row = json_object_get(all, config->providers[i].name);
		rows[i].open_ms = number(row, "open_ms");
		rows[i].in_flight = (unsigned)number(row, "in_flight");
		rows[i].first_byte_ms = number(row, "first_byte_ms");
	}
	facts->providers = rows;
}

static void
read_limits(const struct config *config, const json_t *root,
    struct arena *arena, struct facts *facts)
{
	const json_t *row, *all = json_object_get(root, "limits");
	struct facts_limit *rows =
	    arena_alloc(arena, (config->nlimits + 1) * sizeof(*rows));
	size_t i;

	for (i = 0; i < config->nlimits; i++) {
		row = json_object_get(all, config->limits[i].name);
		rows[i].used = (unsigned)number(row, "used");
		rows[i].queued = (unsigned)number(row, "queued");
	}
	facts->limits = rows;
}

static void
read_learned(const struct config *config, const json_t *root,
    struct arena *arena, struct facts *facts)
{
	const json_t *row, *all = json_object_get(root, "learned");
	size_t i, n = json_array_size(all);
	struct facts_learned *rows =
	    arena_alloc(arena, (n + 1) * sizeof(*rows));

	for (i = 0; i < n; i++) {
		const struct provider *provider;
		const char *model;

		row = json_array_get(all, i);
		provider = config_provider(config,
		    json_string_value(json_object_get(row, "provider")));
		model = json_string_value(json_object_get(row, "model"));
		if (provider == NULL || model == NULL)
			continue;
		rows[facts->nlearned++] = (struct facts_learned){
			.provider = provider,
			.model = arena_strdup(arena, model),
			.context = (uint64_t)number(row, "context"),
			.images = tri(row, "images"),
			.audio = tri(row, "audio"),
			.tools = tri(row, "tools"),
		};
	}
	facts->learned = rows;
}

static void
read_counts(const struct config *config, const json_t *root,
    struct arena *arena, struct facts *facts)
{
	const json_t *row, *all = json_object_get(root, "counts");
	struct facts_count *rows =
	    arena_alloc(arena, (json_array_size(all) + 1) * sizeof(*rows));
	size_t i;

	json_array_foreach (all, i, row) {
		const struct provider *provider = config_provider(config,
		    json_string_value(json_object_get(row, "provider")));
		const char *model =
		    json_string_value(json_object_get(row, "model"));

		if (provider == NULL || model == NULL)
			continue;
		rows[facts->ncounts++] =
		    (struct facts_count){ provider, arena_strdup(arena, model),
			    (uint64_t)number(row, "tokens") };
	}
	facts->counts = rows;
}

int
explain_facts_load(const struct config *config, const char *file,
    struct arena *arena, struct facts *facts)
{
	json_error_t error;
	json_t *root = json_load_file(file, JSON_REJECT_DUPLICATES, &error);

	if (root == NULL) {
		fprintf(stderr, "tailgate explain: %s:%d: %s\n", file,
		    error.line, error.text);
		return -1;
	}
	*facts = (struct facts){ .wall_ms = clock_wall_ms() };
	read_providers(config, root, arena, facts);
	read_limits(config, root, arena, facts);
	read_learned(config, root, arena, facts);
	read_counts(config, root, arena, facts);
	facts->rotation = (uint32_t)number(root, "turn");
	json_decref(root);
	return 0;
}

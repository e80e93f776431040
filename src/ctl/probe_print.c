/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The output of `tailgate probe`: the table, JSON, and what has changed.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"
#include "ctl/probe_print.h"
#include "ctl/table.h"

static void
context_cell(struct table *t, const struct probe *probe)
{
	uint64_t least = 0, most = 0;

	for (size_t i = 0; i < probe->nlearned; i++) {
		uint64_t context = probe->learned[i].context;

		if (context != 0 && (least == 0 || context < least))
			least = context;
		if (context > most)
			most = context;
	}
	if (most == 0)
		table_cell(t, "%s", "");
	else if (least == most)
		table_cell(t, "%llu", (unsigned long long)most);
	else
		table_cell(t, "%llu..%llu", (unsigned long long)least,
		    (unsigned long long)most);
}

void
probe_print_table(const struct probe *probes, size_t n)
{
	struct table *t = table_new(
	    "provider|place|health|>ms|>models|>context|server|remark");

	for (size_t i = 0; i < n; i++) {
		const struct probe *probe = &probes[i];

		table_cell(t, "%s", probe->provider->name);
		table_cell(t, "%s", place_name(probe->provider->place));
		table_cell(t, "%s", probe->ok ? "ok" : "failed");
		if (probe->ms < 0)
			table_cell(t, "%s", "");
		else
			table_cell(t, "%lld", (long long)probe->ms);
		if (probe->nmodels == 0)
			table_cell(t, "%s", "");
		else
			table_cell(t, "%zu", probe->nmodels);
		context_cell(t, probe);
		table_cell(t, "%s", probe->server == NULL ? "" : probe->server);
		table_cell(t, "%s", probe->why);
	}
	table_print(t, stdout);
	table_free(t);
	fflush(stdout);
}

static json_t *
tri_json(enum tri value)
{
	return value == TRI_UNSET ? json_null()
				  : json_boolean(value == TRI_YES);
}

static json_t *
learned_json(const struct probe *probe)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < probe->nlearned; i++) {
		const struct facts_learned *row = &probe->learned[i];

		json_array_append_new(rows,
		    json_pack("{s:s?, s:o, s:o, s:o, s:o}", "model", row->model,
			"context",
			row->context == 0
			    ? json_null()
			    : json_integer((json_int_t)row->context),
			"images", tri_json(row->images), "audio",
			tri_json(row->audio), "tools", tri_json(row->tools)));
	}
	return rows;
}

static const char *
or_null(const char *text)
{
	return *text == '\0' ? NULL : text;
}

static json_t *
store_json(const struct probe_store *p)
{
	return json_pack("{s:b, s:o, s:s?, s:s?, s:s?}", "ok", p->ok, "us",
	    p->us < 0 ? json_null() : json_integer(p->us), "server",
	    or_null(p->server), "policy", or_null(p->policy), "remark",
	    or_null(p->why));
}

void
probe_print_json(
    const struct probe *probes, size_t n, const struct probe_store *store)
{
	json_t *rows = json_array(), *root;

	for (size_t i = 0; i < n; i++) {
		const struct probe *probe = &probes[i];
		char why[4 * PROBE_WHY_SIZE];

		/* It may quote a server's text. */
		log_escape(probe->why, strlen(probe->why), why, sizeof(why));
		json_array_append_new(rows,
		    json_pack("{s:s, s:s, s:b, s:o, s:o, s:s?, s:s?, s:o}",
			"name", probe->provider->name, "place",
			place_name(probe->provider->place), "ok", probe->ok,
			"ms",
			probe->ms < 0 ? json_null() : json_integer(probe->ms),
			"models",
			probe->nmodels == 0
			    ? json_null()
			    : json_integer((json_int_t)probe->nmodels),
			"server", probe->server, "remark",
			why[0] == '\0' ? NULL : why, "learned",
			learned_json(probe)));
	}
	root = json_pack("{s:o}", "providers", rows);
	if (store->asked)
		json_object_set_new(root, "store", store_json(store));
	json_dumpf(root, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(root);
	fflush(stdout);
}

void
probe_print_changes(
    const struct probe *probes, const struct probe *before, size_t n)
{
	char when[CLOCK_TEXT_SIZE];

	clock_text(clock_wall_ms(), when);
	for (size_t i = 0; i < n; i++) {
		const struct probe *probe = &probes[i];
		char why[4 * PROBE_WHY_SIZE];

		if (before[i].provider != NULL && probe->ok == before[i].ok &&
		    strcmp(probe->why, before[i].why) == 0)
			continue;
		log_escape(probe->why, strlen(probe->why), why, sizeof(why));
		printf("%s %s: %s%s%s\n", when, probe->provider->name,
		    probe->ok ? "ok" : "failed", why[0] == '\0' ? "" : ", ",
		    why);
	}
	fflush(stdout);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the form of runtime_dir/probed.json:
 *
 * {"version": 1, "seen": {"qwen-local": {"ok": false, "why": "HTTP 500"}}}
 */
#include "config.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/log.h"
#include "ctl/probe_seen.h"
#include "state/kept.h"

#define SEEN_NAME "probed.json"
#define SEEN_VERSION 1

/* The object of all that was seen, or NULL; the root is the caller's. */
static json_t *
seen_of(json_t *root)
{
	if (json_integer_value(json_object_get(root, "version")) !=
	    SEEN_VERSION)
		return NULL;
	return json_object_get(root, "seen");
}

size_t
probe_seen_load(const struct config *config, const struct probe *probes,
    size_t n, struct probe *before)
{
	json_t *root = kept_load(config, SEEN_NAME), *seen = seen_of(root);
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		const json_t *row =
		    json_object_get(seen, probes[i].provider->name);
		const char *why =
		    json_string_value(json_object_get(row, "why"));

		before[i] = (struct probe){ .provider = NULL };
		if (why == NULL)
			continue;
		before[i].provider = probes[i].provider;
		before[i].ok = json_is_true(json_object_get(row, "ok"));
		strlcpy(before[i].why, why, sizeof(before[i].why));
		found++;
	}
	json_decref(root);
	return found;
}

/* Nothing is kept of providers that are no longer configured. */
static void
keep_others(const struct config *config, const json_t *old, json_t *seen)
{
	for (size_t i = 0; i < config->nproviders; i++) {
		const char *name = config->providers[i].name;
		json_t *row = json_object_get(old, name);

		if (json_is_object(row))
			json_object_set(seen, name, row);
	}
}

int
probe_seen_store(
    const struct config *config, const struct probe *probes, size_t n)
{
	json_t *old = kept_load(config, SEEN_NAME), *seen = json_object(),
	       *root;
	bool same;
	int result = 0;

	keep_others(config, seen_of(old), seen);
	for (size_t i = 0; i < n; i++)
		json_object_set_new(seen, probes[i].provider->name,
		    json_pack("{s:b, s:s%}", "ok", probes[i].ok, "why",
			probes[i].why, strlen(probes[i].why)));
	same = json_equal(seen, seen_of(old));
	root = json_pack("{s:i, s:o}", "version", SEEN_VERSION, "seen", seen);
	if (root == NULL)
		fatal("out of memory for what was seen");
	if (!same)
		result = kept_store(config, SEEN_NAME, root);
	json_decref(root);
	json_decref(old);
	return result;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * runtime_dir/learned.json: the context sizes and abilities that `tailgate
 * probe` found out.
 *
 * {"version": 1, "learned": [{"provider": "qwen-local", "model": "qwen3-8b",
 * "context": 32768, "images": true}]}; of another gateway's model also
 * "slots", "busy" and "at_ms".
 */
#include "config.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/memory.h"
#include "state/kept.h"
#include "state/learned.h"

#define LEARNED_NAME "learned.json"
#define LEARNED_VERSION 1
#define LEARNED_MAX 4096
#define MODEL_MAX 512
#define CONTEXT_MAX (INT64_C(1) << 40)
#define BUSY_MAX 1000000

static enum tri
tri_of(const json_t *row, const char *name)
{
	const json_t *value = json_object_get(row, name);

	if (!json_is_boolean(value))
		return TRI_UNSET;
	return json_is_true(value) ? TRI_YES : TRI_NO;
}

static void
busy_parse(const json_t *row, struct facts_learned *out)
{
	json_int_t slots = json_integer_value(json_object_get(row, "slots"));
	json_int_t busy = json_integer_value(json_object_get(row, "busy"));

	if (slots <= 0 || slots > BUSY_MAX || busy < 0 || busy > BUSY_MAX)
		return;
	out->slots = (unsigned)slots;
	out->busy = (unsigned)busy;
	out->at_ms = json_integer_value(json_object_get(row, "at_ms"));
}

/* Reads what can be believed of one row; false: nothing.  model is the
 * row's. */
static bool
row_parse(
    const struct config *config, const json_t *row, struct facts_learned *out)
{
	const json_t *context = json_object_get(row, "context");
	const char *model = json_string_value(json_object_get(row, "model"));
	json_int_t tokens = json_integer_value(context);

	*out = (struct facts_learned){
		.provider = config_provider(config,
		    json_string_value(json_object_get(row, "provider"))),
		.model = model,
		.images = tri_of(row, "images"),
		.audio = tri_of(row, "audio"),
		.tools = tri_of(row, "tools"),
	};
	if (out->provider == NULL || !out->provider->learn || model == NULL ||
	    model[0] == '\0' || strlen(model) > MODEL_MAX)
		return false;
	if (context != NULL &&
	    (!json_is_integer(context) || tokens < 0 || tokens > CONTEXT_MAX))
		return false;
	out->context = (uint64_t)tokens;
	busy_parse(row, out);
	return true;
}

/* Counts the valid rows and the bytes of their models' names. */
static size_t
rows_count(const struct config *config, const json_t *rows, size_t *bytes)
{
	struct facts_learned row;
	size_t i, n = 0;
	json_t *item;

	json_array_foreach (rows, i, item) {
		if (n == LEARNED_MAX || !row_parse(config, item, &row))
			continue;
		n++;
		*bytes += strlen(row.model) + 1;
	}
	return n;
}

static struct facts_learned *
rows_copy(
    const struct config *config, const json_t *rows, size_t n, size_t bytes)
{
	struct facts_learned *out = memory_alloc(n * sizeof(*out) + bytes);
	struct facts_learned row;
	char *text = (char *)(out + n);
	size_t i, at = 0;
	json_t *item;

	json_array_foreach (rows, i, item) {
		if (at == n || !row_parse(config, item, &row))
			continue;
		out[at] = row;
		out[at++].model = text;
		text = stpcpy(text, row.model) + 1;
	}
	return out;
}

size_t
learned_load(const struct config *config, struct facts_learned **out)
{
	json_t *root = kept_load(config, LEARNED_NAME), *rows;
	size_t n = 0, bytes = 0;

	*out = NULL;
	rows = json_object_get(root, "learned");
	if (json_integer_value(json_object_get(root, "version")) ==
	    LEARNED_VERSION)
		n = rows_count(config, rows, &bytes);
	if (n != 0)
		*out = rows_copy(config, rows, n, bytes);
	json_decref(root);
	return n;
}

static void
tri_set(json_t *row, const char *name, enum tri value)
{
	if (value != TRI_UNSET)
		json_object_set_new(row, name, json_boolean(value == TRI_YES));
}

static json_t *
rows_json(const struct facts_learned *facts, size_t n)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *row = json_pack("{s:s, s:s}", "provider",
		    facts[i].provider->name, "model", facts[i].model);

		if (row == NULL)
			continue;
		if (facts[i].context != 0)
			json_object_set_new(row, "context",
			    json_integer((json_int_t)facts[i].context));
		tri_set(row, "images", facts[i].images);
		tri_set(row, "audio", facts[i].audio);
		tri_set(row, "tools", facts[i].tools);
		if (facts[i].slots != 0) {
			json_object_set_new(
			    row, "slots", json_integer(facts[i].slots));
			json_object_set_new(
			    row, "busy", json_integer(facts[i].busy));
			json_object_set_new(
			    row, "at_ms", json_integer(facts[i].at_ms));
		}
		json_array_append_new(rows, row);
	}
	return rows;
}

int
learned_store(
    const struct config *config, const struct facts_learned *facts, size_t n)
{
	json_t *root = json_pack("{s:i, s:o}", "version", LEARNED_VERSION,
	    "learned", rows_json(facts, n));
	int result;

	if (root == NULL)
		fatal("out of memory for what was learned");
	result = kept_store(config, LEARNED_NAME, root);
	json_decref(root);
	return result;
}

uint64_t
learned_stamp(const struct config *config)
{
	char path[4096];
	struct stat st;

	snprintf(path, sizeof(path), "%s/" LEARNED_NAME, config->runtime_dir);
	if (lstat(path, &st) == -1)
		return 0;
	return ((uint64_t)st.st_ino << 32 ^ (uint64_t)st.st_mtim.tv_sec << 20 ^
		   (uint64_t)st.st_mtim.tv_nsec) |
	    1;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how the gateway tells its models: GET /v1/models.
 */
#include "config.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/mount_ask.h"
#include "ctl/setup_internal.h"

#define TIMEOUT_MS 15000

static bool
has_word(const json_t *array, const char *word)
{
	const json_t *value;
	size_t i;

	json_array_foreach (array, i, value)
		if (json_is_string(value) &&
		    strcmp(json_string_value(value), word) == 0)
			return true;
	return false;
}

static uint64_t
count(const json_t *object, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(object, name));

	return n > 0 ? (uint64_t)n : 0;
}

static void
take_model(struct setup_models *models, const json_t *row, struct arena *arena)
{
	const char *id = json_string_value(json_object_get(row, "id"));
	const json_t *kinds = json_object_get(row, "architecture");
	const json_t *tools = json_object_get(row, "tools");
	struct setup_model *m =
	    id == NULL ? NULL : setup_model_add(models, id, arena);

	if (m == NULL)
		return;
	m->context = count(row, "context_length");
	m->output = count(row, "max_output_tokens");
	m->images =
	    has_word(json_object_get(kinds, "input_modalities"), "image");
	m->tools = !json_is_false(tools);
	m->talks = kinds == NULL ||
	    has_word(json_object_get(kinds, "output_modalities"), "text");
}

/* Sends GET path.  Returns the JSON, which the caller owns, or NULL.  *reply
 * has no body. */
static json_t *
get(const struct mount *mount, const char *path, struct mount_reply *reply)
{
	struct mount_request q = {
		.method = "GET", .path = path, .timeout_ms = TIMEOUT_MS
	};
	json_t *body;

	mount_ask(mount, &q, reply);
	body = json_loadb(reply->body.p == NULL ? "" : reply->body.p,
	    reply->body.len, 0, NULL);
	buf_free(&reply->body);
	return body;
}

static void
ask_for_one(struct setup_models *models, const struct mount *mount,
    const char *name, struct arena *arena)
{
	struct mount_reply reply;
	json_t *row;

	if (name == NULL || setup_model_known(models, name))
		return;
	row = get(mount, arena_printf(arena, "/v1/models/%s", name), &reply);
	if (reply.status == 200)
		take_model(models, row, arena);
	json_decref(row);
}

enum setup_asked
setup_models_ask(struct setup_models *models, const char *url, const char *key,
    const char *const names[2], struct arena *arena, char *why, size_t size)
{
	struct mount_reply reply;
	struct mount mount = { .key = key };
	enum setup_asked asked = SETUP_NOT_TOLD;
	json_t *body, *row;
	size_t i;

	mount_of_url(&mount, arena, url);
	body = get(&mount, "/v1/models", &reply);
	if (reply.status == 0)
		snprintf(why, size, "%s", reply.why);
	else if (reply.status == 401) {
		snprintf(why, size, "the gateway does not know the key");
		asked = SETUP_UNKNOWN_KEY;
	} else if (reply.status != 200 ||
	    !json_is_array(json_object_get(body, "data")))
		snprintf(why, size, "no list of models is there (status %d)",
		    reply.status);
	else {
		asked = SETUP_TOLD;
		json_array_foreach (json_object_get(body, "data"), i, row)
			take_model(models, row, arena);
		for (i = 0; i < 2; i++)
			ask_for_one(models, &mount, names[i], arena);
	}
	json_decref(body);
	return asked;
}

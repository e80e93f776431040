/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how the models are learned: from GET /v1/models of the gateway, or,
 * before it knows a client that was just made, from the configuration.
 */
#include "config.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/mount_ask.h"
#include "ctl/setup_internal.h"
#include "policy/choice.h"

#define TIMEOUT_MS 15000

/* ---- of the gateway --------------------------------------------------- */

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

int
setup_models_ask(struct setup_models *models, const char *url, const char *key,
    struct arena *arena, char *why, size_t size)
{
	struct mount_request q = {
		.method = "GET", .path = "/v1/models", .timeout_ms = TIMEOUT_MS
	};
	struct mount_reply reply;
	struct mount mount = { .key = key };
	json_t *body, *row;
	size_t i;

	mount_of_url(&mount, arena, url);
	mount_ask(&mount, &q, &reply);
	body = json_loadb(
	    reply.body.p == NULL ? "" : reply.body.p, reply.body.len, 0, NULL);
	if (reply.status == 0)
		snprintf(why, size, "%s", reply.why);
	else if (reply.status == 401)
		snprintf(why, size, "the gateway does not know the key");
	else if (reply.status != 200 ||
	    !json_is_array(json_object_get(body, "data")))
		snprintf(why, size, "no list of models is there (status %d)",
		    reply.status);
	else {
		*why = '\0';
		json_array_foreach (json_object_get(body, "data"), i, row)
			take_model(models, row, arena);
	}
	json_decref(body);
	buf_free(&reply.body);
	return *why == '\0' ? 0 : -1;
}

/* ---- of the configuration --------------------------------------------- */

int
setup_models_read(
    struct setup_models *models, const char *client, struct arena *arena)
{
	struct config *config =
	    config_load(ctl_config_path(), CONFIG_NO_SECRETS, stderr);

	if (config == NULL)
		return -1;
	for (size_t i = 0; i < config->nclients; i++)
		if (strcmp(config->clients[i].name, client) == 0)
			choice_models(
			    config, &config->clients[i], models, arena);
	config_free(config);
	return 0;
}

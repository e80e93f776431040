/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Compares the names that targets ask a provider for with those that it lists.
 * A remark, no failure: some servers list less than they serve.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/spelling.h"
#include "ctl/probe_internal.h"

/* The id of the provider's model i, or NULL. */
static const char *
listed(const json_t *models, size_t i)
{
	return json_string_value(json_object_get(
	    json_array_get(json_object_get(models, "data"), i), "id"));
}

/* "qwen3" is Ollama's "qwen3:latest", and Google's "models/gemini-2" is meant
 * by "gemini-2". */
static bool
is_same(const char *id, const char *name)
{
	size_t n = strlen(name), len = strlen(id);

	return strcmp(id, name) == 0 ||
	    (strncmp(id, name, n) == 0 && id[n] == ':') ||
	    (len > n && id[len - n - 1] == '/' &&
		strcmp(id + len - n, name) == 0);
}

static bool
is_listed(const json_t *models, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		const char *id = listed(models, i);

		if (id != NULL && is_same(id, name))
			return true;
	}
	return false;
}

static const char *
name_of(const void *ctx, size_t i)
{
	const json_t *models = ctx;
	const char *id;

	if (i >= json_array_size(json_object_get(models, "data")))
		return NULL;
	id = listed(models, i);
	return id == NULL ? "" : id;
}

static void
remark(struct probe *probe, const json_t *models, const char *name)
{
	const char *near = spelling_nearest(name, name_of, models);

	if (near != NULL)
		snprintf(probe->why, sizeof(probe->why),
		    "it lists no %s; did you mean %s?", name, near);
	else
		snprintf(
		    probe->why, sizeof(probe->why), "it lists no %s", name);
}

void
probe_names(struct probe_asking *a, const json_t *models)
{
	struct probe *probe = a->probe;

	/* llama.cpp serves its one model under any name. */
	if (probe->nmodels == 0 || probe->why[0] != '\0' ||
	    (probe->server != NULL && strcmp(probe->server, "llama.cpp") == 0))
		return;
	for (size_t m = 0; m < a->config->nmodels; m++)
		for (size_t t = 0; t < a->config->models[m].ntargets; t++) {
			const struct target *target =
			    &a->config->models[m].targets[t];

			if (target->provider != probe->provider ||
			    strcmp(target->model, "*") == 0 ||
			    is_listed(models, probe->nmodels, target->model))
				continue;
			remark(probe, models, target->model);
			return;
		}
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The models by the names that clients use: hides aliases and prefixes.
 */
#include "config.h"

#include <string.h>

#include "policy/models.h"

/* The fixed part of "openrouter/" + "*". */
static size_t
prefix_length(const struct model *model)
{
	return strlen(model->id) - 1;
}

static bool
has_name(const struct model *model, const char *name)
{
	size_t i;

	if (!model->prefix && strcmp(model->id, name) == 0)
		return true;
	for (i = 0; i < model->naliases; i++)
		if (strcmp(model->aliases[i], name) == 0)
			return true;
	return false;
}

const struct model *
models_find(const struct config *config, const char *name)
{
	const struct model *model, *found = NULL;
	size_t i;

	for (i = 0; i < config->nmodels; i++)
		if (has_name(&config->models[i], name))
			return &config->models[i];
	/* A pattern is not a name. */
	if (strchr(name, '*') != NULL)
		return NULL;
	for (i = 0; i < config->nmodels; i++) {
		model = &config->models[i];
		if (!model->prefix ||
		    strncmp(model->id, name, prefix_length(model)) != 0 ||
		    name[prefix_length(model)] == '\0')
			continue;
		if (found == NULL ||
		    prefix_length(model) > prefix_length(found))
			found = model;
	}
	return found;
}

const char *
models_upstream_name(const struct model *model, const struct target *target,
    const char *requested, struct arena *arena)
{
	if (strcmp(target->model, "*") != 0)
		return target->model;
	if (!model->prefix)
		return model->id;
	if (strncmp(requested, model->id, prefix_length(model)) == 0)
		requested += prefix_length(model);
	return arena_strdup(arena, requested);
}

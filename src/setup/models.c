/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides which names of models a set-up accepts, and which model it begins with.
 */
#include "config.h"

#include <string.h>

#include "setup/setup.h"

bool
setup_is_plain(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-._~:/@+[]";

	return *text != '\0' && text[strspn(text, plain)] == '\0';
}

struct setup_model *
setup_model_add(
    struct setup_models *models, const char *id, struct arena *arena)
{
	struct setup_model *m = &models->list[models->n];

	if (models->n == SETUP_MODELS_MAX || !setup_is_plain(id))
		return NULL;
	models->n++;
	*m = (struct setup_model){ .id = arena_strdup(arena, id) };
	return m;
}

const struct setup_model *
setup_model_pick(const struct setup_models *models)
{
	for (int tools = 1; tools >= 0; tools--)
		for (size_t i = 0; i < models->n; i++)
			if (models->list[i].talks &&
			    (models->list[i].tools || !tools))
				return &models->list[i];
	return NULL;
}

const struct setup_model *
setup_model_known(const struct setup_models *models, const char *id)
{
	for (size_t i = 0; i < models->n; i++)
		if (strcmp(models->list[i].id, id) == 0)
			return &models->list[i];
	return NULL;
}

void
setup_model_assume(struct setup_models *models, const char *id)
{
	if (setup_model_known(models, id) == NULL &&
	    models->n < SETUP_MODELS_MAX)
		models->list[models->n++] = (struct setup_model){
			.id = id, .tools = true, .talks = true
		};
}

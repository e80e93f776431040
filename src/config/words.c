/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The configuration's names: the words of its enums, which the schema lists,
 * and its elements by their names.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "config/settings.h"
#include "config/schema.h"

static const char *const fallbacks[FALLBACK_COUNT] = { "busy", "unavailable",
	"error", "timeout", "rate_limited", "too_long", "unsupported" };

const char *
fallback_name(enum fallback reason)
{
	for (unsigned i = 0; i < FALLBACK_COUNT; i++)
		if ((unsigned)reason == 1u << i)
			return fallbacks[i];
	return NULL;
}

const char *
place_name(enum place place)
{
	return place == PLACE_LOCAL ? "local" : "external";
}

/* The loader asks before every element has its name. */
static bool
is_named(const char *its, const char *name)
{
	return name != NULL && its != NULL && strcmp(its, name) == 0;
}

const struct provider *
config_provider(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->nproviders; i++)
		if (is_named(c->providers[i].name, name))
			return &c->providers[i];
	return NULL;
}

const struct limit *
config_limit(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->nlimits; i++)
		if (is_named(c->limits[i].name, name))
			return &c->limits[i];
	return NULL;
}

const struct client *
config_client(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->nclients; i++)
		if (strcmp(c->clients[i].name, name) == 0)
			return &c->clients[i];
	return NULL;
}

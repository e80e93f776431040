/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The words of the configuration's enums, both ways.  They stand in the
 * schema; here is only how they are found.
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

unsigned
fallback_by_name(const char *name)
{
	for (unsigned i = 0; i < FALLBACK_COUNT; i++)
		if (strcmp(fallbacks[i], name) == 0)
			return 1u << i;
	return 0;
}

const char *
place_name(enum place place)
{
	return place == PLACE_LOCAL ? "local" : "external";
}

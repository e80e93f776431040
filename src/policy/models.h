/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The models by the names that clients use: ids, aliases, and prefixes such as
 * "openrouter/" + "*" that pass the rest of the name on.
 */
#ifndef POLICY_MODELS_H
#define POLICY_MODELS_H

#include "base/arena.h"
#include "config/settings.h"

/* The model for a name: id or alias, else the longest prefix; NULL. */
const struct model *models_find(const struct config *, const char *name);
/* The model name that is sent to the target's upstream. */
const char *models_upstream_name(const struct model *, const struct target *,
    const char *requested, struct arena *);

#endif

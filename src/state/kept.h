/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Small JSON files in runtime_dir that are replaced as a whole: readers see the
 * old one or the new one.
 */
#ifndef STATE_KEPT_H
#define STATE_KEPT_H

#include <jansson.h>

#include "config/settings.h"

/* NULL if there is none, or it cannot be read (which is logged). */
json_t *kept_load(const struct config *, const char *name);
/* If root writes it, the owner of runtime_dir may read it.  -1 with errno. */
int kept_store(const struct config *, const char *name, const json_t *);

#endif

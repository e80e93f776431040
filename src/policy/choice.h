/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The models that a client may choose from, as a set-up of its tools wants
 * them.
 */
#ifndef POLICY_CHOICE_H
#define POLICY_CHOICE_H

#include "base/arena.h"
#include "config/settings.h"
#include "setup/setup.h"

/* Adds each name that the client may use, patterns left out, as far as
 * SETUP_MODELS_MAX has room and the name is plain. */
void choice_models(const struct config *, const struct client *,
    struct setup_models *, struct arena *);
/* Adds the model of this name, such as one that a pattern matches, if the
 * client may use it. */
void choice_named(const struct config *, const struct client *,
    const char *name, struct setup_models *, struct arena *);

#endif

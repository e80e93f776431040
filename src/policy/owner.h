/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The owner of a call that names no model, or that concerns something a
 * provider keeps (a stored response, its voices): the one provider that serves
 * the endpoint for this client.  With two such providers it is unclear which is
 * meant, and a wrong guess would show one provider's ids to another.
 */
#ifndef POLICY_OWNER_H
#define POLICY_OWNER_H

#include "base/arena.h"
#include "config/settings.h"
#include "policy/call.h"
#include "policy/refusal.h"

/* Does nothing for a call of an endpoint that is not ENDPOINT_OWNED, nor for
 * one whose body names its model.  Otherwise it sets call->owner, and
 * call->model to the owner's id: the first model that the client may use and
 * whose targets serve the endpoint within the ceilings of both.  If the
 * query names a model, only that one is checked, and nothing is set.  -1 and
 * *refused: more than one provider could be meant, or none. */
int owner_find(const struct config *, const struct client *, struct call *,
    struct arena *, struct refused *);
/* The model of a call: its owner, or the one by its name; NULL: none. */
const struct model *owner_model(const struct config *, const struct call *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What a provider means to say, and whether a client got that.
 */
#ifndef TESTS_WORLD_REPLY_H
#define TESTS_WORLD_REPLY_H

#include "world.h"

/* To the request with this head. */
void reply_make(struct world_try *, const char *head, int request);

/* Is what the client has of this try, whole or (whole false) its beginning?
 * In a stream what the gateway adds is passed over: signs of life, and at the
 * end an honest error. */
bool reply_is(const struct world_request *, const struct world_try *,
    const char *body, size_t len, bool whole);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What a provider means to send, and whether a client got it.
 */
#ifndef TESTS_WORLD_REPLY_H
#define TESTS_WORLD_REPLY_H

#include "world.h"

/* The reply to the request with this head. */
void reply_make(struct world_try *, const char *head, int request);

/* Did the client get this try's response: all of it, or (whole false) a prefix?
 * In a stream, what the gateway adds is ignored: heartbeats, and an honest
 * error at the end. */
bool reply_is(const struct world_request *, const struct world_try *,
    const char *body, size_t len, bool whole);

#endif

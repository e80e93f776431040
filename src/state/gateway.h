/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * This gateway's id among gateways: 64 random bits, made once for a runtime_dir
 * and shared by all processes that use it.  It tells a request that comes back.
 */
#ifndef STATE_GATEWAY_H
#define STATE_GATEWAY_H

#include <stddef.h>

#include "config/settings.h"

#define GATEWAY_ID_SIZE 17

/* 16 hex digits; "" if no provider is another gateway, since nothing could
 * come back then.  -1: one line in why. */
int gateway_id(const struct config *, char id[GATEWAY_ID_SIZE], char *why,
    size_t size);

#endif

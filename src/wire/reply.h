/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Our own responses: a refusal, or JSON, as a whole response.
 */
#ifndef WIRE_REPLY_H
#define WIRE_REPLY_H

#include "base/arena.h"
#include "base/buf.h"
#include "config/endpoint.h"
#include "policy/refusal.h"
#include "wire/io.h"

/* {"error":{…}} in the endpoint's shape. */
void reply_error_json(struct buf *, enum endpoint_shape, const struct refused *,
    const char *request_id);

/* The data of a Responses stream's `error` event, at which SDKs raise an
 * error. */
void
reply_response_error(struct buf *, const struct refused *, uint64_t sequence);

/* The data of a Responses stream's last event, `response.failed`, if there
 * is no response object of the upstream. */
void reply_response_failed(
    struct buf *, const struct refused *, const char *id, uint64_t sequence);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Signs of life as events: which each API's clients count as progress.  Codex
 * counts events, not comments; the Anthropic SDKs leave out `ping`.
 */
#ifndef BRIDGE_PULSE_H
#define BRIDGE_PULSE_H

#include <stdint.h>

#include "base/buf.h"

/* `event: ping`, as Anthropic sends it. */
void pulse_messages(struct buf *);

/* A response that is in progress, without its output and without the
 * request's members, which may be long. */
struct pulse_response {
	const char *id; /* of the response */
	const char *model;
	int64_t created_at; /* seconds */
};

/* `event: response.created` or `response.in_progress`: type is what follows
 * the dot. */
void pulse_responses(struct buf *, const char *type, uint64_t sequence,
    const struct pulse_response *);

#endif

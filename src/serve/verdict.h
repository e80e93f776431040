/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What an upstream's failure means for the fallback, for the provider's health,
 * and for the client.
 */
#ifndef SERVE_VERDICT_H
#define SERVE_VERDICT_H

#include <stdbool.h>

#include "base/span.h"
#include "serve/relay.h"

/* Is this event (or JSON response) an error? */
bool verdict_is_error(struct span name, struct span data);
/* Is it a sign of life without meaning: a ping, or (chat) an object that a
 * client would ignore? */
bool verdict_is_idle(enum endpoint speaks, struct span name, struct span data);
/* Does it have words, like an error, and nothing of a response? */
bool verdict_complains(struct span data);
/* The event's name, which some upstreams give only by the member `type`. */
struct span verdict_event_name(struct span name, struct span data);
/* Chat: does a choice of this event (or JSON response) end with a failure,
 * or come with an error? */
bool verdict_ends_badly(enum endpoint, struct span data);
/* Is it the chunk that exists only to carry `usage`? */
bool verdict_is_only_usage(struct span data);
/* Checks a JSON response that is still held when it has ended: whether it is
 * an error, whether it is complete, what it used. */
void verdict_look(struct relay *);
/* Did a 2xx response turn out to be an error? */
bool verdict_is_dressed(const struct relay *);
/* Does it lack its end, or everything, although HTTP calls it complete?
 * Judged by what is held. */
bool verdict_is_short(const struct relay *, uint64_t bytes_in);

/* Fills reason, health, retry_after, refused and upstream_error. */
void verdict_judge(const struct relay *, const struct upstream_report *,
    struct relay_result *);

#endif

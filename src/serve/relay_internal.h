/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Between relay.c and relay_events.c only.
 */
#ifndef SERVE_RELAY_INTERNAL_H
#define SERVE_RELAY_INTERNAL_H

#include "serve/relay.h"

/* The client gets its head; from now on nothing else can be tried. */
int relay_commit(struct relay *, int64_t length);

/* Bytes of an event stream: to the client, or to the bridge.  -1: stop. */
int relay_push_events(struct relay *, struct span bytes);
int relay_push_bridged(struct relay *, struct span bytes);
/* The stream has ended as HTTP says it should: takes the event that lacks
 * only its blank line. */
void relay_end_events(struct relay *);

/* What the bridge has made so far goes to the client. */
int relay_pass_bridged(struct relay *, int64_t length);
void relay_bridge_step(struct relay *, enum bridge_step);
/* The client of a bridge is told what the ledger is, if the upstream has
 * reported it. */
void relay_tell_usage(struct relay *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What is known of one request when it has ended: the ledger makes a line of
 * it, the meters count it.
 */
#ifndef STATE_ENTRY_H
#define STATE_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "policy/price.h"
#include "policy/refusal.h"

#define ENTRY_TRIES_MAX 8

/* One candidate that was tried, and how it ended. */
struct entry_try {
	const char *provider;
	const char *outcome; /* "ok", "busy", "unavailable", "error" … */
	int64_t ms;
};

/* All that is known of one request.  Strings may be NULL and are not kept. */
struct entry {
	int64_t wall_ms; /* of its beginning */
	const char *id;
	const char *client;
	const char *endpoint;
	const char *model; /* as asked */
	const char *route; /* models[].id that it became */
	const char *provider, *upstream_model;
	bool sent; /* a request went out to it */
	enum place place; /* of the provider */
	const char *host; /* where it went */
	const char *allowed_by; /* for external: the ceilings that let
					   it out, "client laptop, model x" */
	const char *private_rule; /* the one that matched */
	struct entry_try tries[ENTRY_TRIES_MAX];
	unsigned ntries;
	const char *fallback; /* reason of the last one, or NULL */
	const char *bridge; /* "responses", "messages" or NULL */
	bool stream;
	int status; /* as the client saw it; 499 gone */
	enum refusal refusal;
	bool client_gone, cut; /* cut: upstream ended early */
	uint64_t bytes_in, bytes_out; /* bodies from and to the client */
	uint64_t bytes_sent; /* body to the upstream */
	struct usage usage;
	int64_t cost_nanousd; /* -1: not known */
	int64_t queue_ms, first_byte_ms, total_ms; /* -1: none */
};

#endif

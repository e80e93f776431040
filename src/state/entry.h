/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What is known of a request when it has ended: the ledger writes a line from
 * it, and the meters count it.
 *
 * What left and what it cost belongs to a try, and a request has as many as
 * providers were tried.  The request's own numbers are their sums, computed
 * when needed: no try can overwrite what an earlier one did.
 */
#ifndef STATE_ENTRY_H
#define STATE_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"
#include "policy/price.h"
#include "policy/refusal.h"

/* One candidate that was tried.  Strings may be NULL. */
struct entry_try {
	const char *provider;
	const char *upstream_model;
	const char *host; /* where it is */
	const char *allowed_by; /* for external: the ceilings that let
					   it out, "client laptop, model x" */
	enum place place; /* of the provider */
	unsigned key; /* number of the key, from 1; 0: it has not several */
	const char *outcome; /* "ok", "busy", "unavailable", "error" … */
	bool sent; /* bytes of a request went out to it */
	uint64_t bytes_sent; /* of the body */
	struct usage usage;
	int64_t cost_nanousd; /* 0: nothing to pay; -1: not known */
	int64_t at_ms; /* its beginning, from the request's */
	int64_t queue_ms, first_byte_ms; /* -1: none */
	int64_t wake_ms; /* waited until its host was awake; -1: it was */
	int64_t ms; /* from its beginning to its end */
};

/* All that is known of one request.  Strings may be NULL and are not kept. */
struct entry {
	int64_t wall_ms; /* of its beginning */
	const char *id;
	const char *client; /* "laptop"; a relay's is "office/laptop" */
	const char *client_entry; /* in the configuration, "office", by which
				     meters count; NULL: the same */
	const char *endpoint;
	const char *model; /* as asked */
	const char *route; /* the models[].id that it led to */
	const char *session; /* its digest; NULL: of none */
	const char *trace; /* traceparent as it was handed on, or NULL */
	const char *private_rule; /* the one that matched */
	struct entry_try *tries; /* in their order; the caller's */
	size_t ntries;
	const char *fallback; /* reason of the last one, or NULL */
	const char *bridge; /* "responses", "messages" or NULL */
	bool stream;
	int status; /* as the client saw it; 499 gone */
	enum refusal refusal;
	bool client_gone, cut; /* cut: upstream ended early */
	uint64_t bytes_in, bytes_out; /* bodies from and to the client */
	int64_t total_ms; /* -1: none */
	bool on_way, on_way_external; /* as ledger_sending() has counted it */
};

/* The sums over its tries. */
struct entry_sums {
	bool sent; /* one of them was */
	bool external; /* one of them was, to an external provider */
	uint64_t bytes_sent;
	struct usage usage; /* reported: by all that used anything */
	int64_t cost_nanousd; /* of those that are known; -1: none is */
	int64_t queue_ms; /* of all that waited; -1: none did */
	int64_t first_byte_ms; /* of the last that had one; -1: none had */
};
void entry_sum(const struct entry *, struct entry_sums *out);

/* The try by which the request ended; NULL: it came to none. */
const struct entry_try *entry_last(const struct entry *);

/* A try of which nothing is known yet. */
void entry_try_init(struct entry_try *);

/* Was anything used, as far as is known? */
bool entry_used(const struct usage *);

#endif

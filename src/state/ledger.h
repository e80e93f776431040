/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The account: one JSON line per request, appended whole, each chained to the
 * one before by its hash.  Described for readers in
 * tailgate.ledger(5).  No content, no key, ever.
 */
#ifndef STATE_LEDGER_H
#define STATE_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "policy/price.h"
#include "policy/refusal.h"

#define LEDGER_TRIES_MAX 8

/* One candidate that was tried, and how it ended. */
struct ledger_try {
	const char *provider;
	const char *outcome; /* "ok", "busy", "unavailable", "error" … */
	int64_t ms;
};

/* All that is known of one request when it has ended.  Strings may be NULL
 * and are not kept. */
struct ledger_entry {
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
	struct ledger_try tries[LEDGER_TRIES_MAX];
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

struct ledger;

/* NULL with one line in why.  One per process (after fork, not before: its
 * lock is its own), shared by its threads.  Where config->ledger is false it
 * writes nothing. */
struct ledger *ledger_open(const struct config *, char *why, size_t size);
/* Nobody else uses it any more; what waits is written. */
void ledger_close(struct ledger *);

/* From now on a thread of its own writes, some milliseconds after a line was
 * brought, all that were brought meanwhile; a process that is killed takes
 * those with it.  waiting() is told by how many more, or fewer, wait.  To be
 * called once, before any ledger_write(). */
void ledger_write_behind(
    struct ledger *, void (*waiting)(void *ctx, int delta), void *ctx);

/* Never fails a request: what cannot be written is logged (once a minute)
 * and counted.  When it returns the line is in the file, or waits for another
 * thread to write it. */
void ledger_write(struct ledger *, const struct ledger_entry *);
/* Returns when nothing waits any more, or until_ms (clock_now_ms()) has
 * come. */
void ledger_flush(struct ledger *, int64_t until_ms);
/* Lines that this process could not write. */
uint64_t ledger_lost(struct ledger *);

#endif

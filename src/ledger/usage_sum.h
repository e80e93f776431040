/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Sums over the ledger's lines, by the requested columns.
 */
#ifndef LEDGER_USAGE_SUM_H
#define LEDGER_USAGE_SUM_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "ledger/read.h"

enum usage_by {
	USAGE_BY_CLIENT,
	USAGE_BY_MODEL, /* the model that a name stood for; as asked
				   where that is a prefix ("openrouter/…") */
	USAGE_BY_PROVIDER,
	USAGE_BY_UPSTREAM, /* the provider's name of the model */
	USAGE_BY_PLACE,
	USAGE_BY_HOST,
	USAGE_BY_ENDPOINT,
	USAGE_BY_STATUS,
	USAGE_BY_REFUSAL,
	USAGE_BY_DAY, /* UTC */
	USAGE_BY_MONTH,
	USAGE_BY_GATEWAY, /* the host whose line it is */
	USAGE_BY_SESSION, /* of a tool: its digest */
	USAGE_BY_COUNT
};
/* "client" …, and back; USAGE_BY_COUNT if there is no such word. */
const char *usage_by_name(enum usage_by);
enum usage_by usage_by_find(struct span name);

/* A request is counted where it ended; tries and what they used where they
 * went.  So columns of either kind add up to the same totals. */
struct usage_count {
	uint64_t requests;
	uint64_t failed; /* status 400 and up */
	uint64_t tries; /* of providers, sent or not */
	uint64_t estimated; /* tries whose tokens are our estimate */
	uint64_t unpriced; /* tries that went outside, cost not known */
	int64_t input, cached, cache_write, output, reasoning;
	int64_t cost_nanousd;
	uint64_t external; /* tries sent to a provider outside */
	int64_t external_bytes; /* bodies sent there */
	int64_t total_ms;
	uint64_t lost; /* requests without a line, as gaps tell */
	uint64_t lost_external; /* of them sent outside */
};
void usage_count_add(struct usage_count *, const struct usage_count *);

struct usage_group {
	/* One for each column asked for, decoded; "" where a line has none,
	 * "(other)" after USAGE_GROUPS_MAX. */
	const char *names[USAGE_BY_COUNT];
	struct usage_count count;
};

/* Clients choose the model names, so their number is unbounded. */
#define USAGE_GROUPS_MAX 20000

struct usage_sum;

struct usage_sum *usage_sum_new(const enum usage_by *columns, size_t n);
void usage_sum_free(struct usage_sum *);
/* Forgets the groups. */
void usage_sum_reset(struct usage_sum *);
void usage_sum_add(struct usage_sum *, const struct ledger_line *);
/* Days and months ascending, then cost, tokens and requests descending.  The
 * array is the sum's own. */
size_t usage_sum_groups(struct usage_sum *, struct usage_group ***out);


#endif

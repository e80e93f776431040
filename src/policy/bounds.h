/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What is spent and left within the bounds of a client or a model, as JSON and
 * as text.  state/budget.h fills them in.
 */
#ifndef POLICY_BOUNDS_H
#define POLICY_BOUNDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* One bound of a budget; amounts in nano-USD if it is of money. */
struct bound {
	const char *kind, *name; /* "client", "laptop" */
	const char *setting; /* "usd_per_day" */
	bool money;
	int64_t limit;
	int64_t used;
	int64_t held; /* by requests that are running */
	int64_t reset_ms; /* until the period is over; -1: it has none */
	bool shared; /* used and held are of all hosts, as last heard */
	/* So long ago; -1: not in this period, so they are of this host
	 * alone. */
	int64_t heard_ms;
};
#define BOUNDS_MAX 6 /* of one client or one model */

/* limit - used - held, at least 0. */
int64_t bound_left(const struct bound *);
/* [{"of":"client laptop","bound":"usd_per_day","limit":5,"used":1.25,"held":0,
 *   "left":3.75,"resets_in_ms":3600000 or null},...]; money in USD, and
 * "shared":true,"heard_ms_ago":800 or null in those that hosts share. */
void bounds_json(const struct bound *, size_t n, struct buf *);
/* "4.05", "1200": an amount of this bound, money with all its digits that are
 * not trailing zeros. */
void bound_amount(const struct bound *, int64_t amount, struct buf *);

#endif

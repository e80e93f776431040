/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What the status page shows of the ledger: sums per day, model and place,
 * and the last requests.  The first look reads a month of the ledger, every
 * later one only what was added since.
 */
#ifndef STATE_USAGE_VIEW_H
#define STATE_USAGE_VIEW_H

#include "base/buf.h"
#include "config/config.h"

#define USAGE_VIEW_DAYS 31
#define USAGE_VIEW_RECENT 100

struct usage_view;

/* One per process, shared by its threads; cheap until it is looked at. */
struct usage_view *usage_view_new(const struct config *);
void usage_view_free(struct usage_view *);

/* Writes {"since":DAY,"rows":[{"day","model","provider","place","requests",
 * "failed","estimated","unpriced","input","cached","output","reasoning",
 * "cost_nanousd"}…],"recent":[…]}: rows of the last `days` days (at most
 * USAGE_VIEW_DAYS), and the last `recent` requests, newest first, with the
 * ledger's members time, id, client, endpoint, model, provider, place,
 * status, refusal, stream, input, output, cost_nanousd, queue_ms,
 * first_byte_ms, total_ms. */
void usage_view_json(
    struct usage_view *, unsigned days, unsigned recent, struct buf *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The status page's view of the ledger: sums per day, model and place, and the
 * last requests.  The first call reads a month of the ledger, later ones only
 * what was added since, at most once a second.
 */
#ifndef LEDGER_USAGE_VIEW_H
#define LEDGER_USAGE_VIEW_H

#include "base/buf.h"
#include "config/settings.h"

#define USAGE_VIEW_DAYS 31
#define USAGE_VIEW_RECENT 100
/* Rows of one day; the least of a day with more are one row per place, under
 * the model "(other)", and one of the client "(other)". */
#define USAGE_VIEW_DAY_ROWS 100
#define USAGE_VIEW_SESSIONS 30

struct usage_view;

/* One per process, shared by its threads; cheap until it is used. */
struct usage_view *usage_view_new(const struct config *);
void usage_view_free(struct usage_view *);

/* Writes {"ledger":true,"at":TIME,"since":DAY,"rows":[{"day","model",
 * "provider","place","requests","failed","tries","estimated","unpriced",
 * "external","external_bytes","input","cached","output","reasoning",
 * "cost_nanousd"}…],
 * "clients":[{"day","client", and the rest}…],"sessions":[{"session","client",
 * and the rest}…],"recent":[…]}: requests are counted where they ended, the
 * rest where each try went (usage_sum.h); rows are those of the last `days`
 * days in UTC (at most USAGE_VIEW_DAYS; 0: no rows), sessions the most
 * expensive of all days that are known (left out without days), and the last
 * `recent` requests, newest first, with the ledger's members time, id, client,
 * session, endpoint, model, provider, place, sent, external, fallback, stream,
 * status, refusal, client_gone, cut, usage, input, output, cost_nanousd,
 * queue_ms, first_byte_ms, total_ms.
 *
 * A model has the requested name only if that was sent to a provider;
 * otherwise its configured name, or "": an invented name is not a model. */
void usage_view_json(
    struct usage_view *, unsigned days, unsigned recent, struct buf *);

#endif

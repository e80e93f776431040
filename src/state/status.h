/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The current state, for machines: `tailgate status --json` and GET
 * /tailgate/status.json give the same object.
 *
 * {"at": "2026-11-22T18:47:00.123Z", "version": "0.1.0",
 *  "providers": [{"name": "qwen-local", "place": "local", "limit": "gpu",
 *    "state": "closed" or "open" or "half-open", "open_ms": 0 (how long yet),
 *    "failures": 0 (in a row), "since": time or null, "last_error": "timeout"
 *    or null, "last_error_at": time or null, "first_byte_p50_ms": 210 or
 *    null, "in_flight": 1, "requests": 812, "errors": 3,
 *    "held": [{"model": "qwen3", "why": "one model loading",
 *      "open_ms": 1200}],
 *    "auth": "client" (where each client sends its own key),
 *    "keys": [{"number": 2, "rests": [{"model": "" (all) or a name,
 *      "why": "rate limited", "open_ms": 8000}]}] (where it has several)}],
 *  "limits": [{"name": "gpu", "slots": 1, "used": 1, "queue": 16,
 *    "queued": 2, and with `swap` "model_in_use": "qwen3" or null,
 *    "switches": 7}],
 *  "requests": [{"limit": "gpu", "phase": "running" or "waiting",
 *    "client": "laptop", "model": "chat", "request_id": "…", "pid": 812,
 *    "age_ms": 5100}],
 *  "budgets": [{"of": "client laptop", "bound": "usd_per_day", "limit": 5,
 *    "used": 1.2, "held": 0.1, "left": 3.7, "resets_in_ms": 3600000}],
 *  "recording": {"client": "laptop", "until": time, "exchanges": 3,
 *    "most": 20, "bytes": 81920} or null,
 *  "ledger": {"writable": true, "unrecorded": 0 (requests that no line has
 *    reported yet), "since": time of the first of them or null}, with one
 *  and with `store`:
 *  "store": {"reachable": true (for all workers), "workers": 2, "away": 0,
 *    "since": time or null, "mean_us": 90, "calls": 812, "failed": 0},
 *  "fleet": what hosts share (fleet/look.h), from a worker that reaches it}
 *
 * requests are those that hold a slot or wait for one.  It names clients, so
 * it is for operators.
 */
#ifndef STATE_STATUS_H
#define STATE_STATUS_H

#include "base/buf.h"
#include "config/settings.h"
#include "state/budget.h"
#include "state/health.h"
#include "state/meters.h"
#include "state/recording.h"
#include "state/slots.h"

/* Whether the ledger's lines can be written now (ledger/gap.h). */
struct status_ledger {
	bool writable;
	uint64_t unrecorded; /* requests, until a line reports them */
	uint64_t unrecorded_total; /* whether reported or not */
	int64_t since_wall_ms; /* of the first of them; 0: there is none */
};

struct status_of {
	const struct config *config;
	struct health *health;
	struct slots *slots;
	struct budget_book *budgets; /* NULL: they are left out */
	struct meters *meters;
	struct recording *recording; /* NULL: it is left out */
	const struct status_ledger *ledger; /* NULL: it is left out */
	struct span fleet; /* JSON (fleet/look.h); NULL: not known */
};
void status_json(const struct status_of *, struct buf *);

#endif

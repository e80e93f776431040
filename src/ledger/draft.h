/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * One line of the ledger that is being made.  Within src/ledger/ only.
 */
#ifndef LEDGER_DRAFT_H
#define LEDGER_DRAFT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "ledger/chain.h"
#include "ledger/ledger.h"

/* A newline precedes its text, in case the line before it in the file was
 * torn. */
struct ledger_draft {
	struct buf text;
	size_t len; /* of it without its end */
	bool external; /* it was sent to an external provider */
	int64_t wall_ms; /* of the request's beginning */
	int64_t born_ms; /* clock_now_ms() */
	STAILQ_ENTRY(ledger_draft) entry;
};
STAILQ_HEAD(ledger_drafts, ledger_draft);

/* All of the line but its end. */
struct ledger_draft *ledger_draft_new(const struct entry *);
/* A line from another process: its text without the newline before it. NULL:
 * it does not have the form of a request's line (form.h). */
struct ledger_draft *ledger_draft_again(struct span text, bool external);
void ledger_draft_free(struct ledger_draft *);

/* Requests without a line: how many, how many of them were sent outside, and
 * when the first and the last of them began. */
struct ledger_lost {
	uint64_t lost, external;
	int64_t since_ms, until_ms;
};
struct ledger_draft *ledger_draft_lost(const struct ledger_lost *);

/* Its end: the host's name, its place after the tail, and the newline,
 * instead of the end that it had before.  False: the line is too long then. */
bool ledger_draft_finish(
    struct ledger_draft *, const char *gateway, const struct ledger_tail *);

#endif

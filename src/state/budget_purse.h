/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Bounds that several hosts share (`shared = true` in a budget).
 *
 * A host spends such a bound from its purse: an amount that the store has
 * allowed it, in advance (escrow), and that nobody else may spend.  What this
 * host uses and holds stays within its purse, so most requests need no store,
 * and a store that is away stops a host only when its purse is empty.
 *
 * The purse lies in the row of the budgets' file.  This is the local half of
 * it: what to say to the store, and what to do with its answer; a floor above
 * speaks with the store (fleet/purse.h).
 *
 * All amounts that are said are totals, never differences, so to say one
 * twice changes nothing:
 *  - base: what this host had used before its file had an allowance;
 *  - used, beyond base, and held by requests that run;
 *  - allowed, beyond base.
 * A host is known to the store by an id in state_dir, and its file by an
 * incarnation that grows whenever the file was lost.  One call per row is
 * under way at a time (the row's turn), each with a number of its own, and the
 * store ignores one that comes after a later one.  A purse is made smaller here
 * before the store learns of it, and larger only by the store's answer: so
 * whatever is lost, the store never believes it has more than it has.
 */
#ifndef STATE_BUDGET_PURSE_H
#define STATE_BUDGET_PURSE_H

#include <stdbool.h>
#include <stdint.h>

#include "state/budget.h"

enum budget_purse_kind {
	PURSE_DAY, /* nano-USD in a day, */
	PURSE_MONTH, /* in a month, */
	PURSE_TOKENS, /* tokens in a day */
	PURSE_KINDS
};

/* Numbers of a script are doubles: whole numbers up to this are exact. */
#define BUDGET_PURSE_MAX (INT64_C(1) << 53)

/* How the last call for a row ended. */
enum budget_purse_state {
	PURSE_OK = 0,
	PURSE_AWAY, /* no answer */
	PURSE_LEARNING, /* the store lost its data and asks all hosts */
	PURSE_REPLACED, /* another file has this host's name there */
};

/* Does the budget have bounds that are spent from a purse? */
bool budget_has_purse(const struct budget *);
/* Does any client's or model's? */
bool budget_any_has_purse(const struct config *);

/* Why the store is called. */
enum budget_purse_reason {
	PURSE_NEED, /* a request does not fit */
	PURSE_FILL, /* the next one would not */
	PURSE_RETURN, /* gives back all that nothing holds */
	PURSE_TELL, /* what we have */
};

/* A call to the store about one row. */
struct budget_purse_call {
	char kind; /* 'c', 'm' */
	const char *name;
	enum budget_purse_reason reason;
	uint64_t host, incarnation;
	bool alone; /* no process uses an earlier file of this host */
	uint64_t seq; /* grows with each call of this file */
	uint64_t version, hosts; /* the store's, as last heard */
	struct budget_purse_part {
		int64_t bound; /* 0: there is none */
		int64_t period; /* day or month (of budget_day()) */
		int64_t base, used, allowed;
		int64_t need; /* used and held */
		int64_t least; /* what one request wants beyond that */
		int64_t want; /* and all that wait */
		int64_t extra; /* and in advance */
		bool first; /* the file has had no answer for it yet */
	} parts[PURSE_KINDS];
	int row;
	uint64_t key, turn;
};

/* What the store says. */
struct budget_purse_answer {
	enum budget_purse_state state;
	uint64_t run; /* a hash of the engine's run */
	int64_t wall_ms; /* the engine's clock */
	uint64_t version, hosts;
	bool hungry; /* a host lacks what others may hold */
	struct budget_purse_said {
		int64_t period;
		int64_t retired; /* this host's before its purse */
		int64_t allowed;
		int64_t total, spent; /* of all hosts */
	} parts[PURSE_KINDS];
};

/* Takes the turn of a row and fills in *call; false: another has it, or (but
 * for PURSE_NEED and PURSE_TELL) there is nothing to say.  client, or (NULL)
 * model.  nanousd, tokens: of the request, for PURSE_NEED. */
bool budget_purse_ask(struct budget_book *, const struct client *,
    const struct model *, enum budget_purse_reason, int64_t nanousd,
    uint64_t tokens, struct budget_purse_call *call);
/* Ends the turn.  answer NULL: none came. */
void budget_purse_told(struct budget_book *, const struct budget_purse_call *,
    const struct budget_purse_answer *);

/* What should be said of a row now, without a request; false: nothing.  run: of
 * the engine that is connected, 0: none. */
bool budget_purse_due(struct budget_book *, const struct client *,
    const struct model *, uint64_t run, enum budget_purse_reason *);

/* Looks whether an earlier file of this host has still been in use, and is no
 * longer: then what was spent from it is learned from the ledger, two seconds
 * later.  To be called every few seconds, or by each process that ends. */
void budget_purse_watch(struct budget_book *);

#endif

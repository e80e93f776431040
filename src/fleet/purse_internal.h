/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What purse*.c share; no other file includes this.
 */
#ifndef FLEET_PURSE_INTERNAL_H
#define FLEET_PURSE_INTERNAL_H

#include "fleet/purse.h"
#include "state/budget_purse.h"

/* KEYS: the budget.  ARGV after the run: host, incarnation, seq, alone,
 * version, hosts, and for each bound the members of struct budget_purse_part,
 * in their order.  Reply: state, the engine's ms, version, hosts, hungry, and
 * for each bound period, retired, allowed, total, spent. */
extern struct store_script purse_script;
/* state in the reply */
#define PURSE_SAID_OK 0
#define PURSE_SAID_LEARNING 1
#define PURSE_SAID_LATE 2 /* a later call has come before it */
#define PURSE_SAID_REPLACED 3

struct purse {
	struct store *store; /* NULL: nothing is shared */
	struct budget_book *book;
	const struct config *config;
	struct task *task; /* looks after the purses; NULL: none */
	unsigned nfills; /* tasks that fill one */
	bool ending;
};

/* ---- purse_call.c ---- */

/* Makes the call and reports its end to the book; false: no reply came. */
bool purse_say(struct purse *, const struct budget_purse_call *);
/* A hash of the run of the connected engine; 0: none is connected. */
uint64_t purse_run(const struct purse *);

/* ---- purse_rate.c ---- */

/* Asks for one more request and so many tokens in this minute, of a client or
 * (client NULL) a model.  -1: refused. */
int purse_rate_take(struct purse *, const struct client *,
    const struct model *, bool request, uint64_t tokens, int64_t *second,
    struct budget_room *, struct refused *);
/* Replaces the estimate that was taken with the tokens that were used.  unmade:
 * the request was not made, so it does not count as a request either. */
void purse_rate_settle(struct purse *, const struct client *,
    const struct model *, int64_t second, uint64_t estimate, uint64_t tokens,
    bool unmade);
/* Makes text the message of a refusal again; only one message is kept at a
 * time. */
#define PURSE_MESSAGE_SIZE 200
const char *purse_rate_message(const char *text);

#endif

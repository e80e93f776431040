/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What purse*.c share; no other file includes this.
 */
#ifndef FLEET_PURSE_INTERNAL_H
#define FLEET_PURSE_INTERNAL_H

#include <sys/queue.h>

#include "fleet/purse.h"
#include "state/budget_purse.h"

/* KEYS: the budget.  ARGV after the run: host, incarnation, seq, alone,
 * version, hosts, and for each bound the members of struct budget_purse_part,
 * in their order.  Reply: state, the engine's ms, version, hosts, hungry, its
 * replicas (0 if nothing was granted), and for each bound period, retired,
 * allowed, total, spent. */
extern struct store_script purse_script;
/* state in the reply */
#define PURSE_SAID_OK 0
#define PURSE_SAID_LEARNING 1
#define PURSE_SAID_LATE 2 /* a later call has come before it */
#define PURSE_SAID_REPLACED 3

/* What ended requests have used of a rate, and the store does not know yet. */
struct purse_debt {
	TAILQ_ENTRY(purse_debt) entry;
	const struct client *client; /* or (NULL) model; the configuration's */
	const struct model *model;
	int64_t second; /* the store's, of the estimate */
	uint64_t run; /* purse_run() of then */
	uint64_t estimate, tokens, unmade;
};
TAILQ_HEAD(purse_debts, purse_debt);

/* What this process has of a rate in advance; an empty one says that the store
 * was asked in the second that is not over yet. */
struct purse_ahead {
	TAILQ_ENTRY(purse_ahead) entry;
	const struct client *client; /* or (NULL) model; the configuration's */
	const struct model *model;
	bool asked; /* the question is under way */
	int64_t second; /* the store's, in which it is counted */
	uint64_t run; /* purse_run() of then; no other has it */
	int64_t until_ms; /* of clock_boot_ms(); the second ends later */
	uint64_t requests, tokens;
	/* Of all hosts in this minute, without what is left of this. */
	int64_t sum_requests, sum_tokens;
};
TAILQ_HEAD(purse_aheads, purse_ahead);

struct purse {
	struct store *store; /* NULL: nothing is shared */
	struct budget_book *book;
	const struct config *config;
	struct task *task; /* looks after the purses; NULL: none */
	unsigned nfills; /* tasks that fill one */
	struct purse_debts debts;
	struct purse_aheads aheads;
	/* The same by index; NULL: there is none. */
	struct purse_ahead **of_client, **of_model;
	struct task *settler; /* reports the debts; NULL: none waits to */
	bool settles; /* it has been started */
	bool ending;
};

/* ---- purse_call.c ---- */

/* Makes the call and reports its end to the book; false: no reply came. */
bool purse_say(struct purse *, const struct budget_purse_call *);
/* A hash of the run of the connected engine; 0: none is connected. */
uint64_t purse_run(const struct purse *);

/* ---- purse_rate.c ---- */

/* A question about the rate of a client or (client NULL) a model. */
struct purse_rate {
	const struct client *client;
	const struct model *model;
	bool request; /* 1 more request, or tokens only */
	uint64_t tokens;
	bool had; /* in advance: the store is not asked */
	int64_t until_ms; /* then: of clock_boot_ms() */
	struct store_call *call;
	struct purse_ahead *ahead; /* that waits for the reply; NULL: none */
	uint64_t more; /* such requests are wanted in advance */
	int64_t sent_ms; /* clock_boot_ms() */
	/* Once it is granted: the second in which it counts, and the sums of
	 * all hosts. */
	int64_t second, sum_requests, sum_tokens;
	uint64_t run; /* purse_run() of then */
};
/* Asks for one more request and so many tokens in this minute, unless they are
 * there in advance.  What ended requests have used is reported with it. */
void purse_rate_ask(
    struct purse *, struct purse_rate *, bool request, uint64_t tokens);
/* Waits for the reply.  -1: refused. */
int purse_rate_take(struct purse *, struct purse_rate *, int64_t *second,
    struct budget_room *, struct refused *);
/* It was had in advance, and its second has ended while another rate was waited
 * for: gives it back.  It has to be asked for and taken again. */
bool purse_rate_is_late(struct purse *, struct purse_rate *);
/* Replaces the estimate that was taken with the tokens that were used.  unmade:
 * the request was not made, so it does not count as a request either.  The
 * store learns it with the next question, or after a few ms. */
void purse_rate_settle(struct purse *, const struct client *,
    const struct model *, int64_t second, uint64_t run, uint64_t estimate,
    uint64_t tokens, bool unmade);
/* Reports all that was settled, at once. */
void purse_rate_flush(struct purse *);
/* Notes what the store shall learn: of the second's estimates this much is
 * removed, tokens are added now, so many requests were not made.  Another run
 * of the engine than that which has the second learns only of the tokens. */
void purse_rate_owe(struct purse *, const struct client *, const struct model *,
    int64_t second, uint64_t run, uint64_t estimate, uint64_t tokens,
    uint64_t unmade);
/* Makes text the message of a refusal again; only one message is kept at a
 * time. */
#define PURSE_MESSAGE_SIZE 200
const char *purse_rate_message(const char *text);

/* ---- purse_ahead.c ---- */

/* Uses what is there in advance; true: rate has its second. */
bool purse_ahead_use(struct purse *, struct purse_rate *);
/* Before the store is asked: says in rate->more what is wanted in advance. */
void
purse_ahead_want(struct purse *, struct purse_rate *, const struct budget *);
/* The reply; left_ms: of the store's second, when it was asked. */
void purse_ahead_got(struct purse_rate *, bool granted, int64_t left_ms);
/* Is anything there of this rate? */
bool
purse_ahead_holds(struct purse *, const struct client *, const struct model *);
/* Owes the store what was not used in time (or all).  True: some is left. */
bool purse_ahead_give_back(struct purse *, bool all);
void purse_ahead_free(struct purse *);

/* ---- purse_rate_script.c ---- */

/* KEYS: the rate.  ARGV after the run: bounds of requests and tokens (0: none),
 * requests, tokens, requests and tokens that are wanted in advance; then, for
 * each second in which requests that have ended were estimated: the second, the
 * estimate, what was used, and how many requests were not made after all.
 * Reply: 0 (accepted), 1 (too many requests) or 2 (too many tokens), the
 * second, the ms until there is room, the sums of requests and tokens, whether
 * all that was wanted in advance was granted (as it is while half of each bound
 * is left), and the ms that are left of the second. */
#define PURSE_RATE_ARGS 6
#define PURSE_DEBT_ARGS 4
#define PURSE_DEBTS_MAX 4 /* of one call */
#define PURSE_RATE_REPLY 7
extern struct store_script purse_rate_script;

#endif

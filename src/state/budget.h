/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What clients and models may spend: money, tokens, requests.
 *
 * The worst-case estimate is reserved before sending, and the real use settled
 * after.  The sums are exact over processes (a mapped file), and rebuilt from
 * the ledger when that file is lost.  A reservation of a process that died is
 * given back by the process that finds it dead.
 */
#ifndef STATE_BUDGET_H
#define STATE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "config/settings.h"
#include "policy/bounds.h"
#include "policy/refusal.h"

struct budget_book;

/* What one try of a request used, according to the ledger. */
struct budget_use {
	int64_t end_ms; /* wall clock */
	struct span client, model; /* names; p NULL: none */
	bool again; /* an earlier try of the same request counts already */
	uint64_t tokens;
	int64_t nanousd;
};
/* Where the uses come from: a higher floor provides it (ledger/rebuild.h). */
struct budget_history {
	/* Calls use() for each use that ended in since_ms or later, in any
	 * order. */
	void (*each)(const struct config *, int64_t since_ms,
	    void (*use)(void *ctx, const struct budget_use *), void *ctx);
};

/* A lost file is rebuilt from the history (NULL: it starts empty).
 *
 * An onlooker (state/mapfile.h) gets its own copy of the present state: its
 * calls change nothing for others. */
struct budget_book *budget_open(const struct config *,
    const struct budget_history *, char *why, size_t size);
void budget_close(struct budget_book *);

/* Before another version of the program takes over, by a process of this one:
 * from now on until nobody of this version is left, both know what the other
 * reserves and spends, also when they keep it in files of different form.
 * -1: one line in why. */
int budget_hand_over(const struct config *, const struct budget_history *,
    char *why, size_t size);

struct budget_reservation { /* a reservation; zero it before, but for: */
	bool again; /* a further try of a request that is counted already */
	bool unsent; /* for settling: nothing was sent, so it is no use */
	bool refused; /* and it was no request either */
	const struct client *client;
	const struct model *model;
	uint64_t tokens;
	int64_t nanousd;
	int cell; /* its cell in the file, -1: none */
	/* After a refusal: whose purse has too little (budget_purse.h). */
	bool client_lacks, model_lacks;
	bool lacked; /* it has been noted that this much is wanted */
	/* Of shared rates: in which of the store's seconds; 0: in none. */
	int64_t client_second, model_second;
	uint64_t rate_run; /* the engine's that has them */
};

/* The values for x-ratelimit-*; -1: no such bound. */
struct budget_left {
	int64_t limit, left, reset_ms;
};

struct budget_room {
	struct budget_left requests, tokens;
};

/* -1: refused (REFUSE_BUDGET or REFUSE_RATE, with retry_after and a message
 * in arena-free static storage of the thread; REFUSE_OVERLOADED if there are
 * more reservations than the file has cells).
 *
 * A request is admitted if its estimate fits into what is left of each
 * bound, and also if something is left and no other request holds a part of
 * it: a bound is exceeded by one estimate at most.  nanousd 0: the request
 * is free (a local target without a price), and no bound of money applies; <
 * 0: its cost is unknown, and it is admitted until the money is spent.
 *
 * A bound that hosts share is never passed by what was reserved.  A refusal
 * because this host's part of it is too small says so in the reservation, and
 * is final only after the store was asked (fleet/purse.h). */
int budget_reserve(struct budget_book *, const struct client *,
    const struct model *, uint64_t tokens, int64_t nanousd,
    struct budget_reservation *, struct budget_room *, struct refused *);
/* What the store said of the shared rate of a client or (client NULL) of a
 * model: requests and tokens of all hosts in this minute. */
void budget_rate_heard(struct budget_book *, const struct client *,
    const struct model *, int64_t requests, int64_t tokens);
/* What budget_reserve(), and the store of shared rates as last heard, would say
 * now; nothing is reserved.  again: the request is counted already. */
int budget_ask(struct budget_book *, const struct client *,
    const struct model *, uint64_t tokens, int64_t nanousd, bool again,
    struct refused *);
/* Records what was really used (0, 0 if nothing).  Once for each
 * reservation. */
void budget_settle(struct budget_book *, struct budget_reservation *,
    uint64_t tokens, int64_t nanousd);

/* Does it have any bound? */
bool budget_has(const struct budget *);
/* The bounds of a client or (client NULL) of a model with what is used of
 * them; returns how many.  Their names are the configuration's. */
size_t budget_bounds(struct budget_book *, const struct client *,
    const struct model *, struct bound out[BOUNDS_MAX]);

#endif

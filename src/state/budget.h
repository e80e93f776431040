/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What clients and models may spend: money, tokens, requests.
 *
 * Reserved before sending by the worst-case estimate, settled after; exact over
 * processes (a mapped file), and rebuilt from the ledger when that file is
 * lost.  A reservation of a process that died is given back by the process that
 * finds it dead.
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

/* What one try of a request used, as the account has it. */
struct budget_use {
	int64_t end_ms; /* wall clock */
	struct span client, model; /* names; p NULL: none */
	bool again; /* an earlier one of the same request was a use */
	uint64_t tokens;
	int64_t nanousd;
};
/* Where that is told: a floor above knows it (ledger/rebuild.h). */
struct budget_history {
	/* Calls use() for all that ended in since_ms or later, in any
	 * order. */
	void (*each)(const struct config *, int64_t since_ms,
	    void (*use)(void *ctx, const struct budget_use *), void *ctx);
};

/* A file that was lost is made again from the history (NULL: from nothing).
 *
 * An onlooker (state/mapfile.h) gets a copy of its own, of this moment: what
 * it does changes nothing for others. */
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
	bool again; /* a further try of a request that is counted already:
		     * no request more */
	bool unsent; /* for settling: nothing was sent, it is no use */
	const struct client *client;
	const struct model *model;
	uint64_t tokens;
	int64_t nanousd;
	int cell; /* where it is noted, -1: nowhere */
};

/* What a client is told in x-ratelimit-*; -1: no such bound. */
struct budget_room {
	int64_t requests_limit, requests_left, requests_reset_ms;
	int64_t tokens_limit, tokens_left, tokens_reset_ms;
};

/* -1: refused (REFUSE_BUDGET or REFUSE_RATE, with retry_after and a message
 * in arena-free static storage of the thread; REFUSE_OVERLOADED where there
 * are more reservations than the file holds).
 *
 * A request gets in when its estimate fits into what is left of each bound,
 * and also while something is left and no other request holds a part of it:
 * a bound is passed by one estimate at the most.  nanousd 0: it is free (a
 * local target without a price), no bound of money holds it back; < 0: it may
 * cost, how much is not known, and it gets in until the money is spent. */
int budget_reserve(struct budget_book *, const struct client *,
    const struct model *, uint64_t tokens, int64_t nanousd,
    struct budget_reservation *, struct budget_room *, struct refused *);
/* What budget_reserve() would say now; nothing is reserved.  again: the request
 * is counted already. */
int budget_ask(struct budget_book *, const struct client *,
    const struct model *, uint64_t tokens, int64_t nanousd, bool again,
    struct refused *);
/* What it really was (0, 0 if nothing was used).  Once for each reservation. */
void budget_settle(struct budget_book *, struct budget_reservation *,
    uint64_t tokens, int64_t nanousd);

/* What was used up to now, of a client or (client NULL) of a model. */
struct budget_spent {
	int64_t day_nanousd, month_nanousd;
	uint64_t day_tokens, day_requests;
	uint64_t minute_tokens, minute_requests;
	unsigned in_flight;
};
void budget_look(struct budget_book *, const struct client *,
    const struct model *, struct budget_spent *);

/* Is there any bound in it? */
bool budget_has(const struct budget *);
/* The bounds of a client or (client NULL) of a model with what is used of
 * them; returns how many.  Their names are the configuration's. */
size_t budget_bounds(struct budget_book *, const struct client *,
    const struct model *, struct bound out[BOUNDS_MAX]);

#endif

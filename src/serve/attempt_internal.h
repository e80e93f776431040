/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * One try of one candidate, shared by the files attempt*.c only.
 */
#ifndef SERVE_ATTEMPT_INTERNAL_H
#define SERVE_ATTEMPT_INTERNAL_H

#include "serve/relay.h"
#include "serve/request.h"

/* Type, agent, trace, and up to three for another tailgate. */
#define ATTEMPT_FIELDS_MAX (6 + PASSING_HEADERS)

struct attempt {
	struct request *request;
	const struct candidate *candidate;
	const struct provider *provider;
	unsigned tried_keys; /* a mask of those that failed */
	int key; /* of the provider's, from 0 */
	int64_t rest_ms; /* key -1: how long the first of them rests yet */
	struct upstream_request upstream;
	struct http1_field fields[ATTEMPT_FIELDS_MAX];
	struct bridge_run *bridge;
	struct memory_hold memory; /* of chat */
	struct buf chat; /* the bridge's request */
	bool withhold;
	struct watch watch;
	struct budget_reservation reservation;
	struct slots_lease lease;
	struct lease shared; /* of a limit that hosts share */
	bool trial;
	struct relay relay;
	bool relaying; /* relay is in use */
	bool of_key; /* its key failed, and there are others */
	bool slept; /* its host fell asleep before the request was sent */
	struct upstream_report report;
	struct relay_result result;
	struct entry_try *account;
	bool again; /* an earlier try of the request was sent */
	int64_t start_ms;
};

/* Always false, for `return`: the try has failed for this reason. */
bool attempt_fail_as(struct attempt *, const struct refused *);
bool attempt_fail(struct attempt *, enum refusal, int64_t retry_after_ms,
    const char *message);

/* --- attempt_admit.c: false, and the try has failed ----------------------- */

/* False if the try could not be recorded: then it must not leave. */
bool attempt_admit_ledger(struct attempt *);
/* Will the ledger have what goes to this provider, or may it go without? */
bool attempt_is_recorded(const struct request *, const struct provider *);
bool attempt_reserve_budget(struct attempt *);
/* The first key that does not rest and has not failed, or -1. */
void attempt_choose_key(struct attempt *);
/* Also again after a wait, unless the try is the circuit's trial. */
bool attempt_admit_health(struct attempt *);
/* Chooses once more: while it waited for a slot, others may have learned which
 * keys are refused. */
bool attempt_admit_key(struct attempt *);
/* Waits until the provider's host is awake, if it sleeps (attempt_wake.c). */
bool attempt_wake(struct attempt *);
/* The client has left, or the gateway is being stopped. */
bool attempt_gone(struct attempt *);
/* Waits for it; after a wait, the provider's circuit is asked once more.
 * attempt_free() gives it back. */
bool attempt_take_slot(struct attempt *);
/* A request that ended because its slot's lease ran out says so. */
void attempt_note_lost(struct attempt *);
/* How long the client will wait, from the request's beginning. */
int64_t attempt_patience_ms(const struct attempt *);

/* --- attempt_make.c ------------------------------------------------------- */

/* Fills t->upstream.  False, and the try has failed. */
bool attempt_make_request(struct attempt *);

/* --- attempt_account.c ---------------------------------------------------- */

/* The account of a try of the candidate; there is room for one of each, with
 * each key. */
struct entry_try *attempt_add_try(struct request *, const struct candidate *);
/* Completes the account of this try. */
void attempt_note_end(struct attempt *);
/* -1: no byte came. */
int64_t attempt_first_byte_ms(const struct attempt *);

#endif

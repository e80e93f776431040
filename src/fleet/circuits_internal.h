/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What circuits*.c share; no other file includes this.
 */
#ifndef FLEET_CIRCUITS_INTERNAL_H
#define FLEET_CIRCUITS_INTERNAL_H

#include "base/task.h"
#include "fleet/circuits.h"

struct circuits {
	const struct config *config;
	struct store *store;
	struct health *health;
	char process[CONFIG_NAME_MAX + 32]; /* "HOST:PID:RANDOM" */
	char channel[80], presence[192], key[STORE_KEY_SIZE];
	struct span keys[1];
	struct task *task;
	bool started, ending;
	bool missed; /* ask the engine for everything */
	uint64_t trials; /* so far */
	/* By the provider's index: the number of this process's trial (0:
	 * none), and the version of the last report. */
	uint64_t trial[CONFIG_PROVIDERS_MAX], version[CONFIG_PROVIDERS_MAX];
	bool known[CONFIG_PROVIDERS_MAX]; /* to the engine, while it is asked */
};

extern struct store_script circuits_script;

/* ---- circuits_call.c --------------------------------------------------- */

enum health_said
circuits_ask(void *ctx, const struct provider *, int64_t *ms, uint64_t *trial);
void circuits_tell(void *ctx, const struct provider *, enum health_news,
    uint64_t trial, enum health_outcome, int64_t ms);
void circuits_hold(
    void *ctx, const struct health_what *, enum health_outcome, int64_t ms);
/* Renews the leases of this process's trials. */
void circuits_renew(struct circuits *);
/* Learns what the engine knows, and reports what the engine does not know.
 * False: the engine is away. */
bool circuits_look(struct circuits *);

/* ---- circuits.c -------------------------------------------------------- */

/* One change: a message (live), or a part of the reply to a look. */
void circuits_take(struct circuits *, struct span, bool live);
/* The task renews the leases from now on. */
void circuits_wake(struct circuits *);

#endif

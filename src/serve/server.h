/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What all requests of one process share.
 */
#ifndef SERVE_SERVER_H
#define SERVE_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "config/settings.h"
#include "config/sieve.h"
#include "fleet/circuits.h"
#include "fleet/purse.h"
#include "fleet/leases.h"
#include "fleet/store.h"
#include "ledger/ledger.h"
#include "ledger/usage_view.h"
#include "policy/call.h"
#include "serve/share.h"
#include "sandbox/sandbox.h"
#include "state/budget.h"
#include "state/gateway.h"
#include "state/health.h"
#include "state/learned.h"
#include "state/meters.h"
#include "state/recording.h"
#include "state/slots.h"
#include "wire/peer.h"
#include "wire/upstream.h"


struct server {
	const struct config *config;
	struct patterns *patterns;
	struct upstream_pool *upstreams;
	struct peer_board *peers; /* NULL: clients are not watched */
	struct health *health;
	struct slots *slots;
	struct store *store; /* NULL: hosts share nothing */
	struct leases *leases; /* NULL: no limit is shared */
	struct circuits *circuits; /* NULL: there is no store */
	struct ledger *ledger;
	struct meters *meters;
	struct budget_book *budgets;
	struct purse *purse; /* the way to them, and to what hosts share */
	struct learned *learned;
	struct recording *recording;
	struct usage_view *usage;
	struct sieve *sieve; /* NULL: there is no long key */
	char own_name[256]; /* this machine's; "" where it has none */
	char gateway_id[GATEWAY_ID_SIZE]; /* "": asks no other gateway */
	unsigned sandbox; /* what is in force: enum sandbox_force */
	int waker; /* asks for a host to be woken (waker.h); -1: none is */
	/* How often a provider was asleep, as far as its connections know. */
	uint32_t sleeps[CONFIG_PROVIDERS_MAX];
	/* Until when a provider is not asked to count tokens, as
	 * clock_now_ms(). */
	int64_t silent_ms[CONFIG_PROVIDERS_MAX];
	struct share *share; /* NULL: no pool (CGI) */
	int parent_fd; /* a pipe to the parent, for these bytes: */
#define SERVER_READY "+" /* it can serve */
#define SERVER_RENEW "r" /* there should be new workers */
	/* The time to finish has run out: running responses end now. */
	atomic_bool aborting;
};

/* In a parent, before it forks processes that call server_open(): does once
 * what takes each of them long, and what they then share in memory.  What fails
 * here, they try again, and report. */
void server_prepare(const struct config *);

/* Opens everything, after fork and before any thread, and confines the
 * process to what the role needs (sandbox.h).  desk: of the ledger's
 * process; -1: it keeps the ledger itself.  -1: one line in why. */
int server_open(struct server *, const struct config *, enum sandbox_role,
    int desk, char *why, size_t size);
void server_close(struct server *);

/* A limit can't be kept.  If its directory was removed or replaced, asks the
 * parent, as SIGHUP does, for workers that open everything again. */
void server_limits_broken(struct server *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides in which order a process opens what its requests share.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "ledger/rebuild.h"
#include "serve/server.h"
#include "state/mapfile.h"

#define RENEW_MS 5000

static bool
open_state(
    struct server *s, const struct config *c, int desk, char *why, size_t size)
{
	return mapfile_check_dir(c->runtime_dir, why, size) == 0 &&
	    (s->ledger = desk == -1
		    ? ledger_open(c, why, size)
		    : ledger_join(c, desk, why, size)) != NULL &&
	    (s->health = health_open(c, why, size)) != NULL &&
	    (s->slots = slots_open(c, why, size)) != NULL &&
	    (s->budgets = budget_open(c, &ledger_history, why, size)) != NULL &&
	    (s->meters = meters_open(c, why, size)) != NULL &&
	    (s->recording = recording_open(c, why, size)) != NULL &&
	    gateway_id(c, s->gateway_id, why, size) == 0;
}

static void
note_store(void *ctx, const struct store_facts *facts)
{
	struct server *s = ctx;

	meters_store(s->meters,
	    &(struct meters_store){ .up = facts->up,
		.since_wall_ms = facts->since_wall_ms,
		.calls = facts->calls,
		.failed = facts->failed,
		.mean_us = facts->mean_us });
}

void
server_prepare(const struct config *c)
{
	upstream_prepare();
	sandbox_prepare(SANDBOX_WORKER, c);
}

int
server_open(struct server *s, const struct config *c, enum sandbox_role role,
    int desk, char *why, size_t size)
{
	memset(s, 0, sizeof(*s));
	s->config = c;
	s->waker = -1;
	memory_set_budget(memory_part(c->memory_bytes, c->processes));
	if (gethostname(s->own_name, sizeof(s->own_name) - 1) == -1)
		s->own_name[0] = '\0';
	/* If the ledger's process is forked first, it inherits the least. */
	if (!open_state(s, c, desk, why, size))
		return -1;
	if (upstream_init() == -1) {
		snprintf(why, size, "libcurl can't be set up");
		return -1;
	}
	if ((s->patterns = patterns_new(c, stderr)) == NULL) {
		snprintf(
		    why, size, "%s: private: a pattern is not valid", c->path);
		return -1;
	}
	s->sieve = sieve_new(c);
	s->upstreams = upstream_pool_new();
	s->store = store_new(c);
	s->purse = purse_new(s->store, s->budgets, c);
	s->leases = leases_new(c, s->store, s->slots);
	if (s->store != NULL)
		store_watch(s->store, note_store, s);
	s->circuits = circuits_new(c, s->store, s->health);
	if (c->watch_peer)
		s->peers = peer_board_new();
	s->learned = learned_new(c);
	recording_tidy(s->recording);
	s->usage = usage_view_new(c);
	if (sandbox_enter(role, c, NULL, &s->sandbox, why, size) == -1)
		return -1;
	meters_sandbox(s->meters, s->sandbox);
	return 0;
}

void
server_limits_broken(struct server *s)
{
	static _Atomic int64_t asked_ms;

	if (s->share == NULL || !slots_lost(s->slots) ||
	    !log_due(&asked_ms, RENEW_MS))
		return;
	log_warn("%s was removed or replaced: asking for new workers",
	    s->config->runtime_dir);
	if (write(s->parent_fd, SERVER_RENEW, 1) == -1)
		log_warn("the parent can't be asked: %s", strerror(errno));
}

void
server_close(struct server *s)
{
	usage_view_free(s->usage);
	learned_free(s->learned);
	peer_board_free(s->peers);
	upstream_pool_free(s->upstreams);
	purse_free(s->purse);
	leases_free(s->leases);
	circuits_free(s->circuits);
	store_free(s->store);
	sieve_free(s->sieve);
	patterns_free(s->patterns);
	ledger_close(s->ledger);
	recording_close(s->recording);
	meters_close(s->meters);
	budget_close(s->budgets);
	slots_close(s->slots);
	health_close(s->health);
}

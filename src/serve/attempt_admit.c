/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What one candidate must pass before it is sent: the ledger, the budget,
 * the circuit and a slot. Hides how long a request may wait for each.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "policy/admission.h"
#include "serve/attempt_internal.h"

/* Retry-After while the ledger is stuck. */
#define LEDGER_RETRY_MS 5000
/* And to a store that is away. */
#define STORE_RETRY_MS 5000

bool
attempt_is_recorded(const struct request *r, const struct provider *provider)
{
	struct server *s = r->server;
	enum when_stuck stuck = s->config->ledger_when_stuck;

	return stuck == STUCK_COUNT ||
	    (stuck == STUCK_REFUSE_EXTERNAL &&
		provider->place == PLACE_LOCAL) ||
	    ledger_keeps(s->ledger);
}

bool
attempt_admit_ledger(struct attempt *t)
{
	if (attempt_is_recorded(t->request, t->provider))
		return true;
	return attempt_fail(t, REFUSE_LEDGER, LEDGER_RETRY_MS, NULL);
}

bool
attempt_reserve_budget(struct attempt *t)
{
	struct request *r = t->request;
	struct budget_room room;
	struct refused refused = { .refusal = REFUSE_NONE };
	t->reservation.again = r->entry.ntries > 1;
	if (purse_reserve(r->server->purse, r->client, r->plan.model,
		t->candidate->need_tokens, admission_nanousd(t->candidate),
		&t->reservation, &room, &refused) == -1) {
		attempt_fail(t, refused.refusal, refused.retry_after_ms,
		    refused.message == NULL
			? NULL
			: arena_strdup(r->arena, refused.message));
		response_room(&r->response, &room, r->arena);
		return false;
	}
	response_room(&r->response, &room, r->arena);
	return true;
}

void
attempt_choose_key(struct attempt *t)
{
	t->key = health_key(t->request->server->health, t->provider,
	    t->candidate->model, t->tried_keys, &t->rest_ms);
	if (t->provider->nkeys > 1 && t->key != -1)
		t->account->key = (unsigned)t->key + 1;
}

static bool
refuse_keys(struct attempt *t)
{
	struct refused refused;

	admission_keys_rest(
	    t->request->arena, t->provider, t->rest_ms, &refused);
	return attempt_fail_as(t, &refused);
}

bool
attempt_admit_key(struct attempt *t)
{
	if (t->provider->nkeys < 2)
		return true;
	attempt_choose_key(t);
	if (t->key == -1)
		return refuse_keys(t);
	t->upstream.key = t->provider->keys[t->key];
	return true;
}

bool
attempt_admit_health(struct attempt *t)
{
	struct request *r = t->request;
	struct refused refused;
	int64_t open_ms = health_model_open_ms(
	    r->server->health, t->provider, t->candidate->model);

	if (t->key == -1)
		return refuse_keys(t);
	if (open_ms > 0) {
		admission_model_held(r->arena, t->provider, open_ms, &refused);
		return attempt_fail_as(t, &refused);
	}
	if (health_admit(r->server->health, t->provider, &t->trial, &open_ms))
		return true;
	admission_circuit_open(r->arena, t->provider, open_ms, &refused);
	return attempt_fail_as(t, &refused);
}

/* How long the client itself will wait, as SDKs announce it. */
static int64_t
sdk_patience_ms(struct io *io)
{
	static const char *const names[] = { "HTTP_X_STAINLESS_READ_TIMEOUT",
		"HTTP_REQUEST_TIMEOUT", "HTTP_X_STAINLESS_TIMEOUT" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = io_param(io, names[i]);
		double seconds = value == NULL ? 0 : strtod(value, NULL);

		if (seconds >= 0.001 && seconds < 86400)
			return (int64_t)(seconds * 1000);
	}
	return CLOCK_NEVER;
}

int64_t
attempt_patience_ms(const struct attempt *t)
{
	const struct request *r = t->request;
	int64_t ms =
	    r->hop != NULL ? r->hop->patience_ms : sdk_patience_ms(r->io);

	return ms < r->server->config->total_ms ? ms
						: r->server->config->total_ms;
}

static int64_t
slot_deadline_ms(const struct attempt *t)
{
	const struct request *r = t->request;
	int64_t now_ms = clock_now_ms();
	int64_t wait_ms = t->provider->limit->wait_ms;
	int64_t end_ms = r->start_ms + attempt_patience_ms(t);

	if (t->provider->timeouts.total_ms < wait_ms)
		wait_ms = t->provider->timeouts.total_ms;
	return now_ms + wait_ms < end_ms ? now_ms + wait_ms : end_ms;
}

bool
attempt_gone(struct attempt *t)
{
	if (!t->request->response.gone) {
		attempt_fail(t, REFUSE_UNAVAILABLE, 0,
		    "The gateway is being stopped; try again in a moment.");
		t->result.reason = 0; /* no other target either */
		return false;
	}
	t->result.end = RELAY_GONE;
	t->result.health = HEALTH_ABANDONED;
	return false;
}

static bool
refuse_slot(struct attempt *t, enum slots_result result)
{
	struct request *r = t->request;
	struct refused refused;

	switch (result) {
	case SLOTS_GONE:
		return attempt_gone(t);
	case SLOTS_DENIED:
		return attempt_fail(
		    t, REFUSE_CLIENT_SHARE, t->lease.retry_after_ms, NULL);
	case SLOTS_FULL:
		admission_queue_full(r->arena, t->provider, t->lease.position,
		    t->lease.retry_after_ms, &refused);
		return attempt_fail_as(t, &refused);
	case SLOTS_TIMEOUT:
		return attempt_fail(t, REFUSE_BUSY_TIMEOUT,
		    t->lease.retry_after_ms,
		    arena_printf(r->arena,
			"%s did not become free in time (position %u in the "
			"queue); wait for the time in Retry-After.",
			t->provider->name, t->lease.position));
	case SLOTS_AWAY:
		return attempt_fail(t, REFUSE_STORE, STORE_RETRY_MS, NULL);
	default:
		server_limits_broken(r->server);
		return attempt_fail(t, REFUSE_EXHAUSTED, 5000,
		    "The gateway cannot keep its limits (runtime_dir fails, "
		    "or descriptors have run out); its log says why.");
	}
}

static bool
may_wait(void *ctx)
{
	struct request *r = ctx;

	return share_wait(&r->share) == REFUSE_NONE;
}

/* Of a shared limit: false, and it may be taken of the host's own. */
static bool
take_shared(
    struct attempt *t, const struct slots_ask *ask, enum slots_result *result)
{
	static const enum slots_result results[] = {
		[LEASES_TAKEN] = SLOTS_TAKEN,
		[LEASES_FULL] = SLOTS_FULL,
		[LEASES_DENIED] = SLOTS_DENIED,
		[LEASES_TIMEOUT] = SLOTS_TIMEOUT,
		[LEASES_GONE] = SLOTS_GONE,
		[LEASES_AWAY] = SLOTS_AWAY,
	};
	struct request *r = t->request;

	if (!ask->limit->shared)
		return false;
	*result = SLOTS_AWAY;
	if (r->server->leases != NULL)
		*result =
		    results[leases_take(r->server->leases, ask, &t->shared)];
	if (*result == SLOTS_AWAY &&
	    ask->limit->without_store == WITHOUT_STORE_LOCAL)
		return false;
	t->lease = (struct slots_lease){ .limit = ask->limit,
		.waited_ms = t->shared.waited_ms,
		.position = t->shared.position,
		.retry_after_ms = t->shared.retry_after_ms };
	r->shared_lease = &t->shared;
	return true;
}

void
attempt_note_lost(struct attempt *t)
{
	if (!leases_lost(&t->shared) ||
	    (t->result.end != RELAY_FAILED && t->result.end != RELAY_CUT))
		return;
	t->result.reason = 0; /* it was sent */
	t->result.health = HEALTH_ABANDONED;
	t->result.upstream_error = false;
	t->result.refused = (struct refused){ .refusal = REFUSE_STORE,
		.message = "The store that hosts share the limit by was away "
			   "for too long, so the request was ended; try again "
			   "after the time in Retry-After.",
		.retry_after_ms = STORE_RETRY_MS };
}

bool
attempt_take_slot(struct attempt *t)
{
	struct request *r = t->request;
	struct slots_ask ask = { .limit = t->provider->limit,
		.client = r->client->name,
		.request_id = r->id,
		.model = r->call.model,
		.priority = r->client->priority,
		.watch = &t->watch,
		.may_wait = may_wait,
		.ctx = r };
	enum slots_result result;

	if (t->provider->limit == NULL)
		return true;
	if (t->provider->limit->swap == SWAP_GROUP) {
		ask.loads = facts_held_key(t->provider, t->candidate->model);
		ask.loads_name = t->candidate->model;
	}
	ask.deadline_ms = slot_deadline_ms(t);
	if (!take_shared(t, &ask, &result))
		result = slots_take(r->server->slots, &ask, &t->lease);
	share_run(&r->share);
	/* For a client that has left, nothing is reported and nothing is
	 * begun. */
	if ((result != SLOTS_TAKEN || t->lease.waited_ms > 0) &&
	    response_gone(&r->response))
		result = SLOTS_GONE;
	t->account->queue_ms = t->lease.waited_ms;
	r->lease = &t->lease;
	r->io->has_slot = result == SLOTS_TAKEN;
	if (result != SLOTS_TAKEN)
		return refuse_slot(t, result);
	/* Those that had the slot before may have opened the circuit.  A trial
	 * stays one. */
	return t->lease.waited_ms == 0 || t->trial || attempt_admit_health(t);
}

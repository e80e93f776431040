/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a plan is carried out: candidate after candidate, each admitted
 * (attempt_admit.c), made into a request (attempt_make.c), sent, relayed and
 * accounted for (attempt_account.c), until one succeeds or no permission is
 * left.
 */
#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/task.h"
#include "serve/attempt.h"
#include "serve/attempt_internal.h"
#include "wire/echo.h"

/* Before the second try of a connect; the first comes at once. */
#define RETRY_PAUSE_MS 50

bool
attempt_fail_as(struct attempt *t, const struct refused *refused)
{
	t->result = (struct relay_result){ .end = RELAY_FAILED,
		.reason = refusal_spec(refused->refusal)->fallback,
		.health = HEALTH_ABANDONED,
		.refused = *refused };
	return false;
}

bool
attempt_fail(struct attempt *t, enum refusal refusal, int64_t retry_after_ms,
    const char *message)
{
	return attempt_fail_as(t,
	    &(struct refused){ .refusal = refusal,
		.message = message,
		.retry_after_ms = retry_after_ms });
}

/* ---- send ------------------------------------------------------------- */

static void
send_echo(struct attempt *t, const struct upstream_sink *sink)
{
	struct request *r = t->request;
	struct buf whole;

	buf_init_charged(&whole, r->server->config->json_max_bytes * 2 + 4096,
	    &t->relay.memory);
	for (size_t i = 0; i < t->upstream.nparts; i++)
		buf_add(
		    &whole, t->upstream.parts[i].p, t->upstream.parts[i].len);
	if (buf_failed(&whole)) {
		memset(&t->report, 0, sizeof(t->report));
		t->report.result = UPSTREAM_EXHAUSTED;
		t->report.detail = upstream_result_name(UPSTREAM_EXHAUSTED);
	} else
		echo_send(t->relay.speaks, t->candidate->model,
		    buf_span(&whole), &t->watch, sink, &t->relay.memory,
		    &t->report);
	buf_free(&whole);
}

static void
exchange(struct attempt *t)
{
	struct request *r = t->request;
	struct upstream_sink sink = relay_sink(&t->relay);
	int64_t left_ms =
	    r->start_ms + r->server->config->total_ms - clock_now_ms();

	t->upstream.timeouts = t->provider->timeouts;
	if (t->upstream.timeouts.total_ms > left_ms)
		t->upstream.timeouts.total_ms = left_ms < 1 ? 1 : left_ms;
	if (t->provider->kind == PROVIDER_ECHO)
		send_echo(t, &sink);
	else
		upstream_send(r->server->upstreams, &t->upstream, &t->watch,
		    &sink, r->arena, &t->report);
}

/* The bytes that were sent, over all connections. */
static void
note_sent(struct attempt *t)
{
	t->account->sent |= t->report.sent;
	t->account->bytes_sent += t->report.bytes_out;
}

/* A failed connect may be tried again. */
static void
exchange_with_retries(struct attempt *t)
{
	exchange(t);
	note_sent(t);
	for (unsigned i = 0; i < t->provider->retries &&
	     t->report.result == UPSTREAM_CONNECT && !t->request->response.gone;
	     i++) {
		if (i > 0)
			task_sleep(RETRY_PAUSE_MS);
		log_debug("provider %s: %s; trying again", t->provider->name,
		    t->report.detail);
		exchange(t);
		note_sent(t);
	}
}

/* It was awake seconds ago, and does not sleep while it serves. */
static bool
fell_asleep(const struct attempt *t)
{
	if (!t->provider->sleeps ||
	    (t->report.result != UPSTREAM_CONNECT &&
		t->report.result != UPSTREAM_TIMEOUT_CONNECT))
		return false;
	health_sleeps(t->request->server->health, t->provider);
	return true;
}

/* A long stream that goes well must not keep the circuit half open. */
static void
on_answered(void *ctx)
{
	struct attempt *t = ctx;

	health_reached(t->request->server->health, t->provider);
	health_answered(t->request->server->health, t->provider, t->trial);
}

/* One of several keys may fail while the provider works: then the key is
 * reported. */
static void
report_health(struct attempt *t)
{
	struct health *h = t->request->server->health;
	const struct relay_result *result = &t->result;
	const char *model = t->candidate->model;
	enum health_outcome outcome = result->health;

	if (t->provider->sleeps && t->report.connected)
		health_reached(h, t->provider);
	/* A host that sleeps has not failed. */
	if (t->slept)
		outcome = HEALTH_ABANDONED;
	if (t->provider->nkeys > 1 && health_is_of_key(outcome)) {
		health_key_rest(h, t->provider, t->key, model, outcome,
		    result->retry_after_ms);
		t->of_key = true;
		outcome = HEALTH_KEY;
	}
	health_model_report(
	    h, t->provider, model, outcome, result->retry_after_ms);
	health_report(h, t->provider, t->trial, outcome, result->retry_after_ms,
	    attempt_first_byte_ms(t));
}

static bool
send_and_relay(struct attempt *t)
{
	struct request *r = t->request;

	relay_init(&t->relay, &r->response, &r->call, t->candidate, t->bridge,
	    r->arena);
	t->bridge = NULL; /* the relay's now */
	t->relaying = true;
	t->relay.withhold_usage = t->withhold;
	t->relay.answered = on_answered;
	t->relay.answered_ctx = t;
	health_begin(r->server->health, t->provider);
	ledger_sending(r->server->ledger, &r->entry, t->provider->place);
	exchange_with_retries(t);
	if (relay_lack(&t->relay) != MEMORY_ENOUGH)
		t->report.result = UPSTREAM_EXHAUSTED;
	/* A failure after the client has left is not the provider's. */
	if (t->report.result != UPSTREAM_OK)
		response_gone(&r->response);
	relay_finish(&t->relay, &t->report, &t->result);
	attempt_note_lost(t);
	t->slept = fell_asleep(t);
	report_health(t);
	t->trial = false;
	if (t->report.result != UPSTREAM_OK && !r->response.gone &&
	    t->result.end != RELAY_SERVED)
		log_warn("provider %s: %s: %s", t->provider->name,
		    upstream_result_name(t->report.result), t->report.detail);
	return t->result.end == RELAY_SERVED;
}

static void
attempt_free(struct attempt *t)
{
	struct request *r = t->request;
	const struct entry_try *a = t->account;

	if (t->trial)
		health_report(r->server->health, t->provider, true,
		    HEALTH_ABANDONED, 0, -1);
	r->lease = NULL;
	r->io->has_slot = false;
	r->shared_lease = NULL;
	slots_release(&t->lease);
	if (t->shared.entry != NULL)
		leases_release(r->server->leases, &t->shared);
	t->reservation.again = t->again;
	t->reservation.unsent = !a->sent;
	purse_settle(r->server->purse, &t->reservation,
	    a->usage.input + a->usage.output,
	    a->cost_nanousd < 0 ? 0 : a->cost_nanousd);
	alive_unbridge(&r->response.alive);
	bridge_free(t->bridge);
	if (t->relaying)
		relay_free(&t->relay);
	buf_free(&t->chat);
}

/* ---- the plan, carried out -------------------------------------------- */

static void
announce(struct request *r, const struct candidate *c)
{
	const struct provider *p = c->target->provider;

	response_add(&r->response, "x-tailgate-provider", p->name);
	response_add(&r->response, "x-tailgate-model", c->model);
	response_add(&r->response, "x-tailgate-place", place_name(p->place));
	response_add(&r->response, "x-tailgate-fallback", r->entry.fallback);
}

static bool
was_sent(const struct request *r)
{
	struct entry_sums sums;

	entry_sum(&r->entry, &sums);
	return sums.sent;
}

/* Gives up if the client has left or the lease was lost. */
static int
attempt_tick(void *ctx)
{
	struct attempt *t = ctx;

	return leases_lost(&t->shared) ? WATCH_GONE
				       : response_tick(&t->request->response);
}

static enum watch_out
attempt_out(void *ctx)
{
	struct attempt *t = ctx;

	return response_out(&t->request->response);
}

/* What was tried of one candidate. */
struct tried {
	unsigned keys; /* a mask of those that failed */
	bool slept; /* its host had fallen asleep */
};

static void
attempt_init(struct attempt *t, struct request *r, const struct candidate *c,
    unsigned tried)
{
	memset(t, 0, sizeof(*t));
	t->request = r;
	t->candidate = c;
	t->provider = c->target->provider;
	t->reservation.cell = -1;
	t->start_ms = clock_now_ms();
	t->again = was_sent(r);
	t->account = attempt_add_try(r, c);
	t->tried_keys = tried;
	attempt_choose_key(t);
	t->watch = (struct watch){ .fd = r->io->watchable ? r->io->fd : -1,
		.events = POLLIN,
		.tick = attempt_tick,
		.out = attempt_out,
		.ctx = t };
	t->memory.share = r->memory.share;
	buf_init_charged(
	    &t->chat, r->server->config->json_max_bytes * 2 + 4096, &t->memory);
}

/* Another key of the same provider, and once more when it was woken, are no
 * fallbacks: they need no permission. */
static bool
has_again(const struct attempt *t, const struct tried *tried)
{
	int64_t rest_ms;

	if (t->slept)
		return !tried->slept;
	return t->of_key &&
	    health_key(t->request->server->health, t->provider,
		t->candidate->model, tried->keys, &rest_ms) != -1;
}

/* Is the next candidate permitted, or this one once more, and is the client
 * still there? */
static bool
may_go_on(struct attempt *t, bool again)
{
	struct request *r = t->request;

	if (t->result.end != RELAY_FAILED ||
	    (!again && (t->result.reason & t->candidate->next_on) == 0) ||
	    clock_now_ms() >= r->start_ms + r->server->config->total_ms)
		return false;
	if (!response_gone(&r->response))
		return true;
	t->result.end = RELAY_GONE;
	return false;
}

enum next { NEXT_NONE, NEXT_AGAIN, NEXT_CANDIDATE };

static void
refuse(struct attempt *t)
{
	struct request *r = t->request;

	r->refused = t->result.refused;
	r->entry.refusal = r->refused.refusal;
	if (t->relaying)
		relay_refuse(&t->relay, &t->result);
	else
		response_refuse(&r->response, &r->refused);
}

/* One try, with the first key that does not rest and is not in *tried. */
static enum next
attempt_try(struct request *r, const struct candidate *c, struct tried *tried)
{
	struct attempt *t = arena_alloc(r->arena, sizeof(*t));
	unsigned nextra = r->response.nextra;
	enum next next = NEXT_NONE;
	bool again;

	attempt_init(t, r, c, tried->keys);
	announce(r, c);
	if (attempt_admit_ledger(t) && attempt_reserve_budget(t) &&
	    attempt_admit_health(t) && attempt_make_request(t) &&
	    attempt_wake(t) && attempt_take_slot(t) && attempt_admit_key(t))
		send_and_relay(t);
	tried->keys |= t->of_key ? 1u << t->key : 0;
	again = has_again(t, tried);
	tried->slept |= t->slept;
	if (may_go_on(t, again))
		next = again ? NEXT_AGAIN : NEXT_CANDIDATE;
	attempt_note_end(t);
	if (next != NEXT_NONE)
		r->response.nextra = nextra;
	if (next == NEXT_CANDIDATE)
		r->entry.fallback = fallback_name(t->result.reason);
	if (next == NEXT_NONE &&
	    (t->result.end == RELAY_FAILED || t->result.end == RELAY_CUT))
		refuse(t);
	attempt_free(t);
	return next;
}

/* True: the request is over, successful or not. */
static bool
attempt_candidate(struct request *r, const struct candidate *c)
{
	struct tried tried = { 0, false };
	enum next next;

	do
		next = attempt_try(r, c, &tried);
	while (next == NEXT_AGAIN);
	return next == NEXT_NONE;
}

/* The gateway does the counting if the target has no such endpoint. */
static bool
count_tokens(struct request *r, const struct candidate *c)
{
	struct buf b;

	announce(r, c);
	attempt_add_try(r, c)->outcome = "ok";
	buf_init(&b, 1024);
	bridge_count_tokens(r->call.input_tokens, &b);
	response_json(&r->response, 200, buf_span(&b));
	buf_free(&b);
	return true;
}

/* A target left out because of the plan's facts is a fallback, too; one left
 * out by place or by a rule is not. */
static void
note_left_out(struct request *r, const struct candidate *c)
{
	unsigned reason = refusal_spec(c->refusal)->fallback;

	if (c->verdict != VERDICT_PLACE && c->verdict != VERDICT_WHEN &&
	    reason != 0)
		r->entry.fallback = fallback_name(reason);
}

bool
attempt_serve(struct request *r)
{
	for (size_t i = 0; i < r->plan.ncandidates; i++) {
		const struct candidate *c = &r->plan.candidates[i];

		if (c->verdict != VERDICT_IN) {
			note_left_out(r, c);
			continue;
		}
		if (r->spec->id == ENDPOINT_COUNT_TOKENS &&
		    c->bridge != BRIDGE_NONE)
			return count_tokens(r, c);
		if (attempt_candidate(r, c))
			return true;
	}
	return request_refuse(r, REFUSE_UNAVAILABLE);
}

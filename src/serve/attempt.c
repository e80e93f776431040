/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a plan is carried out: candidate after candidate, each with its
 * budget, circuit and slot, until one answers or no permission is left.  The
 * "admit" and "send" steps of a request's way.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "bridge/attribution.h"
#include "policy/admission.h"
#include "serve/attempt.h"
#include "serve/body.h"
#include "serve/relay.h"
#include "serve/settle.h"
#include "wire/echo.h"

#define FIELDS_MAX 8
/* Of a body while it is translated, at the most. */
#define BRIDGE_COPIES 2
#define MEMORY_RETRY_MS 5000
/* Before the second try of a connect; the first comes at once. */
#define RETRY_PAUSE_MS 50
/* When to come back to a ledger that is stuck. */
#define LEDGER_RETRY_MS 5000

/* One candidate's turn. */
struct attempt {
	struct request *request;
	const struct candidate *candidate;
	const struct provider *provider;
	struct upstream_request upstream;
	struct http1_field fields[FIELDS_MAX];
	struct bridge_run *bridge;
	struct buf chat; /* the bridge's request */
	bool withhold;
	struct watch watch;
	struct budget_hold hold;
	struct slots_lease lease;
	bool trial;
	struct relay relay;
	bool relaying; /* relay is in use */
	struct upstream_report report;
	struct relay_result result;
	struct entry_try *account;
	bool again; /* an earlier try of the request was sent */
	int64_t start_ms;
};

static bool
fail_as(struct attempt *t, const struct refused *refused)
{
	t->result = (struct relay_result){ .end = RELAY_FAILED,
		.reason = refusal_spec(refused->refusal)->fallback,
		.health = HEALTH_ABANDONED,
		.refused = *refused };
	return false;
}

static bool
fail(struct attempt *t, enum refusal refusal, int64_t retry_after_ms,
    const char *message)
{
	return fail_as(t,
	    &(struct refused){ .refusal = refusal,
		.message = message,
		.retry_after_ms = retry_after_ms });
}

/* ---- admit ------------------------------------------------------------ */

/* What could not be recorded does not leave. */
static bool
admit_ledger(struct attempt *t)
{
	struct server *s = t->request->server;
	enum when_stuck stuck = s->config->ledger_when_stuck;

	if (stuck == STUCK_COUNT ||
	    (stuck == STUCK_REFUSE_EXTERNAL &&
		t->provider->place == PLACE_LOCAL) ||
	    ledger_keeps(s->ledger))
		return true;
	return fail(t, REFUSE_LEDGER, LEDGER_RETRY_MS, NULL);
}

static bool
reserve_budget(struct attempt *t)
{
	struct request *r = t->request;
	struct budget_room room;
	struct refused refused = { .refusal = REFUSE_NONE };
	t->hold.again = r->entry.ntries > 1;
	if (budget_reserve(r->server->budgets, r->client, r->plan.model,
		t->candidate->need_tokens, admission_nanousd(t->candidate),
		&t->hold, &room, &refused) == -1) {
		fail(t, refused.refusal, refused.retry_after_ms,
		    refused.message == NULL
			? NULL
			: arena_strdup(r->arena, refused.message));
		settle_room(r, &room);
		return false;
	}
	settle_room(r, &room);
	return true;
}

static bool
admit_health(struct attempt *t)
{
	struct request *r = t->request;
	struct refused refused;
	int64_t open_ms = health_model_open_ms(
	    r->server->health, t->provider, t->candidate->model);

	if (open_ms > 0) {
		admission_model_held(r->arena, t->provider, open_ms, &refused);
		return fail_as(t, &refused);
	}
	if (health_admit(r->server->health, t->provider, &t->trial, &open_ms))
		return true;
	admission_circuit_open(r->arena, t->provider, open_ms, &refused);
	return fail_as(t, &refused);
}

/* How long the client itself will wait, by what SDKs announce. */
static int64_t
client_patience_ms(struct io *io)
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

static int64_t
slot_deadline_ms(const struct attempt *t)
{
	const struct request *r = t->request;
	int64_t now_ms = clock_now_ms();
	int64_t patience_ms = client_patience_ms(r->io);
	int64_t wait_ms = t->provider->limit->wait_ms;
	int64_t end_ms = r->start_ms + r->server->config->total_ms;

	if (t->provider->timeouts.total_ms < wait_ms)
		wait_ms = t->provider->timeouts.total_ms;
	if (patience_ms != CLOCK_NEVER && r->start_ms + patience_ms < end_ms)
		end_ms = r->start_ms + patience_ms;
	return now_ms + wait_ms < end_ms ? now_ms + wait_ms : end_ms;
}

static bool
refuse_slot(struct attempt *t, enum slots_result result)
{
	struct request *r = t->request;
	struct refused refused;

	switch (result) {
	case SLOTS_GONE:
		if (!r->answer.gone) {
			fail(t, REFUSE_UNAVAILABLE, 0,
			    "The gateway is being stopped; try again in a "
			    "moment.");
			t->result.reason = 0; /* no other target either */
			return false;
		}
		t->result.end = RELAY_GONE;
		t->result.health = HEALTH_ABANDONED;
		return false;
	case SLOTS_DENIED:
		return fail(
		    t, REFUSE_CLIENT_SHARE, t->lease.retry_after_ms, NULL);
	case SLOTS_FULL:
		admission_queue_full(r->arena, t->provider, t->lease.position,
		    t->lease.retry_after_ms, &refused);
		return fail_as(t, &refused);
	case SLOTS_TIMEOUT:
		return fail(t, REFUSE_BUSY_TIMEOUT, t->lease.retry_after_ms,
		    arena_printf(r->arena,
			"%s did not become free in time (position %u in the "
			"queue); wait for the time in Retry-After.",
			t->provider->name, t->lease.position));
	default:
		server_limits_broken(r->server);
		return fail(t, REFUSE_EXHAUSTED, 5000,
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

static bool
take_slot(struct attempt *t)
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
	ask.deadline_ms = slot_deadline_ms(t);
	result = slots_take(r->server->slots, &ask, &t->lease);
	share_run(&r->share);
	/* Nobody is told of a queue, and nothing is begun, for who has gone. */
	if ((result != SLOTS_TAKEN || t->lease.waited_ms > 0) &&
	    answer_gone(&r->answer))
		result = SLOTS_GONE;
	t->account->queue_ms = t->lease.waited_ms;
	r->lease = &t->lease;
	return result == SLOTS_TAKEN || refuse_slot(t, result);
}

/* ---- what is sent ----------------------------------------------------- */

static void
add_field(struct attempt *t, const char *name, const char *value)
{
	if (value == NULL || *value == '\0')
		return;
	/* What could end the line is no value. */
	if (value[strcspn(value, "\r\n")] == '\0')
		t->fields[t->upstream.nfields++] =
		    (struct http1_field){ span_of(name), span_of(value) };
}

/* The client's key is none of what passes. */
static void
make_fields(struct attempt *t)
{
	const struct passing *p = &t->request->passing;

	t->upstream.fields = t->fields;
	add_field(t, "Content-Type",
	    t->bridge != NULL ? "application/json"
			      : passing_type(p, t->request->arena));
	add_field(t, "User-Agent", "tailgate/" PACKAGE_VERSION);
	if (t->bridge != NULL)
		return;
	for (size_t i = 0; i < PASSING_HEADERS; i++)
		add_field(t, passing_headers[i].name, p->values[i]);
}

/* Not now, or not ever. */
static bool
fail_starved(struct attempt *t)
{
	size_t len = t->request->spool.len;

	if (len < memory_budget() / (2 * BRIDGE_COPIES))
		return fail(t, REFUSE_EXHAUSTED, MEMORY_RETRY_MS, NULL);
	fail(t, REFUSE_TOO_LARGE, 0,
	    "The body is too large to be translated in the memory that this "
	    "gateway has; send less, or ask the operator to raise `memory`.");
	t->result.reason = 0;
	return false;
}

static bool
make_bridged(struct attempt *t)
{
	struct request *r = t->request;
	struct bridge_ask ask = { .request_id = r->id,
		.model = r->call.model,
		.upstream_model = t->candidate->model,
		.stream = r->call.stream,
		.ask_usage = t->candidate->target->ask_usage,
		.dialect = t->candidate->target->dialect,
		.input_tokens = r->call.input_tokens,
		.wall_ms = clock_wall_ms() };
	struct refused refused = { .refusal = REFUSE_NONE };
	const char *dropped;

	t->bridge = bridge_new(t->candidate->bridge, &ask);
	r->entry.bridge =
	    t->candidate->bridge == BRIDGE_RESPONSES ? "responses" : "messages";
	if (bridge_request(
		t->bridge, spool_span(&r->spool), &t->chat, &refused) == -1) {
		if (buf_starved(&t->chat))
			return fail_starved(t);
		fail(t, refused.refusal, 0,
		    refused.message == NULL
			? NULL
			: arena_strdup(r->arena, refused.message));
		if (refused.param != NULL)
			t->result.refused.param =
			    arena_strdup(r->arena, refused.param);
		t->result.reason = 0;
		return false;
	}
	alive_bridge(&r->answer.alive, t->bridge);
	dropped = bridge_dropped(t->bridge);
	if (dropped != NULL) {
		dropped = arena_strdup(r->arena, dropped);
		log_info("left out for a chat upstream: %s", dropped);
		answer_add(&r->answer, "x-tailgate-dropped", dropped);
	}
	t->upstream.parts[0] = buf_span(&t->chat);
	t->upstream.nparts = 1;
	t->upstream.path = endpoint_spec(ENDPOINT_CHAT)->upstream;
	return true;
}

/* It spoils a local server's prompt cache; a provider may want it. */
static struct span
attribution_to_cut(struct attempt *t, struct span body)
{
	enum endpoint endpoint = t->request->spec->id;
	struct span cut = { NULL, 0 };

	if ((endpoint != ENDPOINT_MESSAGES &&
		endpoint != ENDPOINT_COUNT_TOKENS) ||
	    t->provider->place != PLACE_LOCAL ||
	    t->candidate->target->dialect.keep_attribution)
		return cut;
	cut = attribution_find(body);
	if (cut.p != NULL)
		answer_add(&t->request->answer, "x-tailgate-dropped",
		    ATTRIBUTION_NAME);
	return cut;
}

static bool
make_request(struct attempt *t)
{
	struct request *r = t->request;
	struct upstream_request *u = &t->upstream;

	u->provider = t->provider;
	u->method = "POST";
	if (t->candidate->bridge != BRIDGE_NONE) {
		if (!make_bridged(t))
			return false;
	} else {
		struct span body = spool_span(&r->spool);

		u->path = r->spec->upstream;
		u->query = r->passing.query;
		body_make(body, &r->call, t->candidate->model,
		    t->candidate->target->ask_usage &&
			(r->spec->id == ENDPOINT_CHAT ||
			    r->spec->id == ENDPOINT_COMPLETIONS),
		    attribution_to_cut(t, body), r->arena, u, &t->withhold);
	}
	make_fields(t);
	return true;
}

/* ---- send ------------------------------------------------------------- */

static void
send_echo(struct attempt *t, const struct upstream_sink *sink)
{
	struct request *r = t->request;
	struct buf whole;

	buf_init_charged(&whole, r->server->config->json_max_bytes * 2 + 4096);
	for (size_t i = 0; i < t->upstream.nparts; i++)
		buf_add(
		    &whole, t->upstream.parts[i].p, t->upstream.parts[i].len);
	if (buf_failed(&whole)) {
		memset(&t->report, 0, sizeof(t->report));
		t->report.result = UPSTREAM_EXHAUSTED;
		t->report.detail = upstream_result_name(UPSTREAM_EXHAUSTED);
	} else
		echo_send(t->relay.speaks, t->candidate->model,
		    buf_span(&whole), &t->watch, sink, &t->report);
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

/* What left, over all connections that it took. */
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
	static const struct timespec gap = { 0, RETRY_PAUSE_MS * 1000000L };

	exchange(t);
	note_sent(t);
	for (unsigned i = 0; i < t->provider->retries &&
	     t->report.result == UPSTREAM_CONNECT && !t->request->answer.gone;
	     i++) {
		if (i > 0)
			nanosleep(&gap, NULL);
		log_debug("provider %s: %s; trying again", t->provider->name,
		    t->report.detail);
		exchange(t);
		note_sent(t);
	}
}

static int64_t
first_byte_ms(const struct attempt *t)
{
	return t->report.first_byte_ns > 0 ? t->report.first_byte_ns / 1000000
					   : -1;
}

/* A long stream that goes well must not keep the circuit half open. */
static void
on_answered(void *ctx)
{
	struct attempt *t = ctx;

	health_answered(t->request->server->health, t->provider, t->trial);
}

static bool
send_and_relay(struct attempt *t)
{
	struct request *r = t->request;

	relay_init(
	    &t->relay, &r->answer, &r->call, t->candidate, t->bridge, r->arena);
	t->bridge = NULL; /* the relay's now */
	t->relaying = true;
	t->relay.withhold_usage = t->withhold;
	t->relay.answered = on_answered;
	t->relay.answered_ctx = t;
	health_begin(r->server->health, t->provider);
	exchange_with_retries(t);
	if (relay_starved(&t->relay))
		t->report.result = UPSTREAM_EXHAUSTED;
	/* What fails while nobody is there is not the provider's failure. */
	if (t->report.result != UPSTREAM_OK)
		answer_gone(&r->answer);
	relay_finish(&t->relay, &t->report, &t->result);
	health_model_report(r->server->health, t->provider, t->candidate->model,
	    t->result.health, t->result.retry_after_ms);
	health_report(r->server->health, t->provider, t->trial,
	    t->result.health, t->result.retry_after_ms, first_byte_ms(t));
	t->trial = false;
	if (t->report.result != UPSTREAM_OK && !r->answer.gone &&
	    t->result.end != RELAY_SERVED)
		log_warn("provider %s: %s: %s", t->provider->name,
		    upstream_result_name(t->report.result), t->report.detail);
	return t->result.end == RELAY_SERVED;
}

/* ---- the account of one attempt --------------------------------------- */

static const char *
outcome_name(const struct relay_result *result)
{
	switch (result->end) {
	case RELAY_SERVED:
		return "ok";
	case RELAY_GONE:
		return "gone";
	case RELAY_CUT:
		return "cut";
	case RELAY_FAILED:
		break;
	}
	return result->reason != 0
	    ? fallback_name(result->reason)
	    : refusal_spec(result->refused.refusal)->code;
}

/* May it cost?  A good response came, at least in part, even if it failed on
 * our side; or it was asked for and nobody waited for it.  (An error of the
 * upstream's own costs nothing.) */
static bool
may_be_billed(const struct attempt *t)
{
	if (t->relay.state == RELAY_PASS || t->result.end == RELAY_SERVED ||
	    relay_was_generated(&t->relay, &t->report))
		return true;
	if (!t->report.connected || t->relay.state == RELAY_COLLECT)
		return false;
	switch (t->report.result) {
	case UPSTREAM_CLIENT_GONE:
	case UPSTREAM_TIMEOUT_FIRST_BYTE:
	case UPSTREAM_TIMEOUT_IDLE:
	case UPSTREAM_TIMEOUT_TOTAL:
		return true;
	default:
		return t->result.end == RELAY_GONE;
	}
}

/* Where the upstream reports nothing: from its own texts, never from what the
 * gateway made of them.  The client of a bridge was told the same. */
static void
guess_usage(const struct attempt *t, struct usage *u)
{
	const struct relay *r = &t->relay;
	uint64_t input = t->request->call.input_tokens;

	if (u->reported)
		return;
	if (r->bridge != NULL &&
	    (r->is_sse || bridge_estimate(r->bridge) > 0)) {
		u->input = input;
		u->output = bridge_estimate(r->bridge);
	} else if (r->is_sse)
		usage_guess(u, input, r->deltas, r->delta_bytes);
	else /* also what no bridge could read */
		usage_guess(u, input, 0, t->report.bytes_in);
}

/* What left the host is accounted even when nothing came back. */
static void
note_usage(struct attempt *t)
{
	struct request *r = t->request;
	struct entry_try *a = t->account;

	a->usage = t->relay.usage;
	if (may_be_billed(t)) {
		if (t->relay.head.status < 300)
			guess_usage(t, &a->usage);
		a->usage.characters = r->call.characters;
	}
	a->cost_nanousd = a->usage.cost_nanousd >= 0 ? a->usage.cost_nanousd
	    : may_be_billed(t)
	    ? price_cost(&t->candidate->target->price, &a->usage)
	    : 0;
}

/* Its part of the request's account is complete. */
static void
note_end(struct attempt *t)
{
	struct entry_try *a = t->account;

	a->outcome = outcome_name(&t->result);
	a->ms = clock_now_ms() - t->start_ms;
	if (!t->relaying)
		return;
	if (t->report.first_byte_ns > 0)
		a->first_byte_ms = first_byte_ms(t);
	t->request->entry.cut = t->result.end == RELAY_CUT;
	if (a->sent)
		note_usage(t);
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
	slots_release(&t->lease);
	t->hold.again = t->again;
	t->hold.unsent = !a->sent;
	budget_settle(r->server->budgets, &t->hold,
	    a->usage.input + a->usage.output,
	    a->cost_nanousd < 0 ? 0 : a->cost_nanousd);
	alive_unbridge(&r->answer.alive);
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

	answer_add(&r->answer, "x-tailgate-provider", p->name);
	answer_add(&r->answer, "x-tailgate-model", c->model);
	answer_add(&r->answer, "x-tailgate-place", place_name(p->place));
	answer_add(&r->answer, "x-tailgate-fallback", r->entry.fallback);
}

/* The account of a try of it: for each candidate there is room. */
static struct entry_try *
add_try(struct request *r, const struct candidate *c)
{
	const struct provider *p = c->target->provider;
	struct entry *e = &r->entry;
	struct entry_try *t;

	if (e->tries == NULL)
		e->tries = arena_alloc(
		    r->arena, r->plan.ncandidates * sizeof(*e->tries));
	t = &e->tries[e->ntries++];
	entry_try_init(t);
	t->provider = p->name;
	t->upstream_model = c->model;
	t->place = p->place;
	t->host = p->host;
	t->at_ms = clock_now_ms() - r->start_ms;
	if (p->place == PLACE_EXTERNAL)
		t->allowed_by = arena_printf(r->arena, "client %s, model %s",
		    r->client->name, r->plan.model->id);
	return t;
}

static bool
was_sent(const struct request *r)
{
	struct entry_sums sums;

	entry_sum(&r->entry, &sums);
	return sums.sent;
}

static void
attempt_init(struct attempt *t, struct request *r, const struct candidate *c)
{
	memset(t, 0, sizeof(*t));
	t->request = r;
	t->candidate = c;
	t->provider = c->target->provider;
	t->hold.cell = -1;
	t->start_ms = clock_now_ms();
	t->again = was_sent(r);
	t->account = add_try(r, c);
	t->watch = (struct watch){ .fd = r->io->watchable ? r->io->fd : -1,
		.events = POLLIN,
		.tick = answer_tick,
		.out = answer_out,
		.ctx = &r->answer };
	buf_init_charged(
	    &t->chat, r->server->config->json_max_bytes * 2 + 4096);
}

/* Is the next candidate permitted, and is anybody there who waits for it? */
static bool
may_go_on(struct attempt *t)
{
	struct request *r = t->request;

	if (t->result.end != RELAY_FAILED ||
	    (t->result.reason & t->candidate->next_on) == 0 ||
	    clock_now_ms() >= r->start_ms + r->server->config->total_ms)
		return false;
	if (!answer_gone(&r->answer))
		return true;
	t->result.end = RELAY_GONE;
	return false;
}

/* True: it is over, one way or the other. */
static bool
attempt_candidate(struct request *r, const struct candidate *c)
{
	struct attempt *t = arena_alloc(r->arena, sizeof(*t));
	unsigned nextra = r->answer.nextra;
	bool again;

	attempt_init(t, r, c);
	announce(r, c);
	if (admit_ledger(t) && reserve_budget(t) && admit_health(t) &&
	    make_request(t) && take_slot(t))
		send_and_relay(t);
	again = may_go_on(t);
	note_end(t);
	if (again) {
		r->entry.fallback = fallback_name(t->result.reason);
		r->answer.nextra = nextra;
	} else if (t->result.end == RELAY_FAILED ||
	    t->result.end == RELAY_CUT) {
		r->refused = t->result.refused;
		r->entry.refusal = r->refused.refusal;
		if (t->relaying)
			relay_refuse(&t->relay, &t->result);
		else
			answer_refuse(&r->answer, &r->refused);
	}
	attempt_free(t);
	return !again;
}

/* Counting is ours to do where the target has no such endpoint. */
static bool
count_tokens(struct request *r, const struct candidate *c)
{
	struct buf b;

	announce(r, c);
	add_try(r, c)->outcome = "ok";
	buf_init(&b, 1024);
	bridge_count_tokens(r->call.input_tokens, &b);
	answer_json(&r->answer, 200, buf_span(&b));
	buf_free(&b);
	return true;
}

/* To be left out by the plan's facts is a fallback, too; by place it is
 * not. */
static void
note_left_out(struct request *r, const struct candidate *c)
{
	unsigned reason = refusal_spec(c->refusal)->fallback;

	if (c->verdict != VERDICT_PLACE && reason != 0)
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

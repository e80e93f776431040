/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The account of one try: hides what may be billed and how usage is estimated
 * when the upstream reports none.
 */
#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "serve/attempt_internal.h"

int64_t
attempt_first_byte_ms(const struct attempt *t)
{
	return t->report.first_byte_ns > 0 ? t->report.first_byte_ns / 1000000
					   : -1;
}

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

/* A whole response without its output, if it repeats nothing. */
#define BESIDE_BYTES 200

/* If the upstream reports nothing, the estimate comes from its own texts,
 * never from their translation.  A bridge's client was told the same. */
static void
guess_usage(const struct attempt *t, struct usage *u)
{
	const struct relay *r = &t->relay;
	uint64_t input = t->request->call.input_tokens;

	if (u->reported)
		return;
	/* Their bytes say nothing about tokens. */
	if (call_images(&t->request->call) > 0) {
		u->input = input;
		return;
	}
	if (r->bridge != NULL &&
	    (r->is_sse || bridge_estimate(r->bridge) > 0)) {
		u->input = input;
		u->output = bridge_estimate(r->bridge);
	} else if (r->is_sse)
		usage_guess(u, input, r->deltas, r->delta_bytes);
	else if (r->output_bytes > 0)
		usage_guess(u, input, 0, r->output_bytes + BESIDE_BYTES);
	else /* including what no bridge could read */
		usage_guess(u, input, 0, t->report.bytes_in);
}

/* What left the host is recorded even if nothing came back. */
static void
note_usage(struct attempt *t)
{
	struct request *r = t->request;
	struct entry_try *a = t->account;

	a->usage = t->relay.usage;
	if (r->spec->flags & ENDPOINT_FREE) {
		a->cost_nanousd = 0;
		return;
	}
	if (may_be_billed(t)) {
		if (t->relay.head.status < 300)
			guess_usage(t, &a->usage);
		a->usage.characters = r->call.characters;
		a->usage.images = call_images(&r->call);
	}
	a->cost_nanousd = a->usage.cost_nanousd >= 0 ? a->usage.cost_nanousd
	    : may_be_billed(t)
	    ? price_cost(&t->candidate->target->price, &a->usage)
	    : 0;
}

void
attempt_note_end(struct attempt *t)
{
	struct entry_try *a = t->account;

	a->outcome = outcome_name(&t->result);
	a->ms = clock_now_ms() - t->start_ms;
	if (!t->relaying)
		return;
	if (t->report.first_byte_ns > 0)
		a->first_byte_ms = attempt_first_byte_ms(t);
	t->request->entry.cut = t->result.end == RELAY_CUT;
	if (a->sent)
		note_usage(t);
}

/* One for each candidate with each key of its provider, and one more where its
 * host may fall asleep. */
static size_t
tries_most(const struct plan *plan)
{
	size_t n = 0, keys;

	for (size_t i = 0; i < plan->ncandidates; i++) {
		const struct provider *p = plan->candidates[i].target->provider;

		keys = p->nkeys;
		n += (keys > 1 ? keys : 1) + p->sleeps;
	}
	return n;
}

struct entry_try *
attempt_add_try(struct request *r, const struct candidate *c)
{
	const struct provider *p = c->target->provider;
	struct entry *e = &r->entry;
	struct entry_try *t;

	if (e->tries == NULL)
		e->tries = arena_alloc(
		    r->arena, tries_most(&r->plan) * sizeof(*e->tries));
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

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how the walk over a plan is predicted (serve/attempt.c is the walk).
 */
#include "config.h"

#include "policy/admission.h"
#include "state/outlook.h"

static bool
fits_budget(struct outlook *o, const struct plan *plan,
    const struct candidate *c, bool again, struct arena *arena,
    struct refused *refused)
{
	if (o->budgets == NULL ||
	    budget_ask(o->budgets, o->client, plan->model, c->need_tokens,
		admission_nanousd(c), again, refused) == 0)
		return true;
	refused->message = arena_strdup(arena, refused->message);
	return false;
}

static bool
finds_slot(struct outlook *o, const struct candidate *c, struct arena *arena,
    struct refused *refused)
{
	const struct provider *provider = c->target->provider;
	struct slots_lease lease;

	if (o->slots == NULL || provider->limit == NULL ||
	    slots_look(o->slots, provider->limit, o->client->name, &lease) !=
		SLOTS_FULL)
		return true;
	admission_queue_full(
	    arena, provider, lease.position, lease.retry_after_ms, refused);
	return false;
}

static void
find_bounds(struct outlook *o, const struct plan *plan)
{
	o->nbounds = 0;
	if (o->budgets == NULL)
		return;
	o->nbounds = budget_bounds(o->budgets, o->client, NULL, o->bounds);
	if (plan->model != NULL)
		o->nbounds += budget_bounds(
		    o->budgets, NULL, plan->model, o->bounds + o->nbounds);
}

void
outlook_make(struct outlook *o, struct plan *plan, struct arena *arena)
{
	bool again = false;

	find_bounds(o, plan);
	if (plan->refused.refusal != REFUSE_NONE)
		return;
	for (size_t i = 0; i < plan->ncandidates; i++) {
		struct candidate *c = &plan->candidates[i];
		struct refused *met;

		if (c->verdict != VERDICT_IN)
			continue;
		met = arena_alloc(arena, sizeof(*met));
		if (fits_budget(o, plan, c, again, arena, met) &&
		    finds_slot(o, c, arena, met))
			return;
		again = true;
		c->met = met;
		if (!(refusal_spec(met->refusal)->fallback & c->next_on)) {
			plan->refused = *met;
			return;
		}
	}
}

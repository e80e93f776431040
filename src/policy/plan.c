/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The plan: hides the rules by which a target is in or out.  It runs between
 * reading a request and doing anything for it, touches nothing but its
 * arguments, and is what `tailgate explain` prints.
 */
#include "config.h"

#include <string.h>

#include "policy/identify.h"
#include "policy/models.h"
#include "policy/owner.h"
#include "policy/plan_internal.h"
#include "policy/price.h"
#include "policy/select.h"

const char *
verdict_name(enum verdict verdict)
{
	static const char *const names[] = {
		[VERDICT_IN] = "in",
		[VERDICT_PLACE] = "place",
		[VERDICT_MEDIA] = "media",
		[VERDICT_WHEN] = "when",
		[VERDICT_ENDPOINT] = "endpoint",
		[VERDICT_TOO_LONG] = "too_long",
		[VERDICT_KEY] = "key",
		[VERDICT_UNSUPPORTED] = "unsupported",
		[VERDICT_UNAVAILABLE] = "unavailable",
		[VERDICT_ATTEMPTS] = "attempts",
		[VERDICT_STOPPED] = "stopped",
	};

	return names[verdict];
}

/* The first of these that is local is named as the reason for the ceiling. */
static void
find_ceiling(const struct plan_question *q)
{
	struct plan *plan = q->plan;

	plan->ceiling = PLACE_LOCAL;
	if (q->client->place == PLACE_LOCAL)
		plan->ceiling_by =
		    arena_printf(q->arena, "client %s", q->client->name);
	else if (plan->model->place == PLACE_LOCAL)
		plan->ceiling_by =
		    arena_printf(q->arena, "model %s", plan->model->id);
	else if (q->call->header_local)
		plan->ceiling_by = "X-Tailgate-Place";
	else if (q->call->private_rule != NULL)
		plan->ceiling_by = arena_printf(
		    q->arena, "private pattern %s", q->call->private_rule);
	else
		plan->ceiling = PLACE_EXTERNAL;
}

/* The permission that lets the plan go on past a target that is out. */
static unsigned
permission(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_ENDPOINT:
	case VERDICT_KEY:
	case VERDICT_UNSUPPORTED:
		return FALLBACK_UNSUPPORTED;
	case VERDICT_TOO_LONG:
		return FALLBACK_TOO_LONG;
	case VERDICT_UNAVAILABLE:
		return FALLBACK_UNAVAILABLE;
	default:
		return 0;
	}
}

static void
judge_all(const struct plan_question *q, const size_t *order)
{
	struct plan *plan = q->plan;
	const struct model *model = plan->model;
	const char *stopped = NULL;
	struct candidate *c;
	unsigned needed;
	size_t i;

	for (i = 0; i < plan->ncandidates; i++) {
		c = &plan->candidates[i];
		c->target = &model->targets[order[i]];
		c->model = models_upstream_name(
		    model, c->target, q->call->model, q->arena);
		plan_judge(q, stopped, c);
		needed = permission(c->verdict);
		if (needed != 0 && !(model->fallback & needed))
			stopped = arena_printf(q->arena,
			    "the model has no fallback permission %s",
			    fallback_name(needed));
	}
}

/* After an outcome the next target is tried if the model permits it and one
 * is left. */
static void
link_candidates(struct plan *plan)
{
	bool later = false;
	size_t i;

	for (i = plan->ncandidates; i > 0; i--) {
		if (plan->candidates[i - 1].verdict != VERDICT_IN)
			continue;
		if (later)
			plan->candidates[i - 1].next_on = plan->model->fallback;
		later = true;
	}
}

static void
refuse(const struct plan_question *q, enum refusal refusal, const char *param,
    const char *message)
{
	q->plan->refused = (struct refused){
		.refusal = refusal, .message = message, .param = param
	};
}

/* A client that says no place is local, which its operator may not know. */
static void
refuse_private(const struct plan_question *q)
{
	const char *way_out = "";

	if (q->client->place == PLACE_LOCAL)
		way_out = arena_printf(q->arena,
		    "; the operator lets a client go outside with `tailgate "
		    "client set %s --place external`",
		    q->client->name);
	refuse(q, REFUSE_PRIVATE_ROUTE, "model",
	    arena_printf(q->arena,
		"%s keeps this request local and the model %s has no local "
		"target; choose a model whose place is local (GET "
		"/v1/models)%s.",
		q->plan->ceiling_by, q->plan->model->id, way_out));
}

static const char *
advice(const struct plan_question *q, enum refusal refusal)
{
	switch (refusal) {
	case REFUSE_OWN_KEY_MISSING:
		return own_key_advice(q->call->own_key);
	case REFUSE_UNAVAILABLE:
		return "Wait for the time in Retry-After.";
	case REFUSE_TOO_LONG:
		return "Shorten the request or ask for less output.";
	case REFUSE_REMOTE_MEDIA:
		return "Send the file itself as a data: URL.";
	default:
		return "Choose another model from GET /v1/models.";
	}
}

/* No target is in: the first one within the ceiling gives the reason,
 * preferably one that is for such requests. */
static void
refuse_empty(const struct plan_question *q)
{
	const struct plan *plan = q->plan;
	const struct candidate *first = NULL;
	bool closed = false;
	size_t i;

	for (i = 0; i < plan->ncandidates; i++) {
		if (plan->candidates[i].verdict == VERDICT_PLACE)
			closed = true;
		else if (first == NULL ||
		    (first->verdict == VERDICT_WHEN &&
			plan->candidates[i].verdict != VERDICT_WHEN))
			first = &plan->candidates[i];
	}
	if (first == NULL) {
		refuse_private(q);
		return;
	}
	refuse(q, first->refusal, "model",
	    arena_printf(q->arena, "Model %s: %s%s%s. %s", plan->model->id,
		first->reason, closed ? "; other targets are closed by " : "",
		closed ? plan->ceiling_by : "", advice(q, first->refusal)));
	if (first->verdict == VERDICT_UNAVAILABLE)
		q->plan->refused.retry_after_ms = first->open_ms;
}

/* May the client ask for this at all?  Also finds the model. */
static bool
admit(const struct plan_question *q)
{
	const struct call *call = q->call;
	const char *name = call->model == NULL ? "" : call->model;

	if (!identify_may_call(q->client, call->endpoint, &q->plan->refused))
		return false;
	q->plan->model = owner_model(q->config, call);
	if (q->plan->model == NULL) {
		refuse(q, REFUSE_MODEL_NOT_FOUND, "model",
		    arena_printf(q->arena,
			"There is no model \"%s\"; GET /v1/models lists those "
			"you may use.",
			name));
		return false;
	}
	if (call->owner == NULL &&
	    !identify_may_use(q->client, name, q->plan->model->id)) {
		refuse(q, REFUSE_MODEL_NOT_ALLOWED, "model",
		    arena_printf(q->arena,
			"Client %s may not use the model \"%s\"; GET "
			"/v1/models lists those it may use.",
			q->client->name, name));
		return false;
	}
	return true;
}

void
plan_make(const struct config *config, const struct client *client,
    const struct call *call, const struct facts *facts, struct arena *arena,
    struct plan *plan)
{
	const struct plan_question q = { config, client, call, facts, arena,
		plan };
	const struct model *model;
	int64_t *worst;
	size_t *order, i;

	memset(plan, 0, sizeof(*plan));
	if (!admit(&q))
		return;
	model = plan->model;
	find_ceiling(&q);
	worst = arena_alloc(arena, model->ntargets * sizeof(*worst));
	order = arena_alloc(arena, model->ntargets * sizeof(*order));
	for (i = 0; i < model->ntargets; i++)
		worst[i] = price_worst(&model->targets[i], call->input_tokens,
		    call->max_output_tokens, call->choices, call->characters,
		    call_images(call));
	select_order(model, client, facts,
	    &(struct select_ask){ call->session, call->model, worst }, arena,
	    order);
	plan->ncandidates = model->ntargets;
	plan->candidates =
	    arena_alloc(arena, model->ntargets * sizeof(*plan->candidates));
	judge_all(&q, order);
	link_candidates(plan);
	if (plan->nin == 0)
		refuse_empty(&q);
}

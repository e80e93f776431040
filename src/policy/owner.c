/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the search for the one provider that can be meant.  It runs after a
 * call was measured and before plan_make(), which treats the model that it
 * found like any other.
 */
#include "config.h"

#include "policy/identify.h"
#include "policy/models.h"
#include "policy/owner.h"

struct search {
	const struct client *client;
	enum endpoint endpoint;
	const struct model *model; /* the first one found */
	const struct provider *provider, *other; /* two that could be meant */
};

/* Adds the providers to which this model may lead. */
static void
look_at(struct search *s, const struct model *model)
{
	for (size_t i = 0; i < model->ntargets; i++) {
		const struct target *t = &model->targets[i];

		if (!(t->endpoints & ENDPOINT_BIT(s->endpoint)) ||
		    t->provider->place > model->place ||
		    t->provider->place > s->client->place)
			continue;
		if (s->provider == NULL) {
			s->provider = t->provider;
			s->model = model;
		} else if (t->provider != s->provider)
			s->other = t->provider;
	}
}

static int
refuse_none(
    enum endpoint endpoint, struct arena *arena, struct refused *refused)
{
	const char *name = endpoint_spec(endpoint)->name;

	*refused = (struct refused){ .refusal = REFUSE_UNSUPPORTED,
		.message = arena_printf(arena,
		    "No model that this client may use leads to a provider "
		    "that serves the endpoint %s; the operator names it in "
		    "`endpoints`.",
		    name) };
	return -1;
}

static int
refuse_many(
    const struct search *s, struct arena *arena, struct refused *refused)
{
	bool body = endpoint_spec(s->endpoint)->body != ENDPOINT_BODY_NONE;

	*refused = (struct refused){ .refusal = REFUSE_INVALID_REQUEST,
		.param = "model",
		.message = arena_printf(arena,
		    "Both %s and %s could be meant; name a model of the one "
		    "that is (%s).",
		    s->provider->name, s->other->name,
		    body ? "the member `model`" : "?model=NAME") };
	return -1;
}

int
owner_find(const struct config *config, const struct client *client,
    struct call *call, struct arena *arena, struct refused *refused)
{
	const struct endpoint_spec *spec = endpoint_spec(call->endpoint);
	struct search s = { .client = client, .endpoint = call->endpoint };
	const struct model *said;

	if (!(spec->flags & ENDPOINT_OWNED) ||
	    (spec->body != ENDPOINT_BODY_NONE && call->model != NULL))
		return 0;
	if (call->model != NULL) {
		/* The plan says what is wrong with the name. */
		said = models_find(config, call->model);
		if (said != NULL)
			look_at(&s, said);
		return s.other == NULL ? 0 : refuse_many(&s, arena, refused);
	}
	for (size_t i = 0; i < config->nmodels; i++)
		if (identify_may_use_some(client, config->models[i].id))
			look_at(&s, &config->models[i]);
	if (s.other != NULL)
		return refuse_many(&s, arena, refused);
	if (s.model == NULL)
		return refuse_none(call->endpoint, arena, refused);
	call->owner = s.model;
	call->model = s.model->id;
	return 0;
}

const struct model *
owner_model(const struct config *config, const struct call *call)
{
	if (call->owner != NULL)
		return call->owner;
	return models_find(config, call->model == NULL ? "" : call->model);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how the targets of a model add up to one line of a list.
 */
#include "config.h"

#include <string.h>

#include "policy/identify.h"
#include "policy/models.h"
#include "policy/offer.h"

static bool
may_use_any_name(const struct client *client, const struct model *model)
{
	if (identify_may_use_some(client, model->id))
		return true;
	for (size_t i = 0; i < model->naliases; i++)
		if (identify_may_use(client, model->aliases[i], model->id))
			return true;
	return false;
}

static enum tri
either(enum tri a, enum tri b)
{
	if (a == TRI_YES || b == TRI_YES)
		return TRI_YES;
	return a == TRI_NO && b == TRI_NO ? TRI_NO : TRI_UNSET;
}

static void
add_target(struct offer *o, const struct target *t, bool first)
{
	if (t->provider->place > o->place)
		o->place = t->provider->place;
	if (t->context > o->context)
		o->context = t->context;
	if (t->max_output > o->max_output)
		o->max_output = t->max_output;
	o->images = first ? t->images : either(o->images, t->images);
	o->audio = first ? t->audio : either(o->audio, t->audio);
	o->files = first ? t->files : either(o->files, t->files);
	o->tools = first ? t->tools : either(o->tools, t->tools);
	o->json_schema =
	    first ? t->json_schema : either(o->json_schema, t->json_schema);
	o->endpoints |= t->endpoints;
	if (t->endpoints & ENDPOINT_BIT(ENDPOINT_CHAT))
		o->endpoints |= ENDPOINT_BIT(ENDPOINT_RESPONSES) |
		    ENDPOINT_BIT(ENDPOINT_MESSAGES);
	if (first)
		o->price = t->price;
}

static bool
is_ready(const struct facts *facts, const struct provider *p)
{
	return facts == NULL || facts->providers == NULL ||
	    facts->providers[p->index].open_ms <= 0;
}

/* A limit that several targets share counts once. */
static bool
limit_is_new(const struct model *model, size_t upto)
{
	for (size_t i = 0; i < upto; i++)
		if (model->targets[i].provider->limit ==
		    model->targets[upto].provider->limit)
			return false;
	return true;
}

static void
add_load(struct offer *o, const struct model *model, size_t i,
    const char *upstream, const struct facts *facts)
{
	const struct provider *p = model->targets[i].provider;
	const struct facts_learned *learned;

	if (p->kind == PROVIDER_TAILGATE) {
		learned = facts_find_learned(facts, p, upstream);
		o->slots += learned == NULL ? 0 : learned->slots;
		o->busy += learned == NULL ? 0 : learned->busy;
	} else if (p->limit != NULL && facts->limits != NULL &&
	    limit_is_new(model, i)) {
		o->slots += p->limit->slots;
		o->busy += facts->limits[p->limit->index].used +
		    facts->limits[p->limit->index].queued;
	}
}

/* name NULL: any name that the client may use. */
static bool
make(const struct client *client, const struct model *model, const char *name,
    const struct facts *facts, struct arena *arena, struct offer *o)
{
	enum place ceiling =
	    client->place < model->place ? client->place : model->place;
	bool visible = false;

	memset(o, 0, sizeof(*o));
	o->place = PLACE_LOCAL;
	for (size_t i = 0; i < model->ntargets; i++) {
		struct target t = model->targets[i];
		const char *upstream = name == NULL
		    ? t.model
		    : models_upstream_name(model, &t, name, arena);

		if (t.provider->place > ceiling)
			continue;
		if (facts != NULL) {
			t = facts_target(facts, &model->targets[i], upstream);
			add_load(o, model, i, upstream, facts);
		}
		add_target(o, &t, !visible);
		o->ready |= is_ready(facts, t.provider);
		visible = true;
	}
	return visible;
}

bool
offer_make(const struct client *client, const struct model *model,
    const struct facts *facts, struct offer *o)
{
	bool visible = make(client, model, NULL, facts, NULL, o);

	return visible && may_use_any_name(client, model);
}

bool
offer_make_named(const struct client *client, const struct model *model,
    const char *name, const struct facts *facts, struct arena *arena,
    struct offer *o)
{
	return identify_may_use(client, name, model->id) &&
	    make(client, model, name, facts, arena, o);
}

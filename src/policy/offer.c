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

bool
offer_make(const struct client *client, const struct model *model,
    const struct facts *facts, struct offer *o)
{
	enum place ceiling =
	    client->place < model->place ? client->place : model->place;
	bool visible = false;

	memset(o, 0, sizeof(*o));
	o->place = PLACE_LOCAL;
	if (!may_use_any_name(client, model))
		return false;
	for (size_t i = 0; i < model->ntargets; i++) {
		struct target t = model->targets[i];

		if (t.provider->place > ceiling)
			continue;
		if (facts != NULL)
			t = facts_target(facts, &model->targets[i], t.model);
		add_target(o, &t, !visible);
		o->ready |= is_ready(facts, t.provider);
		visible = true;
	}
	return visible;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides what of an offer a set-up wants to know.
 */
#include "config.h"

#include "policy/choice.h"
#include "policy/identify.h"
#include "policy/models.h"
#include "policy/offer.h"

#define TALKS                                                             \
	(ENDPOINT_BIT(ENDPOINT_CHAT) | ENDPOINT_BIT(ENDPOINT_RESPONSES) | \
	    ENDPOINT_BIT(ENDPOINT_MESSAGES))

static void
take_offer(struct setup_models *models, const char *id,
    const struct offer *offer, struct arena *arena)
{
	struct setup_model *m = setup_model_add(models, id, arena);

	if (m == NULL)
		return;
	m->context = offer->context;
	m->output = offer->max_output;
	m->images = offer->images == TRI_YES;
	m->tools = offer->tools != TRI_NO;
	m->talks = (offer->endpoints & TALKS) != 0;
}

static void
take_names(struct setup_models *models, const struct client *client,
    const struct model *model, struct arena *arena)
{
	struct offer offer;

	if (!offer_make(client, model, NULL, &offer))
		return;
	for (size_t i = model->prefix ? 1 : 0; i <= model->naliases; i++) {
		const char *name = i == 0 ? model->id : model->aliases[i - 1];

		if (identify_may_use(client, name, model->id))
			take_offer(models, name, &offer, arena);
	}
}

void
choice_models(const struct config *config, const struct client *client,
    struct setup_models *models, struct arena *arena)
{
	for (size_t i = 0; i < config->nmodels; i++)
		take_names(models, client, &config->models[i], arena);
}

void
choice_named(const struct config *config, const struct client *client,
    const char *name, struct setup_models *models, struct arena *arena)
{
	const struct model *model = models_find(config, name);
	struct offer offer;

	if (model != NULL &&
	    offer_make_named(client, model, name, NULL, arena, &offer))
		take_offer(models, name, &offer, arena);
}

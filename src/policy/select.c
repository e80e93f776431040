/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The order among targets: hides how round robin, load, price, latency and
 * stickiness become one ranking.  plan_make() calls it once per request.
 */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "policy/models.h"
#include "policy/select.h"

/* Ascending: group, then metric, then tie, then index. */
struct rank {
	enum place place;
	double metric;
	double tie;
	size_t index;
};

/* Finishes FNV-1a by murmur3's mixer: FNV alone leaves its high bits, the ones
 * used here, too much alike for short strings. */
static uint64_t
mix(uint64_t h)
{
	h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

/* Weighted rendezvous (highest random weight): the least -ln(u) / weight
 * wins, which gives each target its weight's share of the clients. */
static double
sticky_score(const struct client *client, const char *session,
    const struct model *model, const struct target *target)
{
	uint64_t h = HASH_SEED;
	double u;

	h = hash_text(h, client->name);
	if (session != NULL && model->sticky_by == STICKY_SESSION)
		h = hash_text(h, session);
	h = hash_text(h, model->id);
	h = hash_text(h, target->provider->name);
	h = hash_text(h, target->model);
	u = ((double)(mix(h) >> 11) + 0.5) / 9007199254740992.0;
	return -log(u) / target->weight;
}

/* The load of another gateway: what it reported last, or our own requests
 * there, for each of its slots. */
static double
gateway_busy(const struct target *target, const struct facts *facts,
    const char *model, double ours)
{
	const struct facts_learned *learned =
	    facts_find_learned(facts, target->provider, model);

	if (learned == NULL || learned->slots == 0)
		return ours;
	if (facts->wall_ms - learned->at_ms < FACTS_BUSY_MS &&
	    learned->busy > ours)
		ours = learned->busy;
	return ours / learned->slots;
}

static double
load(const struct target *target, const struct facts *facts, const char *model)
{
	const struct provider *provider = target->provider;
	const struct limit *limit = provider->limit;
	double busy = 0;

	if (provider->kind == PROVIDER_TAILGATE) {
		if (facts->providers != NULL)
			busy = facts->providers[provider->index].in_flight;
		busy = gateway_busy(target, facts, model, busy);
	} else if (limit != NULL && facts->limits != NULL)
		busy = (double)facts->limits[limit->index].used +
		    facts->limits[limit->index].queued;
	else if (facts->providers != NULL)
		busy = facts->providers[provider->index].in_flight;
	return busy / target->weight;
}

static bool
same_group(const struct model *model, size_t a, size_t b)
{
	return model->targets[a].provider->place ==
	    model->targets[b].provider->place;
}

/* How many places this target comes after the one that the rotation is at. */
static double
places_away(const struct model *model, size_t index, uint32_t rotation)
{
	uint64_t total = 0, passed = 0;
	size_t i, size = 0, mine = 0, first = 0;

	for (i = 0; i < model->ntargets; i++)
		if (same_group(model, i, index))
			total += model->targets[i].weight;
	for (i = 0; i < model->ntargets; i++) {
		if (!same_group(model, i, index))
			continue;
		if (i == index)
			mine = size;
		if (passed <= rotation % total)
			first = size;
		passed += model->targets[i].weight;
		size++;
	}
	return (double)((mine + size - first) % size);
}

static double
latency(const struct target *target, const struct facts *facts)
{
	if (facts->providers == NULL ||
	    facts->providers[target->provider->index].first_byte_ms < 0)
		return 0;
	return (double)facts->providers[target->provider->index].first_byte_ms;
}

static double
metric(const struct model *model, size_t index, const struct facts *facts,
    const struct select_ask *ask, struct arena *arena)
{
	const struct target *target = &model->targets[index];
	int64_t worst = ask->worst[index];

	switch (model->select) {
	case SELECT_ROUND_ROBIN:
		return model->sticky
		    ? 0
		    : places_away(model, index, facts->rotation);
	case SELECT_LEAST_BUSY:
		return model->sticky ? 0
				     : load(target, facts,
					   models_upstream_name(model, target,
					       ask->requested, arena));
	case SELECT_CHEAPEST:
		return worst < 0 ? HUGE_VAL : (double)worst;
	case SELECT_FASTEST:
		return latency(target, facts);
	case SELECT_ORDER:
		break;
	}
	return 0;
}

static int
compare(const void *left, const void *right)
{
	const struct rank *a = left, *b = right;

	if (a->place != b->place)
		return a->place < b->place ? -1 : 1;
	if (a->metric < b->metric || a->metric > b->metric)
		return a->metric < b->metric ? -1 : 1;
	if (a->tie < b->tie || a->tie > b->tie)
		return a->tie < b->tie ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

void
select_order(const struct model *model, const struct client *client,
    const struct facts *facts, const struct select_ask *ask,
    struct arena *arena, size_t *order)
{
	struct rank *ranks =
	    arena_alloc(arena, model->ntargets * sizeof(*ranks));
	const struct target *target;
	size_t i;

	for (i = 0; i < model->ntargets; i++) {
		target = &model->targets[i];
		ranks[i] = (struct rank){ .place = target->provider->place,
			.metric = metric(model, i, facts, ask, arena),
			.index = i };
		if (model->sticky && model->select != SELECT_ORDER)
			ranks[i].tie =
			    sticky_score(client, ask->session, model, target);
	}
	qsort(ranks, model->ntargets, sizeof(*ranks), compare);
	for (i = 0; i < model->ntargets; i++)
		order[i] = ranks[i].index;
}

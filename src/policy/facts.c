/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What is true right now of providers and models: hides how a fact is found
 * for a target.
 */
#include "config.h"

#include <string.h>

#include "base/hash.h"
#include "policy/facts.h"

uint64_t
facts_held_key(const struct provider *p, const char *model)
{
	return hash_not_0(hash_text(hash_text(HASH_SEED, p->name), model));
}

bool
facts_held_is_sane(const struct provider *p, int64_t open_ms)
{
	return open_ms <= FACTS_LOADING_MS ||
	    open_ms <= p->circuit.cooldown_max_ms;
}

int64_t
facts_held_ms(
    const struct facts *facts, const struct provider *p, const char *model)
{
	int64_t ms = 0;
	uint64_t key;

	if (facts->nheld == 0 || p->circuit.failures == 0)
		return 0;
	key = facts_held_key(p, model);
	for (size_t i = 0; i < facts->nheld; i++)
		if (facts->held[i].key == key && facts->held[i].open_ms > ms &&
		    facts_held_is_sane(p, facts->held[i].open_ms))
			ms = facts->held[i].open_ms;
	return ms;
}

const struct facts_learned *
facts_find_learned(
    const struct facts *facts, const struct provider *p, const char *model)
{
	if (!p->learn)
		return NULL;
	for (size_t i = 0; i < facts->nlearned; i++)
		if (facts->learned[i].provider == p &&
		    strcmp(facts->learned[i].model, model) == 0)
			return &facts->learned[i];
	return NULL;
}

static enum tri
over(enum tri learned, enum tri said)
{
	return learned != TRI_UNSET ? learned : said;
}

struct target
facts_target(
    const struct facts *facts, const struct target *target, const char *model)
{
	const struct facts_learned *learned =
	    facts_find_learned(facts, target->provider, model);
	struct target out = *target;

	if (learned == NULL)
		return out;
	if (learned->context != 0)
		out.context = learned->context;
	out.images = over(learned->images, out.images);
	out.audio = over(learned->audio, out.audio);
	out.tools = over(learned->tools, out.tools);
	return out;
}

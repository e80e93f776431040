/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The current state of providers and models: hides how a fact is found for a
 * target.
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

uint64_t
facts_key_key(const struct provider *p, size_t i, const char *model)
{
	const struct key_source *s = config_key_source(p, i);
	const char *const texts[] = { p->name, s->file, s->credential, s->env,
		model };
	uint64_t h = HASH_SEED;

	for (size_t n = 0; n < sizeof(texts) / sizeof(texts[0]); n++)
		h = hash_text(h, texts[n] == NULL ? "" : texts[n]);
	return hash_not_0(h);
}

bool
facts_held_is_sane(const struct provider *p, int64_t open_ms)
{
	return open_ms <= FACTS_LOADING_MS ||
	    open_ms <= p->circuit.cooldown_max_ms;
}

static int64_t
held_ms(const struct facts *facts, const struct provider *p, uint64_t key)
{
	int64_t ms = 0;

	for (size_t i = 0; i < facts->nheld; i++)
		if (facts->held[i].key == key && facts->held[i].open_ms > ms &&
		    facts_held_is_sane(p, facts->held[i].open_ms))
			ms = facts->held[i].open_ms;
	return ms;
}

int64_t
facts_held_ms(
    const struct facts *facts, const struct provider *p, const char *model)
{
	if (facts->nheld == 0 || p->circuit.failures == 0)
		return 0;
	return held_ms(facts, p, facts_held_key(p, model));
}

int64_t
facts_keys_ms(
    const struct facts *facts, const struct provider *p, const char *model)
{
	int64_t least = -1, ms, all_ms;

	if (facts->nheld == 0 || p->nkeys < 2 || p->circuit.failures == 0)
		return 0;
	for (size_t i = 0; i < p->nkeys; i++) {
		ms = held_ms(facts, p, facts_key_key(p, i, model));
		all_ms = held_ms(facts, p, facts_key_key(p, i, ""));
		if (all_ms > ms)
			ms = all_ms;
		if (least == -1 || ms < least)
			least = ms;
	}
	return least;
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

const struct facts_count *
facts_find_count(
    const struct facts *facts, const struct provider *p, const char *model)
{
	for (size_t i = 0; i < facts->ncounts; i++)
		if (facts->counts[i].provider == p &&
		    strcmp(facts->counts[i].model, model) == 0)
			return &facts->counts[i];
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

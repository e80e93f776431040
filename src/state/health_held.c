/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The parts of a provider that are left alone while the rest serves: models,
 * and keys.  Hides for how long; health_models.c keeps the rows.
 */
#include "config.h"

#include <limits.h>
#include <string.h>

#include "base/log.h"
#include "state/health_internal.h"
#include "state/health_models.h"

/* Other hosts leave it alone as well, but for a key that was not accepted: it
 * may be another one there. */
static void
hold(struct health *h, const struct health_what *what, enum health_outcome why,
    int64_t ms)
{
	health_models_hold(h->models, what, why, ms);
	if (h->fleet.hold != NULL && why != HEALTH_ACCOUNT)
		h->fleet.hold(h->fleet.ctx, what, why, ms);
}

/* ---- models ------------------------------------------------------------- */

int64_t
health_model_open_ms(
    struct health *h, const struct provider *p, const char *model)
{
	struct health_what what = health_what_model(p, model);

	return p->circuit.failures == 0
	    ? 0
	    : health_models_open_ms(h->models, &what);
}

void
health_model_report(struct health *h, const struct provider *p,
    const char *model, enum health_outcome outcome, int64_t retry_after_ms)
{
	struct health_what what = health_what_model(p, model);
	bool limited = outcome == HEALTH_MODEL_LIMITED;
	int64_t ms = limited ? retry_after_ms : FACTS_LOADING_MS;

	if (p->circuit.failures == 0 || ms <= 0 ||
	    (!limited && outcome != HEALTH_MODEL_LOADING))
		return;
	if (limited && ms > p->circuit.cooldown_max_ms)
		ms = p->circuit.cooldown_max_ms;
	hold(h, &what, outcome, ms);
	log_warn("provider %s: %s, left alone for %lld ms: %s", p->name,
	    health_outcome_name(outcome), (long long)ms, model);
}

void
health_each_held(struct health *h, const struct provider *p,
    void (*each)(void *, const struct health_held *), void *ctx)
{
	struct health_what what = health_what_model(p, "");

	if (p->circuit.failures != 0)
		health_models_each(h->models, &what, each, ctx);
}

/* ---- keys --------------------------------------------------------------- */

bool
health_is_of_key(enum health_outcome outcome)
{
	return outcome == HEALTH_ACCOUNT || outcome == HEALTH_RATE_LIMITED ||
	    outcome == HEALTH_MODEL_LIMITED;
}

static int64_t
key_open_ms(
    struct health *h, const struct provider *p, size_t key, const char *model)
{
	struct health_what all = health_what_key(p, key, "");
	struct health_what one = health_what_key(p, key, model);
	int64_t all_ms = health_models_open_ms(h->models, &all);
	int64_t one_ms = health_models_open_ms(h->models, &one);

	return all_ms > one_ms ? all_ms : one_ms;
}

int
health_key(struct health *h, const struct provider *p, const char *model,
    unsigned tried, int64_t *rest_ms)
{
	int64_t least_ms = INT64_MAX, ms;
	int least = -1;

	*rest_ms = 0;
	if (p->nkeys < 2)
		return tried == 0 ? 0 : -1;
	for (size_t i = 0; i < p->nkeys; i++) {
		if (tried & 1u << i)
			continue;
		ms = key_open_ms(h, p, i, model);
		if (ms == 0)
			return (int)i;
		if (ms < least_ms) {
			least_ms = ms;
			least = (int)i;
		}
	}
	*rest_ms = least == -1 ? 0 : least_ms;
	return p->circuit.failures == 0 ? least : -1;
}

/* The cooldown, doubled for each time before, but no longer than the most. */
static int64_t
grown(const struct circuit *settings, unsigned times)
{
	int64_t ms = settings->cooldown_ms;

	while (times-- > 0 && ms < settings->cooldown_max_ms)
		ms *= 2;
	return ms;
}

void
health_key_rest(struct health *h, const struct provider *p, int key,
    const char *model, enum health_outcome outcome, int64_t retry_after_ms)
{
	bool one = outcome == HEALTH_MODEL_LIMITED;
	struct health_what what =
	    health_what_key(p, (size_t)key, one ? model : "");
	int64_t most_ms = p->circuit.cooldown_max_ms;
	int64_t ms = retry_after_ms;

	if (ms <= 0)
		ms = grown(&p->circuit, health_models_times(h->models, &what));
	if (ms > most_ms)
		ms = most_ms;
	hold(h, &what, outcome, ms);
	log_warn("provider %s: key %d of %zu: %s, it rests for %lld ms%s%s",
	    p->name, key + 1, p->nkeys, health_outcome_name(outcome),
	    (long long)ms, one ? ": " : "", one ? model : "");
}

void
health_each_rest(struct health *h, const struct provider *p, size_t key,
    void (*each)(void *, const struct health_held *), void *ctx)
{
	struct health_what what = health_what_key(p, key, "");

	health_models_each(h->models, &what, each, ctx);
}

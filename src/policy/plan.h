/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The one place that decides where a request may go.
 *
 * plan_make() is a pure function of (config, client, call, facts): an ordered
 * list of candidates, each in or out with its reason, and for each the
 * outcomes after which the next one may be tried.  The responder executes the
 * list, `tailgate explain` prints it.
 *
 * Order of the rules, for each target:
 *  1. place: outside the ceiling it is out, whatever else is allowed; so it
 *     is where it would fetch media that it may not (remote.h);
 *  2. endpoint: it must serve it, or a bridge to chat must exist;
 *  3. fit: what the call needs against what the target says it can do;
 *  4. health: an open circuit;
 *  5. attempts: no more than the model's max_attempts.
 * Being out by 2, 3 or 4 lets the next target be used only with the
 * permission unsupported, too_long or unavailable; without it the plan ends
 * there (later ones are out as `stopped`) with that refusal.  Being out by
 * place needs none: narrowing is always allowed.
 */
#ifndef POLICY_PLAN_H
#define POLICY_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "config/settings.h"
#include "policy/call.h"
#include "policy/refusal.h"

/* What is true right now, gathered by state/; all zero is a quiet start. */
struct facts_provider {
	int64_t open_ms;	/* circuit opens again in; 0: closed;
				   -1: half open, a trial is due */
	unsigned in_flight;
	int64_t first_byte_ms;	/* typical, -1 or 0: not known */
};

/* A model that is left alone at a provider, while others are asked. */
struct facts_held {
	uint64_t key;		/* facts_held_key() of both */
	int64_t open_ms;
};
uint64_t facts_held_key(const struct provider *, const char *model);
/* Can it be?  More than any hold is of a clock from before a reboot. */
bool facts_held_is_sane(const struct provider *, int64_t open_ms);
#define FACTS_LOADING_MS 2000	/* held while loading, whatever cooldown_max */

struct facts_limit {
	unsigned used, queued;
};

/* What `tailgate probe` learned of one upstream model. */
struct facts_learned {
	const struct provider *provider;
	const char *model;
	uint64_t context;	/* 0: not known */
	enum tri images, audio, tools;
};

struct facts {
	int64_t wall_ms;
	const struct facts_provider *providers;	/* by index, or NULL */
	const struct facts_limit *limits;	/* by index, or NULL */
	const struct facts_held *held;
	size_t nheld;
	const struct facts_learned *learned;
	size_t nlearned;
	uint32_t turn;		/* of the model's round robin */
};

enum verdict {
	VERDICT_IN,
	VERDICT_PLACE,
	VERDICT_MEDIA,		/* it would fetch what it may not */
	VERDICT_ENDPOINT,
	VERDICT_TOO_LONG,
	VERDICT_UNSUPPORTED,
	VERDICT_UNAVAILABLE,
	VERDICT_ATTEMPTS,
	VERDICT_STOPPED,	/* an earlier one ended the plan */
};
const char *verdict_name(enum verdict);

/* How a target that does not serve the endpoint itself can answer it. */
enum bridge { BRIDGE_NONE, BRIDGE_RESPONSES, BRIDGE_MESSAGES };

struct candidate {
	const struct target *target;
	const char *model;	/* what the upstream is asked for; arena */
	enum verdict verdict;
	const char *reason;	/* one clause for people; arena */
	enum refusal refusal;	/* what a client sees if it ends here */
	enum bridge bridge;
	unsigned next_on;	/* outcomes after which the next is tried */
	struct target able;	/* the target with what was learned of it */
	uint64_t need_tokens;	/* input + output, against: */
	uint64_t context;	/* what it allows; 0: not said */
	int64_t open_ms;	/* circuit, as in the facts */
	int64_t worst_nanousd;	/* -1: no price known */
};

struct plan {
	const struct model *model;
	enum place ceiling;
	const char *ceiling_by;	/* "client laptop", "model notes",
				   "X-Tailgate-Place", "private pattern keys",
				   or NULL: nothing narrowed it */
	size_t ncandidates;
	struct candidate *candidates;
	size_t nin;		/* candidates that may be tried */
	struct refused refused;	/* where nin is 0, or no model */
};

/* The model for a name: id or alias, else the longest prefix; NULL. */
const struct model *plan_model(const struct config *, const char *name);
/* What the upstream of a target is asked for. */
const char *plan_upstream_model(const struct model *, const struct target *,
    const char *requested, struct arena *);

/* Never fails; a refusal is in plan->refused.  All of it lives in the
 * arena. */
void plan_make(const struct config *, const struct client *,
    const struct call *, const struct facts *, struct arena *, struct plan *);

/* Could this client use this model at all, by place and globs (for
 * GET /v1/models)?  The widest place of its usable targets in *place. */
bool plan_visible(const struct config *, const struct client *,
    const struct model *, enum place *place, uint64_t *context);

#endif

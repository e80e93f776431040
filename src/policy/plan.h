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
 *  2. when: the request is none that the target, or the model, is for;
 *  3. endpoint: it must serve it, or a bridge to chat must exist;
 *  4. key: a provider that its clients sign in to needs the client's own;
 *  5. fit: what the call needs against what the target says it can do; with
 *     its server's own count of the input, if that was asked for (near);
 *  6. health: an open circuit;
 *  7. attempts: no more than the model's max_attempts.
 * Being out by 3 to 6 lets the next target be used only with the permission
 * unsupported, too_long or unavailable; without it the plan ends there (later
 * ones are out as `stopped`) with that refusal.  Being out by place or by
 * `when` needs none: narrowing is always allowed, and which target is for which
 * request is the operator's word, no failure.
 */
#ifndef POLICY_PLAN_H
#define POLICY_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "config/settings.h"
#include "policy/call.h"
#include "policy/facts.h"
#include "policy/refusal.h"

enum verdict {
	VERDICT_IN,
	VERDICT_PLACE,
	VERDICT_MEDIA,		/* it would fetch what it must not */
	VERDICT_WHEN,		/* it is for other requests */
	VERDICT_ENDPOINT,
	VERDICT_TOO_LONG,
	VERDICT_KEY,		/* it needs a key of the client's own */
	VERDICT_UNSUPPORTED,
	VERDICT_UNAVAILABLE,
	VERDICT_ATTEMPTS,
	VERDICT_STOPPED,	/* an earlier one ended the plan */
};
const char *verdict_name(enum verdict);

/* How a target that does not serve the endpoint itself can serve it. */
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
	const struct facts_count *counted;	/* its server's count of the
				   input, which goes before ours; or NULL */
	bool near;		/* too long by so little that its server, which
				   can count, should be asked first */
	int64_t open_ms;	/* circuit, as in the facts */
	int64_t worst_nanousd;	/* -1: no price known */
	const struct refused *met;	/* what it would meet after the plan,
					   for an explanation; or NULL */
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
	struct refused refused;	/* if nin is 0, or there is no model */
};

/* Never fails; a refusal is in plan->refused.  All of it is in the arena. */
void plan_make(const struct config *, const struct client *,
    const struct call *, const struct facts *, struct arena *, struct plan *);

#endif

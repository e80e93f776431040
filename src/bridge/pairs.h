/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Which result belongs to which call of a conversation, whatever is between the
 * two.  A dialect adds them in order in its first walk of the conversation, and
 * asks by number in its second.
 *
 * A result belongs to the last call with its id before it; a second result for
 * the same call belongs to none.  If a call is left out (a hosted tool's), so
 * is its result.
 */
#ifndef BRIDGE_PAIRS_H
#define BRIDGE_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/span.h"

enum pairs_fate {
	PAIRS_ANSWERS, /* it is after its call */
	PAIRS_LEFT_OUT, /* with its call */
	PAIRS_ORPHAN, /* no call before it has its id */
};

struct pairs_result {
	struct span item;
	uint32_t index; /* of the item or message, for refusals */
	uint32_t fate; /* enum pairs_fate */
};

struct pairs {
	struct pairs_event *events;
	size_t nevents, events_size;
	uint32_t *calls; /* number of the result + 1, by number of the call */
	size_t ncalls;
	struct pairs_result *results;
	size_t nresults, results_size;
	struct arena *arena; /* ids written with escapes; or NULL */
};

/* All zero is none; ids are insides of JSON strings.  Out of memory is fatal,
 * here and below. */
void pairs_call(struct pairs *, struct span id);
void pairs_left_out(struct pairs *, struct span id);
/* otherwise: its fate where no call before it has its id. */
void pairs_result(struct pairs *, struct span id, struct span item,
    size_t index, enum pairs_fate otherwise);
/* After the last of them. */
void pairs_match(struct pairs *);
void pairs_free(struct pairs *);

/* NULL: it has no result. */
const struct pairs_result *pairs_of_call(const struct pairs *, size_t call);

#endif

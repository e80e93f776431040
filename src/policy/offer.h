/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What a model is to one client: the sum of the targets that it may reach, for
 * lists of models.
 */
#ifndef POLICY_OFFER_H
#define POLICY_OFFER_H

#include <stdbool.h>

#include "base/arena.h"
#include "config/settings.h"
#include "policy/facts.h"

struct offer {
	enum place place; /* the widest of its targets' */
	bool ready; /* one of them may be asked now */
	uint64_t context, max_output; /* the largest; 0: not known */
	/* Yes if one target can, no if none can. */
	enum tri images, audio, files, tools, json_schema;
	uint64_t endpoints; /* ENDPOINT_BIT set, what is bridged included */
	struct price price; /* of the first target */
	unsigned slots, busy; /* of the limits of all, and what runs or waits
				 there; 0: no limit is known */
};

/* Could this client use the model at all, by place and globs?  facts NULL:
 * only the configuration counts, and everything is ready. */
bool offer_make(const struct client *, const struct model *,
    const struct facts *, struct offer *);
/* The same for one name that the client may use.  It matters if the model's
 * id is a pattern: each name has facts of its own.  In the arena. */
bool offer_make_named(const struct client *, const struct model *,
    const char *name, const struct facts *, struct arena *, struct offer *);

#endif

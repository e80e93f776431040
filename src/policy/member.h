/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The names that decide about a call: a JSON body's top-level members, a form's
 * fields, and possibly a query's parameters.
 *
 * Two readers of one body must not see two calls.  Readers differ: Go's JSON
 * takes "Model" for "model", C ends a name at its first NUL, form parsers cut
 * "model[]", trim blanks and undo percent signs.  So a name that any of them
 * could take for one of these, but that is not spelled exactly so, has no good
 * use and is refused; so is a name by which known upstreams use another model.
 */
#ifndef POLICY_MEMBER_H
#define POLICY_MEMBER_H

#include <stdbool.h>

#include "base/jscan.h"
#include "base/span.h"

enum member {
	MEMBER_NONE,
	MEMBER_MODEL,
	MEMBER_STREAM,
	MEMBER_STREAM_OPTIONS,
	MEMBER_MAX_OUTPUT,
	MEMBER_CHOICES,
	MEMBER_TEXTS, /* messages, input: texts and parts */
	MEMBER_TEXT,
	MEMBER_TOOLS,
	MEMBER_FORMAT,
	MEMBER_MODALITIES,
	MEMBER_THINKING,
};

struct member_spec {
	const char *name;
	enum member member;
	bool repeats; /* may be repeated: the larger value counts */
};

/* The row of a top-level member, by its key as it is written or with escapes;
 * NULL: none of these. */
const struct member_spec *member_find(const struct jscan_step *);
/* A row's number, for a set of those that were seen. */
unsigned member_index(const struct member_spec *);

/* The name that a careless reader could take the decoded key for, although
 * the key is not it; NULL: there is none. */
const char *member_disguised(struct span key);
/* Does it name another model beside `model` (models, fallbacks ...)? */
bool member_is_rival(struct span key);

/* Could a provider merge the content of this top-level member into the body?
 * Other members that have a `model` (tools, plugins, metadata) name one for
 * their own purpose, and are not checked. */
bool member_is_carrier(struct span key);
/* Is this a name that such a member must not contain? */
bool member_is_carried(struct span key);
/* Is it both, as forms write it ("extra_body[model]", "[model]")? */
bool member_is_path(struct span key);

#endif

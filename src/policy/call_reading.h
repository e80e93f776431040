/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * One reading of one request: shared by the files call*.c and form.c only.
 */
#ifndef POLICY_CALL_READING_H
#define POLICY_CALL_READING_H

#include "base/jscan.h"
#include "policy/call.h"
#include "policy/estimate.h"
#include "policy/media.h"
#include "policy/member.h"
#include "policy/pattern.h"

struct reading {
	struct span body;
	struct call *call;
	struct arena *arena;
	struct refused *refused;
	struct pattern_run patterns;
	struct estimate_sum texts; /* what they add to input_tokens */
	enum member member; /* the top-level one we are in */
	bool carrier; /* which may be laid over the body */
	uint64_t seen; /* rows of members that were seen, by member_index() */
	unsigned char area[JSCAN_DEPTH_MAX + 1]; /* by depth of the values */
	unsigned char urls[JSCAN_DEPTH_MAX + 1]; /* of the object's members:
						    what its `url` asks for */
	bool is_media[JSCAN_DEPTH_MAX + 1]; /* its `type` says so */
	unsigned input_urls; /* what the texts of an input would ask for */
	bool fetches_input; /* they are no texts */
	char *scratch;
	size_t scratch_size;
};

/* Refuses; always 1. */
int call_refuse(struct reading *, enum refusal, const char *param,
    const char *message);
/* A string's inside as text: decoded only where it must be.  The result lasts
 * until the next call. */
struct span call_text(struct reading *, struct span inside, bool escaped);
static inline struct span
call_inside(const struct jscan_value *v)
{
	return (struct span){ v->raw.p + 1, v->raw.len - 2 };
}

/* May it come without a model? */
static inline bool
call_owned(const struct call *call)
{
	return endpoint_spec(call->endpoint)->flags & ENDPOINT_OWNED;
}

/* Sets the call to its defaults, except for what the caller gave. */
void call_begin(struct reading *, const struct config *,
    const struct patterns *, enum endpoint);
/* Searches what is sent beside the body, and ends the search. */
void call_end(struct reading *);

/* A top-level member begins: reads its value if it is not a container.
 * Other than 0: refused. */
int call_member(struct reading *, const struct jscan_value *);
/* The same for a member inside of one: checks its name. */
int call_inner(struct reading *, const struct jscan_value *);
/* Where stream_options stands, when it has ended. */
void call_place_options(struct reading *, const struct jscan_value *);
/* A value of a MEMBER_THINKING, or one level below: does it ask for that? */
void call_thinking(struct reading *, const struct jscan_value *);
/* The model's name as text, checked; NULL: refused. */
char *call_model_name(struct reading *, struct span text);

/* Does a string ask an upstream to fetch something?  Sets call->remote; or
 * urls[] until its object, input_urls and fetches_input until the body has
 * ended. */
void call_url(struct reading *, const struct jscan_value *, struct span text);

/* The bytes of a file: searched if they are text; not searched if they are a
 * picture or sound (or `media` says so and nothing speaks against it);
 * otherwise they cannot be read. */
void call_file(struct reading *, enum media media, struct span bytes);

#endif

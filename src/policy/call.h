/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What a request asks for, measured from its bytes: the model and its position,
 * whether it streams, how long it is, what it needs, and whether it contains
 * something private.
 *
 * One pass of base/jscan over a JSON body, or of wire/multipart over a form.
 * Nothing is changed or copied but the model's name.
 */
#ifndef POLICY_CALL_H
#define POLICY_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/span.h"
#include "config/settings.h"
#include "policy/credentials.h"
#include "policy/patterns.h"
#include "policy/refusal.h"

enum call_needs {
	CALL_IMAGES = 1 << 0,
	CALL_AUDIO = 1 << 1,
	CALL_FILES = 1 << 2,
	CALL_TOOLS = 1 << 3,
	CALL_JSON_SCHEMA = 1 << 4,
};

struct call {
	enum endpoint endpoint;
	const char *model;	/* as the client wrote it, decoded; arena */
	const struct model *owner;	/* the owner, if no model was given
					 * (owner.h); model is its id then */
	size_t model_offset;	/* the value in the body: of a JSON string */
	size_t model_len;	/* with its quotes; of a form field without;
				   0: the body has none */
	bool model_is_json;	/* quote it when it is replaced */
	bool stream;
	/* Where stream_options.include_usage can be put in: the offset of an
	 * insertion point, and whether stream_options is there already. */
	bool asks_usage;	/* client asked for the usage chunk itself */
	size_t stream_options_offset;	/* raw value's span, len 0: absent */
	size_t stream_options_len;
	size_t object_end_offset;	/* of the closing '}' of the body */

	uint64_t input_tokens;	/* estimate (estimate.h) */
	uint64_t max_output_tokens;	/* as asked; 0: not given */
	uint64_t choices;	/* n, at least 1 */
	uint64_t characters;	/* of `input` (speech), else 0 */
	unsigned needs;		/* enum call_needs */
	bool thinking;		/* it asks for reasoning */
	bool header_local;	/* X-Tailgate-Place: local */
	enum own_key own_key;	/* of the client; kept like header_local */
	/* The values of the headers that rules look at, by config.ruled;
	 * NULL: not there.  Not overwritten, like header_local. */
	const char *ruled[CONFIG_RULED_MAX];
	const char *session_said;	/* by the body, or NULL */
	const char *session;	/* its digest (session.h), or NULL: none */
	unsigned remote;	/* media by URL, enum remote (remote.h) */
	size_t sent_offset, sent_len;	/* what of the body is sent */
	/* What is sent beside it (policy/passing.h), to be searched. */
	const struct span *beside;
	size_t nbeside;
	/* The pattern that made it private, "scan limit" if the bound was
	 * reached before the end, NULL if it is not private. */
	const char *private_rule;
};

/* Measures a JSON body.  call->header_local, own_key and beside are kept, all
 * else overwritten.  On a refusal fills *refused and returns -1.  stream
 * defaults to false; a `model` that is missing, repeated, escaped, longer than
 * 256 bytes, not a string, or has an invisible character is refused.  So are a
 * repeated member that decides about the call, a key that only looks like
 * one, and a member that names a second model (policy/member.h).  At an
 * ENDPOINT_OWNED row a call may have no model: call->model is NULL then,
 * until owner_find(). */
int call_parse_json(const struct config *, const struct patterns *,
    enum endpoint, struct span body, struct arena *, struct call *,
    struct refused *);

/* How many images it asks for; 0: its endpoint makes none. */
static inline uint64_t
call_images(const struct call *call)
{
	return endpoint_spec(call->endpoint)->flags & ENDPOINT_IMAGES_OUT
	    ? call->choices
	    : 0;
}

/* The same from a form's parts (wire/multipart found them). */
#define CALL_PARTS_MAX 64
struct call_part {
	struct span name;
	struct span file_name;	/* p NULL: none */
	bool file;		/* has a file name, perhaps an empty one */
	struct span headers;	/* all lines */
	struct span content;
	size_t offset;		/* of content in the body */
};
struct call_form {
	struct call_part parts[CALL_PARTS_MAX];
	size_t nparts;
	bool more_parts;	/* than that: refused */
	size_t file_bytes;
	size_t sent_offset, sent_len;	/* first to last boundary: no preamble
					   and no epilogue is sent */
};
/* Records one part of a form as it is scanned. */
void call_form_take(struct call_form *, const struct call_part *);
int call_parse_form(const struct config *, const struct patterns *,
    enum endpoint, const struct call_form *, struct arena *, struct call *,
    struct refused *);

/* The same of a request without a body: the model and the stream flag are
 * parameters of the query (NULL: none), all of which is searched. */
int call_parse_bare(const struct config *, const struct patterns *,
    enum endpoint, const char *query, struct arena *, struct call *,
    struct refused *);

#endif

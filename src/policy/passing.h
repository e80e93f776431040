/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What is sent upstream beside a request's body: one list, which is searched
 * for private patterns and then sent.  What is not on the list is not sent.
 */
#ifndef POLICY_PASSING_H
#define POLICY_PASSING_H

#include <stddef.h>

#include "base/arena.h"
#include "base/span.h"
#include "policy/call.h"
#include "policy/trace.h"

/* Headers of the client's. */
struct passing_header {
	const char *name;
	const char *param; /* as CGI calls it */
	bool with_own_key; /* to a provider that its clients sign in to, and
			    * across bridges; otherwise to all that speak
			    * the API */
};
#define PASSING_HEADERS 5
extern const struct passing_header passing_headers[PASSING_HEADERS];

#define PASSING_TEXTS (PASSING_HEADERS + 4)
struct passing {
	const char *values[PASSING_HEADERS]; /* NULL: not sent */
	struct span boundary; /* of a form, p NULL: none */
	const char *trace; /* traceparent, NULL: none */
	const char *query; /* NULL: none */
	struct span texts[PASSING_TEXTS]; /* all that is to be searched */
	size_t ntexts;
};

/* A header of passing_headers, by its number; only visible ASCII of at most
 * 512 bytes is sent.  The value is kept by reference. */
void passing_take(struct passing *, size_t header, const char *value);
/* A client's traceparent (NULL: none) as it is handed on, with our span
 * (trace.h); one that is none is not sent. */
void passing_take_trace(struct passing *, const char *value,
    const unsigned char span[TRACE_SPAN_BYTES], struct arena *);
/* The gateways that a request went through (hop.h), as the last of them wrote
 * them (NULL: none). */
void passing_take_hops(struct passing *, const char *list);
/* The boundary of a form: it is sent in Content-Type and in the body. */
void passing_boundary(struct passing *, struct span boundary);
/* The id in the path of something that a provider keeps: -1, and *refused,
 * if it is not of the form that providers give (letters, digits, '-' and
 * '_'). */
int passing_id(struct passing *, struct span id, struct refused *);
/* The Content-Type to send. */
const char *passing_type(const struct passing *, struct arena *);

/* The query: known parameters of the endpoint pass if their values are known
 * or can only be a number, a word or an id; others are left out.
 * (call_parse_bare() has searched the ids.)  A parameter that names a model,
 * a prompt or the stream flag is refused (-1), unless it agrees with the
 * call. */
int passing_take_query(struct passing *, const char *query,
    const struct call *, struct arena *, struct refused *);

#endif

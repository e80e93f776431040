/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How a whole JSON response says that it has failed, even if it has a result:
 * read as its bytes come, in any pieces, so that a response too large to be
 * held is judged like any other.
 *
 * 	chat, completions: a choice's finish_reason that is a failure
 * 	Responses: `status` failed or cancelled; incomplete for a reason that is
 * 		a failure
 * 	all three, and Messages: an `error` that says something, "type":"error"
 */
#ifndef SERVE_ENDING_H
#define SERVE_ENDING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "config/endpoint.h"

#define ENDING_WORD 96 /* longer than any word that matters */

struct ending { /* all zero to begin with, but for the endpoint */
	enum endpoint endpoint;
	bool failed;

	enum {
		ENDING_VALUE, /* outside of strings */
		ENDING_STRING,
		ENDING_ESCAPE,
		ENDING_AFTER, /* a string has ended: is it a key? */
	} state;
	unsigned depth;
	char word[ENDING_WORD]; /* the last string, its beginning */
	size_t len;
	bool value; /* a colon came before it */
	enum {
		ENDING_OTHER,
		ENDING_CHOICES,
		ENDING_STATUS,
		ENDING_TYPE,
		ENDING_ERROR,
		ENDING_DETAILS,
	} member; /* of the document, whose value this is */
	bool reason; /* the value of a choice's finish_reason, or of `reason`
			in incomplete_details */
};

/* Does nothing for an endpoint whose responses have no such members. */
void ending_push(struct ending *, struct span bytes);
/* The same for a whole text. */
bool ending_failed(enum endpoint, struct span json);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Whose fault a provider's error is, by its status and its words.
 *
 * Providers say the same thing in many ways: "the prompt is too long" with
 * 400, 413, 422, 429 or 500, "you are out of credit" with 400, 402, 403 or
 * 429. All known wordings are in one table (wording.c), and
 * tests/unit/blame_test.c has a row for each.  Only an error's own words are
 * looked at (message, code, type, ...), and nothing in them that is quoted:
 * that comes from the request and could be made to look like anything.
 */
#ifndef POLICY_BLAME_H
#define POLICY_BLAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum blame {
	BLAME_PROVIDER, /* it failed: 5xx, 529 */
	BLAME_REQUEST, /* the request itself, whatever the status */
	BLAME_LENGTH, /* it is too long for this model */
	BLAME_KEY, /* the gateway's own key is missing or wrong */
	BLAME_ACCOUNT, /* the gateway's account: credit, quota, a key's limit */
	BLAME_RATE, /* too many for now: 429 */
	BLAME_RATE_ALL, /* too many of all models together, as the words say */
	BLAME_MODEL, /* the provider does not have this model */
	BLAME_LOADING, /* it is loading this model */
	BLAME_TIME, /* it gave up: 408, 504 */
	BLAME_REFUSED, /* it does not serve this: 404, 405, 451 */
	BLAME_CONFLICT, /* once more may help: 409, 425; and an unexplained
			   403 */
};

/* What is known of one error. */
struct blamed {
	enum blame blame;
	/* BLAME_LENGTH: how long it was and what is allowed, in tokens, as
	 * far as the words say; else 0. */
	uint64_t tokens, limit;
};

/* status 400..599, or 0 if nothing says which; anything else counts as 500. */
struct blamed blame_of(int status, struct span body);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how each condition of a rule is compared with a call.  The plan checks
 * it for each target, after the place.
 */
#include "config.h"

#include <fnmatch.h>
#include <inttypes.h>

#include "policy/when.h"

/* A longer value matches nothing. */
#define VALUE_MAX 512

static const char *
not_of_kind(enum tri wanted, bool is, const char *what, struct arena *arena)
{
	if (wanted == TRI_UNSET || (wanted == TRI_YES) == is)
		return NULL;
	return arena_printf(arena, "it is for requests %s %s",
	    wanted == TRI_YES ? "with" : "without", what);
}

static const char *
not_the_header(
    const struct when *when, const struct call *call, struct arena *arena)
{
	const char *value;

	if (when->header.name == NULL)
		return NULL;
	value = call->ruled[when->header.index];
	if (value != NULL && strlen(value) <= VALUE_MAX &&
	    fnmatch(when->header.value, value, 0) == 0)
		return NULL;
	return arena_printf(arena, "it is for requests with %s: %s",
	    when->header.name, when->header.value);
}

const char *
when_not(const struct when *when, const struct call *call, struct arena *arena)
{
	const char *why;

	if (!when->set)
		return NULL;
	if (when->max_tokens_in != 0 &&
	    call->input_tokens > when->max_tokens_in)
		return arena_printf(arena,
		    "it is for requests of up to %" PRIu64
		    " tokens in, not %" PRIu64,
		    when->max_tokens_in, call->input_tokens);
	if (when->endpoints != 0 &&
	    !(when->endpoints & ENDPOINT_BIT(call->endpoint)))
		return arena_printf(arena, "it is not for the endpoint %s",
		    endpoint_spec(call->endpoint)->name);
	if ((why = not_of_kind(when->images, call->needs & CALL_IMAGES,
		 "images", arena)) != NULL ||
	    (why = not_of_kind(when->tools, call->needs & CALL_TOOLS, "tools",
		 arena)) != NULL ||
	    (why = not_of_kind(
		 when->thinking, call->thinking, "thinking", arena)) != NULL)
		return why;
	return not_the_header(when, call, arena);
}

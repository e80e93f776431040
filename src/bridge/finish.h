/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What the `finish_reason` of a chat completion means.
 *
 * The API knows five reasons; servers and providers have dozens of their own.
 * A table holds the words for success.  Other reasons are told apart by what
 * they mention: moderation, or a limit of length.  Everything else is a
 * failure, because only a known reason says that the model came to its end.
 */
#ifndef BRIDGE_FINISH_H
#define BRIDGE_FINISH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

enum finish {
	FINISH_NONE, /* not said (yet) */
	FINISH_STOP,
	FINISH_CALLS,
	FINISH_LENGTH, /* max_tokens, or the context is full */
	FINISH_FILTER, /* moderation */
	FINISH_FAILED,
};

/* Of the reason's text, in either case.  NONE: it is empty. */
enum finish finish_of(struct span reason);

/* Does a choice of this chunk (or whole completion, of chat or text) end with
 * a failure?  False if it is not JSON. */
bool finish_failed(struct span json);

/* The same of a whole response that is too large to be held: it is fed the
 * bytes in whatever pieces they come. */
#define FINISH_SCAN_BYTES 64

struct finish_scan { /* all zero to begin with */
	bool failed;
	enum { FINISH_KEY, FINISH_COLON, FINISH_REASON } state;
	size_t matched; /* of the key */
	char reason[FINISH_SCAN_BYTES];
	size_t len;
};

void finish_scan_push(struct finish_scan *, struct span bytes);

#endif

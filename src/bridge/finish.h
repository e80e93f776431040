/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What the `finish_reason` of a chat completion means.
 *
 * The API knows five reasons; servers and providers have dozens of their own.
 * A table has the words for success.  Other reasons are classified by their
 * words: moderation, or a limit of length.  Everything else is a failure,
 * because only a known reason says that the model has finished.
 */
#ifndef BRIDGE_FINISH_H
#define BRIDGE_FINISH_H

#include "base/span.h"

enum finish {
	FINISH_NONE, /* not said (yet) */
	FINISH_STOP,
	FINISH_CALLS,
	FINISH_LENGTH, /* max_tokens, or the context is full */
	FINISH_FILTER, /* moderation */
	FINISH_FAILED,
};

/* Of the reason's text, in either case, with any separators.  NONE: it is
 * empty, or says that there is none. */
enum finish finish_of(struct span reason);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What a response says, whichever API it is of and whether it was streamed:
 * its text, its tool calls, its tokens.
 */
#ifndef CTL_REPLAY_READ_H
#define CTL_REPLAY_READ_H

#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

struct replayed {
	struct buf text; /* of the first choice */
	struct buf calls; /* "name {arguments}", a line each */
	struct buf error; /* its message */
	unsigned ncalls;
	int64_t in, out; /* tokens; -1: not told */
};

/* body: JSON, or a stream of events; anything else says nothing. */
void replayed_read(struct replayed *, struct span body);
void replayed_free(struct replayed *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The billing line that Claude Code begins its system prompt with:
 *
 * 	x-anthropic-billing-header: cc_version=…; cc_entrypoint=…; cch=…;
 *
 * It is for Anthropic only and not an instruction.  It changes from request to
 * request or from conversation to conversation, so a local server's prompt
 * cache never matches.
 */
#ifndef BRIDGE_ATTRIBUTION_H
#define BRIDGE_ATTRIBUTION_H

#include <stdbool.h>

#include "base/span.h"

#define ATTRIBUTION_NAME "x-anthropic-billing-header"

/* How much of a system text is that line and the line feeds after it, in
 * bytes of the inside of its JSON string; 0: it does not begin with one. */
size_t attribution_length(struct span inside);

/* What to cut out of a Messages body (which jscan() has accepted) to have it
 * without that line: bytes of the body; p NULL: there is none.  A text that
 * consists only of it is cut as a whole. */
struct span attribution_find(struct span body);

#endif

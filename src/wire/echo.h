/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The embedded provider: kind = "echo".  It serves chat, completions and
 * embeddings from the request alone, in OpenAI's shapes, with its own token
 * counts (one for each word or mark), so that a new gateway has a provider on
 * any machine.
 */
#ifndef WIRE_ECHO_H
#define WIRE_ECHO_H

#include "base/memory.h"
#include "base/span.h"
#include "config/endpoint.h"
#include "wire/upstream.h"

/* Feeds the sink as upstream_send would.  body: the request as an upstream
 * would get it, which has passed jscan().  Calls the watch between the
 * chunks.  Its memory is charged to the hold. */
void echo_send(enum endpoint, const char *model, struct span body,
    const struct watch *, const struct upstream_sink *, struct memory_hold *,
    struct upstream_report *);

#endif

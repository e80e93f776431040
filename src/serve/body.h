/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The body as an upstream gets it: the client's bytes with the model's name
 * replaced in place, a form without its preamble and epilogue, and nothing else
 * changed (except stream_options, if the target has usage = "ask", and Claude
 * Code's billing line on its way to a local server: bridge/attribution.h).
 */
#ifndef SERVE_BODY_H
#define SERVE_BODY_H

#include <stdbool.h>

#include "base/arena.h"
#include "policy/call.h"
#include "wire/upstream.h"

/* Fills parts[] and nparts.  cut: bytes of the body to leave out (p NULL:
 * none).  ask_usage: put include_usage in; *withhold: the client must not
 * see the extra chunk. */
void body_make(struct span body, const struct call *, const char *model,
    bool ask_usage, struct span cut, struct arena *, struct upstream_request *,
    bool *withhold);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A whole response as the event stream that the client asked for.
 *
 * Some upstreams answer `"stream": true` with one JSON object: the generation
 * is paid for, and a client that reads events would see nothing of it.  Its
 * parts are carried as they are written; only the events around them are ours.
 */
#ifndef SERVE_RESTREAM_H
#define SERVE_RESTREAM_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"
#include "config/endpoint.h"

/* Is there such a form for this API? */
bool restream_can(enum endpoint);

/* Adds the events to out.  drop_usage: the client of a chat stream did not
 * ask for it.  -1: the text is not a whole response of this API; out is then
 * useless. */
int
restream(enum endpoint, struct span response, bool drop_usage, struct buf *out);

#endif

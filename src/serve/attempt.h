/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Carries out the plan: candidate after candidate, until one succeeds or no
 * permission is left.
 */
#ifndef SERVE_ATTEMPT_H
#define SERVE_ATTEMPT_H

#include "serve/request.h"

/* Sends the request to the targets of r->plan and relays the response.
 * False: refused, with r->refused. */
bool attempt_serve(struct request *);

/* Asks the candidate's server, which can count (provider->counts), how many
 * tokens of input the request would be for it.  False: it is not known, within
 * this time (as clock_now_ms()), and then the server is left alone for some
 * minutes. */
bool attempt_count(struct request *, const struct candidate *,
    int64_t until_ms, uint64_t *tokens);

#endif

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

#endif

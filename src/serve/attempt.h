/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The plan, carried out: candidate after candidate, until one answers or no
 * permission is left.
 */
#ifndef SERVE_ATTEMPT_H
#define SERVE_ATTEMPT_H

#include "serve/request.h"

/* Sends the request where r->plan says and relays the response.  False:
 * refused, with r->refused. */
bool attempt_serve(struct request *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Responses that need no upstream: the lists of models, its health, status,
 * usage and metrics.
 */
#ifndef SERVE_ABOUT_H
#define SERVE_ABOUT_H

#include "serve/request.h"

/* Serves an endpoint that has no upstream.  False: refused. */
bool about_serve(struct request *);

#endif

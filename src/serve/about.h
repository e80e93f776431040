/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What the gateway answers from its own knowledge: the lists of models, its
 * health, status, usage and metrics.
 */
#ifndef SERVE_ABOUT_H
#define SERVE_ABOUT_H

#include "serve/request.h"

/* Answers an endpoint that has no upstream.  False: refused. */
bool about_serve(struct request *);

#endif

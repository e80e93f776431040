/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Between the files answer*.c only.
 */
#ifndef SERVE_ANSWER_INTERNAL_H
#define SERVE_ANSWER_INTERNAL_H

#include "serve/answer.h"

/* Writes to the web server.  -1: the client has gone. */
int answer_put(struct answer *, const void *, size_t len);
/* Begins an event stream before there is anything to say. */
int answer_early_head(struct answer *);

#endif

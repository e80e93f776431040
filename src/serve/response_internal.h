/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Between the files response*.c only.
 */
#ifndef SERVE_ANSWER_INTERNAL_H
#define SERVE_ANSWER_INTERNAL_H

#include "serve/response.h"

/* Writes to the web server.  -1: the client has gone. */
int response_put(struct response *, const void *, size_t len);
/* Begins an event stream before there is anything to send. */
int response_early_head(struct response *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Between request.c and request_body.c only.
 */
#ifndef SERVE_REQUEST_INTERNAL_H
#define SERVE_REQUEST_INTERNAL_H

#include "serve/request.h"

/* Refuses with a message of its own; always false, for `return`. */
bool request_refuse_as(struct request *, enum refusal, const char *message);

/* Reads the body into r->spool.  False: refused. */
bool request_read(struct request *);
/* Measures it as r->call, with what is sent beside it.  False: refused. */
bool request_parse(struct request *);
/* Reads on and discards, before a refusal: a web server that is still
 * writing the body would not read the refusal. */
void request_drain(struct request *);

#endif

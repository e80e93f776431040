/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The record of one exchange, while its client is being recorded (`tailgate
 * capture`, state/recording.h).  The only place where the content of a request
 * or a response is written to a file: mode 0600, in runtime_dir/capture.
 *
 * The file is one line of JSON (about the exchange, with the lengths of its
 * parts), the request's body, a line end, the response's body, a line end.
 * Bodies are as the client sent and got them, except that stars cover the
 * providers' keys, the client's own keys and every text that looks like a key
 * of this gateway, one star for each byte.  Header fields that hold keys are
 * not in the file at all.
 */
#ifndef SERVE_RECORD_H
#define SERVE_RECORD_H

#include "serve/request.h"

#define RECORD_FIELD "x-tailgate-recording"

/* Called when the client is known.  Says in the response that the exchange is
 * recorded, and begins a record of what goes to a provider. */
void record_begin(struct request *);
/* The response is complete: copies what the request's parameters hold. */
void record_keep(struct request *);
/* The request has ended: writes the file and frees the record; NULL is
 * nothing. */
void record_end(struct request *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The record of one exchange, while its client is being recorded (`tailgate
 * capture`, state/recording.h).  The only place where the content of a request
 * or a response is written to a file: mode 0600, in runtime_dir/capture.
 *
 * The file is one line of JSON (what it was, and how long its parts are), the
 * request's body, a line end, the response's body, a line end.  Bodies are as
 * they came and went, but the providers' keys, the client's own and every key
 * that looks like one of this gateway's are covered, by as many stars.  Fields
 * that hold keys are not in it at all.
 */
#ifndef SERVE_RECORD_H
#define SERVE_RECORD_H

#include "serve/request.h"

#define RECORD_FIELD "x-tailgate-recording"

/* After the client is known: says in the response that it is recorded, and
 * begins a record of what goes to a provider. */
void record_begin(struct request *);
/* The response is complete: copies what the request's parameters hold. */
void record_keep(struct request *);
/* The request has ended: writes the file and frees the record; NULL is
 * nothing. */
void record_end(struct request *);

#endif

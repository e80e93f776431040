/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * FastCGI, on connections that do not block.
 */
#ifndef WIRE_FCGI_H
#define WIRE_FCGI_H

#include "wire/io.h"

struct fcgi;

/* One per connection at a time, used again for the next. */
struct fcgi *fcgi_new(void);
void fcgi_free(struct fcgi *);

/* Takes over the connected socket and reads the request's head.  NULL if it
 * was not a FastCGI request (the socket is closed then). */
struct io *fcgi_begin(struct fcgi *, int fd);
/* Ends the response and closes the connection.  cut: the response is not whole;
 * the connection is dropped without FastCGI's end record, so that the web
 * server cuts its client off too instead of ending as if all was well. */
void fcgi_end(struct fcgi *, bool cut);

#endif

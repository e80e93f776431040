/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * FastCGI by libfcgi, on connections that we accept ourselves (FACTS: no
 * signal can then lose a request).
 */
#ifndef WIRE_FCGI_H
#define WIRE_FCGI_H

#include "wire/io.h"

struct fcgi;

/* Once per process, before threads. */
int fcgi_init(void);

/* One per thread, used again for each connection. */
struct fcgi *fcgi_new(void);
void fcgi_free(struct fcgi *);

/* Takes over the connected socket and reads the request's head.  NULL when
 * what came was no FastCGI request (the socket is closed then). */
struct io *fcgi_begin(struct fcgi *, int fd);
/* Ends the answer and closes the connection.  cut: the answer is not whole;
 * the connection is dropped without FastCGI's end record, so that the web
 * server cuts its client off too instead of ending as if all was well. */
void fcgi_end(struct fcgi *, bool cut);

#endif

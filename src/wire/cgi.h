/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Plain CGI (RFC 3875): one request per process, its parameters in the
 * environment, its body on descriptor 0, the response on descriptor 1.
 */
#ifndef WIRE_CGI_H
#define WIRE_CGI_H

#include "wire/io.h"

/* The process's one request.  Ignores SIGPIPE from then on.  What is written
 * is gathered until io_flush(); call that at the end. */
struct io *cgi_begin(void);

#endif

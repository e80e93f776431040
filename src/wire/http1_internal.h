/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Shared by http1.c (the framing) and http1_head.c (the heads).
 */
#ifndef WIRE_HTTP1_INTERNAL_H
#define WIRE_HTTP1_INTERNAL_H

#include "wire/http1.h"

/* Records the error; returns HTTP1_BAD. */
enum http1_result http1_bad(struct http1 *, const char *error);
/* Reads the head that was kept, whole with its blank line: passes it to the
 * sink, unless it is a 1xx, and decides how the body is framed. */
enum http1_result http1_read_head(struct http1 *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The request's place in a distributed trace: the header traceparent of W3C
 * Trace Context (https://www.w3.org/TR/trace-context/, level 1).
 */
#ifndef POLICY_TRACE_H
#define POLICY_TRACE_H

#include <stdbool.h>

#define TRACE_SPAN_BYTES 8
#define TRACE_SIZE 56 /* "00-32 digits-16 digits-2 digits" and its end */

/* Reads a client's traceparent (NULL: there is none) strictly, and writes the
 * one that is handed on: the same trace and flags, our own span.  False: it is
 * none, and no trace goes on. */
bool trace_parse(const char *value, const unsigned char span[TRACE_SPAN_BYTES],
    char out[TRACE_SIZE]);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
#ifndef WIRE_CONNECTOR_INTERNAL_H
#define WIRE_CONNECTOR_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include <curl/curl.h>

/* More than curl and OpenSSL ask for while they connect, so that those who
 * have a connection keep the reserve (memory.h). */
#define CONNECT_BYTES ((size_t)512 * 1024)

/* Starts libcurl, once, with memory as memory_try() gives it.  -1: it does
 * not. */
int connector_init_curl(void);

/* Does this errno mean that the process or the system has no more? */
bool connector_is_exhaustion(int error);
/* Was a name not found, the host's or its proxy's? */
bool connector_is_unresolved(CURLcode);
/* Did the transfer fail with code and error for lack of something of our
 * own? */
bool connector_lacks(CURL *, CURLcode, const char *error);

#endif

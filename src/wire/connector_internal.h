/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
#ifndef WIRE_CONNECTOR_INTERNAL_H
#define WIRE_CONNECTOR_INTERNAL_H

/* Starts libcurl, with memory as memory_try() gives it.  -1: it does not. */
int connector_init_curl(void);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The listening socket: handed over, or made by us.
 */
#ifndef SERVE_LISTENER_H
#define SERVE_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

/* In this order: LISTEN_FDS (systemd), descriptor 0 if it is a listening
 * socket (lighttpd's bin-path, spawn-fcgi), else path.  -1: one line in why.
 * *made: path is ours to remove at the end. */
int listener_open(const char *path, bool *made, char *why, size_t size);

/* Is descriptor 0 no socket at all?  (Plain CGI.) */
bool listener_is_cgi(void);

#endif

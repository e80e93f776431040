/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Messages to the service manager (sd_notify(3)'s protocol, without its
 * library: a datagram of lines to the socket in NOTIFY_SOCKET).  Without that
 * variable nothing happens.  There is no response, so no failure matters.
 */
#ifndef SERVE_NOTIFY_H
#define SERVE_NOTIFY_H

/* Serving, for the first time or again after notify_reloading(). */
void notify_ready(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void notify_reloading(void);
void notify_stopping(void);

#endif

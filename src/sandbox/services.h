/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How this host looks addresses up.  Most hosts ask name servers and nothing
 * else.  Some ask services of their own (nscd, Avahi, systemd-resolved and the
 * like), which listen on socket files, or load libraries for that.  On other
 * hosts, no process of ours needs such a socket, or maps a file to run it.
 */
#ifndef SANDBOX_SERVICES_H
#define SANDBOX_SERVICES_H

#include <stdbool.h>
#include <stdio.h>

struct services {
	bool sockets, libraries; /* needed */
};

/* Where such services listen; the last is NULL. */
extern const char *const services_dirs[];

/* Of the host, as it is now. */
struct services services_find(void);
/* By the text of an nsswitch.conf(5). */
struct services services_read(FILE *nsswitch);

#endif

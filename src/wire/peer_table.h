/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The kernel's table of TCP connections on this host.
 *
 * Linux gives it to everybody, without privileges, over netlink (sock_diag(7),
 * what ss(8) reads), FreeBSD by sysctl(3) (peer_table_freebsd.c).  OpenBSD's
 * kern.file has it too, but a process that has called pledge(2) may not read
 * that whatever it promised (pledge_sysctl() of kern_pledge.c), and a worker
 * without pledge would be a bad exchange: there, and elsewhere,
 * peer_table_open() fails with ENOTSUP.
 */
#ifndef WIRE_PEER_TABLE_H
#define WIRE_PEER_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/net.h"

/* Questions in one system call.  Of more the responses overflow the socket;
 * measured: 1.5 us for one alone, 0.9 us each for 32. */
#define PEER_TABLE_BATCH 32
#define PEER_TABLE_ANYBODY ((uid_t)-1)

struct peer_end {
	struct net net; /* one address */
	uint16_t port; /* 0: not known */
};

enum peer_state {
	PEER_UNKNOWN, /* the kernel could not be asked */
	PEER_ABSENT, /* there is no such connection here */
	PEER_OPEN,
	PEER_CLOSED, /* one side at least has closed it */
};

/* One connection, by its two ends; the rest is the response. */
struct peer_ask {
	struct peer_end here, there;
	unsigned scope; /* interface of a link-local address, or 0 */
	enum peer_state state;
	uint64_t cookie; /* the kernel's name for the socket */
	uid_t uid; /* whose socket it is */
};

/* A descriptor, or -1 with errno.  It does not block. */
int peer_table_open(void);

/* Looks n connections up, PEER_TABLE_BATCH at most. */
void peer_table_ask(int fd, struct peer_ask *, size_t n);

/* Reads the whole table once for connections of which only `there` is known,
 * and whose socket is uid's.  If exactly one matches, `here` is filled in,
 * with state, cookie and uid; otherwise state is PEER_ABSENT. */
void peer_table_find(int fd, struct peer_ask *, size_t n, uid_t uid);

#endif

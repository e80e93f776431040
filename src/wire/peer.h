/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Is a request's client still there?  Web servers often don't say; the kernel
 * knows, if the client's TCP connection ends on this host.
 *
 * A connection is named by REMOTE_ADDR, REMOTE_PORT, SERVER_ADDR and
 * SERVER_PORT.  A web server that does not pass SERVER_ADDR (Caddy) is
 * identified by its user instead, from its unix socket to us: the connection is
 * the one socket of that user whose other end is REMOTE_ADDR:REMOTE_PORT.
 *
 * The client has gone when the connection is half closed, by either side, and
 * when it has vanished after it was seen.  A connection that was never seen
 * (the web server runs on another host or in another network namespace, or a
 * proxy gave REMOTE_ADDR) is unknown, and then nothing follows.
 *
 * One task of a process checks all connections every PEER_PERIOD_MS, in
 * batches; so a client that leaves is noticed within PEER_PERIOD_MS plus the
 * short time of the check.  It wakes the request that waits: the web server's
 * socket reads as ended from then on.  Without a loop (CGI) peer_gone() checks
 * itself.
 */
#ifndef WIRE_PEER_H
#define WIRE_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "wire/io.h"
#include "wire/peer_table.h"

#define PEER_PERIOD_MS 900

struct peer_board; /* of a process */

/* One request's connection; all zero is none.  The fields are the board's. */
struct peer_link {
	struct peer_board *board;
	struct peer_end here, there;
	unsigned scope;
	int fd;
	uid_t uid; /* the web server's, or PEER_TABLE_ANYBODY */
	uint64_t cookie;
	unsigned round; /* when it was looked at last */
	unsigned tried; /* when it was tried with the ends that are known */
	size_t place; /* among those that are sought now; + 1, 0 is none */
	unsigned sought; /* in which round; 0 is none */
	bool begun, seen;
	bool listed; /* the board takes it off */
	bool gone;
	TAILQ_ENTRY(peer_link) entry;
};

struct peer_board *peer_board_new(void);
/* Ends it. */
void peer_board_free(struct peer_board *);

/* True once the client has gone.  The first call begins the checks: make it
 * when a request begins to wait.  board NULL: never true. */
bool peer_gone(struct peer_link *, struct peer_board *, struct io *);
/* The same, but asks the kernel now. */
bool peer_look(struct peer_link *, struct peer_board *, struct io *);
/* Before the io ends. */
void peer_end(struct peer_link *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Between peer.c and peer_find.c only.
 */
#ifndef WIRE_PEER_INTERNAL_H
#define WIRE_PEER_INTERNAL_H

#include "base/task.h"
#include "wire/peer.h"

/* Ends of the web server's that were found: they are tried first. */
#define PEER_KNOWN 4
/* The whole table is read at most this often; after each time in vain half
 * as often, down to once a minute.  In vain means that a request goes on
 * whose connection was not in it; one that has ended since does not count. */
#define PEER_FIND_MS PEER_PERIOD_MS

TAILQ_HEAD(peers, peer_link);

struct peer_board {
	int table_fd; /* -1: not to be had */
	int find_fd; /* the same for another thread */
	bool started; /* a task that looks */
	struct task *task; /* NULL: it has not begun */
	struct peers peers; /* looked at longest ago first */
	unsigned round;
	struct peer_end known[PEER_KNOWN];
	unsigned nknown, next_known, nremembered;
	unsigned find_round; /* the table was read last; 0: that is judged */
	int64_t read_ms, find_every_ms;
};

/* The question to the kernel about the link. */
struct peer_ask peer_ask_of(const struct peer_link *);
/* The kernel's reply. */
void
peer_note(struct peer_board *, struct peer_link *, const struct peer_ask *);
/* Is its other end known? */
bool peer_is_named(const struct peer_link *);
/* Looks for it at the web server's ends that were found before. */
void peer_try_known(struct peer_board *, struct peer_link *);
/* Seeks those that are not, if it is time to; others run meanwhile. */
void peer_find(struct peer_board *, int64_t now_ms);

#endif

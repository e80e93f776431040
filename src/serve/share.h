/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How the requests that a pool can hold are divided among its clients.
 *
 * A pool holds processes x requests requests.  A few of them are a reserve for
 * what needs no upstream (models, health, metrics, status) and for refusing.
 * Another eighth is kept for clients that hold only a few (a 128th of the
 * pool, one at least).  Of the rest a client may hold seven times as many as
 * it leaves free: alone seven eighths, two at once seven fifteenths each, and
 * so on; the next client finds room.  Requests that wait for a slot are
 * counted apart: all of them may take half of the pool, a client seven times
 * what it leaves of that.
 *
 * A pool of fewer than SHARE_POOL_MIN requests is too small to be divided.
 *
 * A worker's memory is divided in the same way (base/memory.h).
 *
 * The counts are in memory that the workers of a generation share; each writes
 * its own, and the parent clears those of a dead one.
 */
#ifndef SERVE_SHARE_H
#define SERVE_SHARE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"
#include "config/settings.h"
#include "policy/refusal.h"

#define SHARE_WORKERS_MAX 64
#define SHARE_POOL_MIN 8

enum share_kind {
	SHARE_RUN, /* goes to a provider */
	SHARE_WAIT, /* and waits for a slot */
	SHARE_OWN, /* needs no upstream */
	SHARE_KINDS
};

struct share_board; /* of a generation */

/* Before fork.  NULL with errno: out of memory. */
struct share_board *share_board_new(const struct config *);
void share_board_free(struct share_board *);
/* Worker index has died: frees what it held. */
void share_board_clear(struct share_board *, unsigned index);
/* How many requests all workers can hold together. */
long share_board_capacity(const struct share_board *);

struct share; /* of one worker */

struct share *share_new(struct share_board *, unsigned index);
void share_free(struct share *);
/* Sets how many requests the worker can hold. */
void share_capacity(struct share *, unsigned requests);
/* A connection has been accepted (1), or is closed (-1). */
void share_busy(struct share *, int delta);

/* What one request holds; all zero is nothing. */
struct share_place {
	struct share *share;
	size_t client;
	enum share_kind kind;
	/* Its connection, which is to be closed, does not count as busy: else
	 * many that are refused at once would keep others out. */
	struct share *refused;
};

/* REFUSE_NONE, or why there is no room for it; it may try again.  client NULL:
 * unknown; all unknown clients have one share.  share NULL (CGI): there is
 * always room. */
enum refusal share_enter(struct share_place *, struct share *,
    const struct client *, enum share_kind);
/* A request that runs begins to wait for a slot, and runs again. */
enum refusal share_wait(struct share_place *);
void share_run(struct share_place *);
/* Is the pool so full that others want its place? */
bool share_wanted(const struct share_place *);
/* Before its connection is closed; a refused one, too. */
void share_leave(struct share_place *);

/* What the worker's memory for a client's requests is charged to (memory.h);
 * NULL if share is. */
struct memory_share *share_memory(struct share *, const struct client *);

#endif

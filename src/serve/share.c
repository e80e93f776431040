/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how shares are counted and compared.  A step of a request's way between
 * "identify" and "read": no body is read for a client that has used up its
 * share.
 *
 * A request is counted before it is compared with the rest, so two that come
 * at the same time never both get the last place; at the edge both may be
 * refused.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/log.h"
#include "serve/share.h"

#define RESERVE_MAX 8
/* A client may hold this many times what it leaves free. */
#define FACTOR 7

struct share_board {
	size_t bytes;
	size_t nclients; /* and one more for unknown clients */
	unsigned nworkers;
	atomic_uint capacity[SHARE_WORKERS_MAX];
	atomic_uint busy[SHARE_WORKERS_MAX];
	atomic_uint waiting[SHARE_WORKERS_MAX];
	/* [worker][client][kind]; requests are 60000 at the most. */
	_Atomic uint16_t counts[];
};

struct share {
	struct share_board *board;
	unsigned index;
	struct memory_share memory[]; /* by client, as counts */
};

/* ---- the board -------------------------------------------------------- */

struct share_board *
share_board_new(const struct config *config)
{
	size_t cells = config->processes * (config->nclients + 1) * SHARE_KINDS;
	size_t bytes = sizeof(struct share_board) + cells * sizeof(uint16_t);
	struct share_board *b;

	b = mmap(
	    NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
	if (b == MAP_FAILED)
		return NULL;
	b->bytes = bytes;
	b->nclients = config->nclients;
	b->nworkers = config->processes;
	return b;
}

void
share_board_free(struct share_board *b)
{
	if (b != NULL)
		munmap(b, b->bytes);
}

static _Atomic uint16_t *
cell(struct share_board *b, unsigned worker, size_t client, unsigned kind)
{
	return &b->counts[(worker * (b->nclients + 1) + client) * SHARE_KINDS +
	    kind];
}

void
share_board_clear(struct share_board *b, unsigned index)
{
	_Atomic uint16_t *first = cell(b, index, 0, 0);

	atomic_store(&b->capacity[index], 0);
	atomic_store(&b->busy[index], 0);
	atomic_store(&b->waiting[index], 0);
	for (size_t i = 0; i < (b->nclients + 1) * SHARE_KINDS; i++)
		atomic_store(&first[i], 0);
}

/* ---- sums over the workers -------------------------------------------- */

static long
sum(const struct share_board *b, const atomic_uint *of)
{
	long n = 0;

	for (unsigned i = 0; i < b->nworkers; i++)
		n += (long)atomic_load(&of[i]);
	return n;
}

long
share_board_capacity(const struct share_board *b)
{
	return sum(b, b->capacity);
}

static long
sum_of(struct share_board *b, size_t client, enum share_kind kind)
{
	long n = 0;

	for (unsigned i = 0; i < b->nworkers; i++)
		n += atomic_load(cell(b, i, client, kind));
	return n;
}

/* ---- one worker ------------------------------------------------------- */

struct share *
share_new(struct share_board *board, unsigned index)
{
	struct share *s = calloc(
	    1, sizeof(*s) + (board->nclients + 1) * sizeof(s->memory[0]));

	if (s == NULL)
		fatal("out of memory");
	s->board = board;
	s->index = index;
	return s;
}

void
share_free(struct share *s)
{
	free(s);
}

void
share_capacity(struct share *s, unsigned requests)
{
	atomic_store(&s->board->capacity[s->index], requests);
}

void
share_busy(struct share *s, int delta)
{
	atomic_fetch_add(&s->board->busy[s->index], (unsigned)delta);
}

/* ---- requests --------------------------------------------------------- */

static void
count(struct share_place *h, int delta)
{
	struct share_board *b = h->share->board;
	unsigned index = h->share->index;

	atomic_fetch_add(cell(b, index, h->client, h->kind), (uint16_t)delta);
	if (h->kind == SHARE_WAIT)
		atomic_fetch_add(&b->waiting[index], (unsigned)delta);
}

static long
reserve_of(long pool)
{
	return pool / 8 < RESERVE_MAX ? pool / 8 : RESERVE_MAX;
}

/* The part kept for clients that hold only a few. */
static long
guard_of(long pool, long mine)
{
	long few = pool / 128 > 1 ? pool / 128 : 1;

	return mine > few ? pool / 8 : 0;
}

/* Is there room for what has just been counted? */
static enum refusal
judge(const struct share_place *h)
{
	struct share_board *b = h->share->board;
	long pool = sum(b, b->capacity), reserve = reserve_of(pool);
	long room = pool - sum(b, b->busy) - reserve;
	long mine = sum_of(b, h->client, h->kind);

	if (h->kind == SHARE_OWN)
		return room < 0 && mine > 1 && mine > reserve / 2
		    ? REFUSE_CLIENT_SHARE
		    : REFUSE_NONE;
	if (h->kind == SHARE_WAIT)
		room = (pool - reserve) / 2 - sum(b, b->waiting);
	if (pool < SHARE_POOL_MIN)
		return h->kind == SHARE_RUN && room < 0 ? REFUSE_OVERLOADED
							: REFUSE_NONE;
	if (room < 0)
		return h->kind == SHARE_WAIT ? REFUSE_CLIENT_SHARE
					     : REFUSE_OVERLOADED;
	if (h->kind == SHARE_RUN)
		room -= guard_of(pool, mine);
	return mine > 1 && mine > FACTOR * room ? REFUSE_CLIENT_SHARE
						: REFUSE_NONE;
}

static size_t
index_of(const struct share *share, const struct client *client)
{
	return client != NULL ? client->index : share->board->nclients;
}

struct memory_share *
share_memory(struct share *share, const struct client *client)
{
	return share == NULL ? NULL : &share->memory[index_of(share, client)];
}

enum refusal
share_enter(struct share_place *h, struct share *share,
    const struct client *client, enum share_kind kind)
{
	enum refusal refusal;

	share_leave(h);
	*h = (struct share_place){ .share = share, .kind = kind };
	if (share == NULL)
		return REFUSE_NONE;
	h->client = index_of(share, client);
	count(h, 1);
	refusal = judge(h);
	if (refusal != REFUSE_NONE) {
		share_leave(h);
		share_busy(share, -1);
		h->refused = share;
	}
	return refusal;
}

static enum refusal
become(struct share_place *h, enum share_kind kind)
{
	if (h->share == NULL)
		return REFUSE_NONE;
	count(h, -1);
	h->kind = kind;
	count(h, 1);
	return kind == SHARE_WAIT ? judge(h) : REFUSE_NONE;
}

enum refusal
share_wait(struct share_place *h)
{
	enum refusal refusal = become(h, SHARE_WAIT);

	if (refusal != REFUSE_NONE)
		share_run(h);
	return refusal;
}

void
share_run(struct share_place *h)
{
	become(h, SHARE_RUN);
}

bool
share_wanted(const struct share_place *h)
{
	const struct share_board *b;
	long pool;

	if (h->share == NULL)
		return false;
	b = h->share->board;
	pool = sum(b, b->capacity);
	return pool - sum(b, b->busy) < pool / 4;
}

void
share_leave(struct share_place *h)
{
	if (h->share != NULL)
		count(h, -1);
	if (h->refused != NULL)
		share_busy(h->refused, 1);
	h->share = h->refused = NULL;
}

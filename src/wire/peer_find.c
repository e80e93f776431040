/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Which of the web server's ends a connection belongs to: hides when the
 * table of all connections is read, and that few ends are tried first.
 */
#include "config.h"

#include <string.h>

#include "wire/peer_internal.h"

#define FIND_MAX_MS 64000

bool
peer_is_named(const struct peer_link *p)
{
	return p->here.port != 0;
}

void
peer_try_known(struct peer_board *b, struct peer_link *p)
{
	struct peer_ask asks[PEER_KNOWN];

	for (unsigned i = 0; i < b->nknown; i++) {
		asks[i] = peer_ask_of(p);
		asks[i].here = b->known[i];
	}
	if (b->nknown > 0)
		peer_table_ask(b->table_fd, asks, b->nknown);
	for (unsigned i = 0; i < b->nknown && !peer_is_named(p); i++) {
		if (asks[i].state != PEER_OPEN && asks[i].state != PEER_CLOSED)
			continue;
		if (asks[i].uid != p->uid)
			continue;
		p->here = asks[i].here;
		peer_note(b, p, &asks[i]);
	}
}

static void
remember(struct peer_board *b, const struct peer_end *here)
{
	for (unsigned i = 0; i < b->nknown; i++) {
		if (b->known[i].port == here->port &&
		    memcmp(b->known[i].net.addr, here->net.addr,
			sizeof(here->net.addr)) == 0)
			return;
	}
	b->known[b->next_known] = *here;
	b->next_known = (b->next_known + 1) % PEER_KNOWN;
	if (b->nknown < PEER_KNOWN)
		b->nknown++;
}

/* Reads the whole table for those whose other end is not known. */
static bool
find_batch(struct peer_board *b, struct peer_link **wanted, size_t n)
{
	struct peer_ask asks[PEER_TABLE_BATCH];
	bool found = false;

	for (size_t i = 0; i < n; i++) {
		wanted[i]->sought = true;
		asks[i] = peer_ask_of(wanted[i]);
	}
	peer_table_find(b->table_fd, asks, n, wanted[0]->uid);
	for (size_t i = 0; i < n; i++) {
		if (asks[i].state != PEER_OPEN && asks[i].state != PEER_CLOSED)
			continue;
		wanted[i]->here = asks[i].here;
		wanted[i]->scope = asks[i].scope;
		remember(b, &asks[i].here);
		peer_note(b, wanted[i], &asks[i]);
		found = true;
	}
	return found;
}

/* One batch of a user's. */
static size_t
collect_unnamed(struct peer_board *b, struct peer_link **wanted)
{
	struct peer_link *p;
	size_t n = 0;

	TAILQ_FOREACH (p, &b->peers, entry) {
		if (!peer_is_named(p) && !p->sought && n < PEER_TABLE_BATCH &&
		    (n == 0 || p->uid == wanted[0]->uid))
			wanted[n++] = p;
	}
	return n;
}

void
peer_find(struct peer_board *b, int64_t now_ms)
{
	struct peer_link *wanted[PEER_TABLE_BATCH], *p, *next;
	bool found;
	size_t n;

	if (now_ms < b->find_at_ms || (n = collect_unnamed(b, wanted)) == 0)
		return;
	found = find_batch(b, wanted, n);
	for (p = TAILQ_FIRST(&b->peers); found && p != NULL; p = next) {
		next = TAILQ_NEXT(p, entry);
		if (!peer_is_named(p))
			peer_try_known(b, p);
	}
	b->find_every_ms = found ? PEER_FIND_MS : 2 * b->find_every_ms;
	if (b->find_every_ms > FIND_MAX_MS)
		b->find_every_ms = FIND_MAX_MS;
	b->find_at_ms = now_ms + b->find_every_ms;
}

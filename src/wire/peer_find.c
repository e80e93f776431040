/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Which of the web server's ends a connection belongs to: hides when the table
 * of all connections is read, and that known ends are tried first.
 */
#include "config.h"

#include <string.h>

#include "base/task.h"
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

	p->tried = b->nremembered;
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
	b->nremembered++;
	b->known[b->next_known] = *here;
	b->next_known = (b->next_known + 1) % PEER_KNOWN;
	if (b->nknown < PEER_KNOWN)
		b->nknown++;
}

struct finding {
	int fd;
	uid_t uid; /* of all of them */
	struct peer_ask asks[PEER_TABLE_BATCH];
	size_t n;
};

/* One batch of a user's. */
static void
collect_unnamed(struct peer_board *b, struct finding *f)
{
	struct peer_link *p;

	TAILQ_FOREACH (p, &b->peers, entry) {
		if (peer_is_named(p) || p->sought != 0 ||
		    (f->n > 0 && p->uid != f->uid))
			continue;
		if (f->n == PEER_TABLE_BATCH)
			return;
		p->sought = b->round;
		f->uid = p->uid;
		f->asks[f->n++] = peer_ask_of(p);
		p->place = f->n;
	}
}

static void
read_table(void *ctx)
{
	struct finding *f = ctx;

	peer_table_find(f->fd, f->asks, f->n, f->uid);
}

/* Of those that are still there. */
static void
take_found(struct peer_board *b, const struct finding *f)
{
	struct peer_link *p, *next;

	for (p = TAILQ_FIRST(&b->peers); p != NULL; p = next) {
		const struct peer_ask *ask;

		next = TAILQ_NEXT(p, entry);
		if (p->place == 0)
			continue;
		ask = &f->asks[p->place - 1];
		p->place = 0;
		if (ask->state != PEER_OPEN && ask->state != PEER_CLOSED)
			continue;
		p->here = ask->here;
		p->scope = ask->scope;
		remember(b, &ask->here);
		b->find_every_ms = PEER_FIND_MS;
		peer_note(b, p, ask);
	}
}

/* A round later: a client that left while the table was read was not in it,
 * and by now its request has ended. */
static void
judge_last_time(struct peer_board *b)
{
	struct peer_link *p;

	if (b->find_round == 0)
		return;
	TAILQ_FOREACH (p, &b->peers, entry) {
		if (p->sought == b->find_round && !peer_is_named(p))
			break;
	}
	b->find_round = 0;
	if (p == NULL)
		return;
	b->find_every_ms *= 2;
	if (b->find_every_ms > FIND_MAX_MS)
		b->find_every_ms = FIND_MAX_MS;
}

void
peer_find(struct peer_board *b, int64_t now_ms)
{
	struct finding f = { .fd = b->find_fd };

	judge_last_time(b);
	if (b->read_ms != 0 && now_ms - b->read_ms < b->find_every_ms)
		return;
	collect_unnamed(b, &f);
	if (f.n == 0)
		return;
	b->find_round = b->round;
	b->read_ms = now_ms;
	/* Reading a long table takes milliseconds. */
	task_offload(read_table, &f);
	take_found(b, &f);
}

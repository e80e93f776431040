/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How much of a pool each client may hold: one alone, several, clients that
 * wait, requests that need no upstream, and a worker that died with all it
 * held.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "serve/share.h"

#include "check.h"

#define CLIENTS 40
#define HOLDS 2048

static struct client clients[CLIENTS];
static struct config config = {
	.processes = 2, .requests = 256, .clients = clients, .nclients = CLIENTS
};
static struct share_board *board;
static struct share *workers[2];
static struct share_place holds[HOLDS];
static unsigned nholds;

static void
begin(unsigned threads)
{
	nholds = 0;
	memset(holds, 0, sizeof(holds));
	config.requests = threads;
	board = share_board_new(&config);
	for (unsigned i = 0; i < 2; i++) {
		workers[i] = share_new(board, i);
		share_capacity(workers[i], threads);
	}
}

static void
end(void)
{
	for (unsigned i = 0; i < 2; i++)
		share_free(workers[i]);
	share_board_free(board);
}

/* As serve/worker.c does: a refused request is closed at once. */
static enum refusal
enter(const struct client *client, enum share_kind kind)
{
	struct share_place *h = &holds[nholds];
	struct share *s = workers[nholds % 2];
	enum refusal refusal;

	share_busy(s, 1);
	refusal =
	    share_enter(h, s, client, kind == SHARE_WAIT ? SHARE_RUN : kind);
	if (refusal == REFUSE_NONE && kind == SHARE_WAIT &&
	    (refusal = share_wait(h)) != REFUSE_NONE)
		share_leave(h);
	if (refusal == REFUSE_NONE)
		nholds++;
	else {
		share_leave(h);
		share_busy(s, -1);
	}
	return refusal;
}

/* How many it can open before it is refused. */
static unsigned
fill(const struct client *client, enum share_kind kind)
{
	unsigned n = 0;

	while (n < HOLDS && enter(client, kind) == REFUSE_NONE)
		n++;
	return n;
}

static void
leave_all(void)
{
	for (unsigned i = 0; i < nholds; i++) {
		share_leave(&holds[i]);
		share_busy(workers[i % 2], -1);
	}
	nholds = 0;
}

static void
test_alone(unsigned threads)
{
	unsigned pool = 2 * threads, n;

	begin(threads);
	n = fill(&clients[0], SHARE_RUN);
	CHECK(n >= pool * 5 / 8 && n < pool,
	    "one client alone may use most of %u (%u)", pool, n);
	CHECK(enter(&clients[0], SHARE_RUN) == REFUSE_CLIENT_SHARE,
	    "and is told that it is its share");
	CHECK(enter(&clients[1], SHARE_RUN) == REFUSE_NONE,
	    "another one is served");
	CHECK(enter(&clients[2], SHARE_OWN) == REFUSE_NONE &&
		enter(NULL, SHARE_OWN) == REFUSE_NONE,
	    "and so is what needs no upstream");
	leave_all();
	CHECK(fill(&clients[0], SHARE_RUN) == n, "as many when all have ended");
	end();
}

/* Many that are refused are not closed yet when another client comes. */
static void
test_refused(void)
{
	struct share_place refused[300] = { 0 };
	unsigned n = 0, all;

	begin(64);
	all = fill(&clients[0], SHARE_RUN);
	for (; n < 300; n++) {
		share_busy(workers[n % 2], 1);
		if (share_enter(&refused[n], workers[n % 2], &clients[0],
			SHARE_RUN) != REFUSE_CLIENT_SHARE)
			break;
	}
	CHECK(n == 300, "each of a crowd is refused as its client's (%u)", n);
	CHECK(enter(&clients[1], SHARE_RUN) == REFUSE_NONE &&
		enter(&clients[2], SHARE_RUN) == REFUSE_NONE,
	    "another client does not notice the crowd");
	for (unsigned i = 0; i < 300; i++) {
		share_leave(&refused[i]);
		share_busy(workers[i % 2], -1);
	}
	leave_all();
	CHECK(fill(&clients[0], SHARE_RUN) == all,
	    "when all are closed, as many are free as before");
	end();
}

static void
test_many(void)
{
	enum refusal last = REFUSE_NONE;
	unsigned n = 0;

	begin(256);
	for (unsigned i = 0; i < CLIENTS - 1; i++) {
		unsigned one = fill(&clients[i], SHARE_RUN);

		n += one;
		if (i < 20)
			CHECK(one > 0, "client %u finds room (%u)", i, one);
	}
	while (last == REFUSE_NONE || last == REFUSE_CLIENT_SHARE)
		last = enter(&clients[nholds % CLIENTS], SHARE_RUN);
	CHECK(last == REFUSE_OVERLOADED,
	    "when all want all, the pool is busy (%u)", n);
	CHECK(enter(NULL, SHARE_OWN) == REFUSE_NONE &&
		enter(&clients[0], SHARE_OWN) == REFUSE_NONE,
	    "but for what needs no upstream");
	CHECK(fill(&clients[1], SHARE_OWN) < 8, "of which none takes all");
	CHECK(enter(&clients[2], SHARE_OWN) == REFUSE_NONE,
	    "so that others can ask");
	end();
}

static void
test_waiting(void)
{
	unsigned waiting;

	begin(256);
	waiting = fill(&clients[0], SHARE_WAIT);
	CHECK(waiting > 150 && waiting < 256,
	    "one alone may have most of half a pool waiting (%u)", waiting);
	CHECK(enter(&clients[0], SHARE_RUN) == REFUSE_NONE,
	    "it may go on with what need not wait");
	CHECK(enter(&clients[1], SHARE_WAIT) == REFUSE_NONE,
	    "and others may wait, too");
	for (unsigned i = 0; i < 16; i++)
		share_run(&holds[i]);
	CHECK(enter(&clients[0], SHARE_WAIT) == REFUSE_NONE,
	    "those that have their slots make room");
	leave_all();
	CHECK(fill(&clients[0], SHARE_WAIT) == waiting, "all is given back");
	end();
}

static void
test_worker_dies(void)
{
	unsigned n, after;

	begin(256);
	n = fill(&clients[0], SHARE_RUN);
	share_board_clear(board, 0);
	CHECK(enter(&clients[1], SHARE_RUN) == REFUSE_NONE,
	    "with half of a pool the rest still serves");
	share_capacity(workers[0], 256);
	after = fill(&clients[0], SHARE_RUN);
	CHECK(after > n / 4, "what a dead worker held is free (%u)", after);
	end();
}

static void
test_small(void)
{
	begin(2);
	CHECK(fill(&clients[0], SHARE_RUN) == 4, "a pool of 4 is not divided");
	end();
	begin(256);
	share_capacity(workers[0], 3);
	share_capacity(workers[1], 0);
	CHECK(fill(&clients[0], SHARE_RUN) == 3,
	    "nor one that has only 3 threads; the fourth is refused");
	end();
}

int
main(void)
{
	static struct share_place none;

	for (size_t i = 0; i < CLIENTS; i++)
		clients[i].index = i;
	CHECK(share_enter(&none, NULL, NULL, SHARE_RUN) == REFUSE_NONE &&
		share_wait(&none) == REFUSE_NONE,
	    "without a pool there is always room");
	share_run(&none);
	share_leave(&none);
	test_refused();
	test_alone(4);
	test_alone(8);
	test_alone(256);
	test_many();
	test_waiting();
	test_worker_dies();
	test_small();
	return check_done();
}

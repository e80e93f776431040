/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * policy/select: shares over many requests (round robin by weight, sticky by
 * client), and removing a target moves only its own clients.  Single orders are
 * in tests/plan.cases.
 */
#include "config.h"

#include "policy/select.h"
#include "check.h"

#define CLIENTS 4000

static const struct provider providers[] = {
	{ .name = "a", .index = 0 },
	{ .name = "b", .index = 1 },
	{ .name = "c", .index = 2 },
	{ .name = "away", .index = 3, .place = PLACE_EXTERNAL },
};
static struct target targets[] = {
	{ .provider = &providers[0], .model = "m", .weight = 1 },
	{ .provider = &providers[1], .model = "m", .weight = 1 },
	{ .provider = &providers[2], .model = "m", .weight = 2 },
	{ .provider = &providers[3], .model = "m", .weight = 9 },
};
static const int64_t worst[] = { -1, -1, -1, -1 };
static struct model model = { .id = "m", .targets = targets, .ntargets = 4 };
static struct arena *arena;
static const char *session; /* the session of all requests */

static size_t
first(const char *client, uint32_t turn, size_t order[4])
{
	struct client c = { .name = client };
	struct facts facts = { .rotation = turn };

	select_order(&model, &c, &facts,
	    &(struct select_ask){ session, "m", worst }, arena, order);
	arena_reset(arena);
	return order[0];
}

static bool
is_permutation(const size_t order[4], size_t n)
{
	unsigned seen = 0;
	size_t i;

	for (i = 0; i < n; i++)
		seen |= 1u << order[i];
	return seen == (1u << n) - 1;
}

static void
test_round_robin(void)
{
	unsigned count[4] = { 0 }, bad = 0;
	size_t order[4];
	uint32_t turn;

	model.select = SELECT_ROUND_ROBIN;
	for (turn = 0; turn < 400; turn++) {
		count[first("x", turn, order)]++;
		bad += !is_permutation(order, 4) || order[3] != 3;
	}
	CHECK(count[0] == 100 && count[1] == 100 && count[2] == 200,
	    "round robin: turns by weight (%u %u %u)", count[0], count[1],
	    count[2]);
	CHECK(bad == 0, "every target stands once, the external one last");
}

static void
test_sticky(void)
{
	static size_t before[CLIENTS];
	unsigned count[4] = { 0 }, changed = 0, moved = 0, bad = 0;
	char name[32];
	size_t order[4];
	int i;

	model.sticky = true;
	for (i = 0; i < CLIENTS; i++) {
		snprintf(name, sizeof(name), "client-%d", i);
		before[i] = first(name, 0, order);
		count[before[i]]++;
		changed += first(name, (uint32_t)i, order) != before[i];
		bad += !is_permutation(order, 4) || order[3] != 3;
	}
	CHECK(changed == 0 && bad == 0, "sticky: the turn does not matter");
	CHECK(count[0] > CLIENTS / 5 && count[0] < CLIENTS * 3 / 10 &&
		count[1] > CLIENTS / 5 && count[1] < CLIENTS * 3 / 10 &&
		count[2] > CLIENTS * 45 / 100 && count[2] < CLIENTS * 55 / 100,
	    "sticky: shares by weight (%u %u %u)", count[0], count[1],
	    count[2]);
	model.ntargets = 2; /* c and away are gone */
	for (i = 0; i < CLIENTS; i++) {
		snprintf(name, sizeof(name), "client-%d", i);
		moved += first(name, 0, order) != before[i] && before[i] < 2;
	}
	CHECK(moved == 0, "a target that goes moves only its own clients");
	model.ntargets = 4;
	model.select = SELECT_ORDER;
	CHECK(first("client-1", 7, order) == 0 &&
		first("client-2", 8, order) == 0,
	    "`order` stays as it stands");
	model.select = SELECT_ROUND_ROBIN;
	session = "a";
	CHECK(first("one", 0, order) == first("one", 1, order),
	    "sticky: a session of no matter keeps to its client's");
	model.sticky_by = STICKY_SESSION;
	memset(count, 0, sizeof(count));
	for (unsigned n = 0; n < 4000; n++) {
		char named[16];

		snprintf(named, sizeof(named), "s%u", n);
		session = named;
		count[first("one", n, order)]++;
	}
	CHECK(count[0] > 800 && count[1] > 800 && count[2] > 1800,
	    "sticky by session: one client's sessions are spread (%u %u %u)",
	    count[0], count[1], count[2]);
	session = NULL;
	CHECK(first("one", 0, order) == first("one", 1, order),
	    "sticky by session: who has none keeps to its own");
	model.sticky_by = STICKY_CLIENT;
	model.sticky = false;
}

int
main(void)
{
	arena = arena_new();
	test_round_robin();
	test_sticky();
	arena_free(arena);
	return check_done();
}

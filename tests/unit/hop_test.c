/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * policy/hop: what one gateway tells the next, what the next one believes, and
 * how a request is recognised that has been here before.
 */
#include "config.h"

#include "policy/hop.h"
#include "check.h"

#define ID "req_0123456789abcdef0123"
#define GOOD                                                   \
	"v=1; client=laptop; priority=10; place=local; id=" ID \
	"; patience_ms=60000"

static struct arena *arena;

static void
test_round(void)
{
	const struct hop hops[] = {
		{ "laptop", 10, PLACE_LOCAL, ID, 60000 },
		{ "office/anna.b_c-d", 100, PLACE_EXTERNAL, ID, 1 },
		{ "a/b/c", 1, PLACE_EXTERNAL, ID, 86400000 },
	};

	for (size_t i = 0; i < sizeof(hops) / sizeof(hops[0]); i++) {
		const char *text = hop_make(&hops[i], arena);
		struct hop got;

		CHECK(hop_parse(text, arena, &got) == 0, "parses: %s", text);
		CHECK(strcmp(got.client, hops[i].client) == 0 &&
			got.priority == hops[i].priority &&
			got.place == hops[i].place &&
			strcmp(got.request_id, ID) == 0 &&
			got.patience_ms == hops[i].patience_ms,
		    "and says the same");
	}
	CHECK_STR(hop_make(&hops[0], arena), GOOD, "as it is documented");
}

/* A header that is not exactly of the form might have been a bound. */
static void
test_malformed(void)
{
	static const char *const wrong[] = { "", "v=1", GOOD "; ", GOOD ";",
		" " GOOD, GOOD " ", GOOD ", " GOOD,
		"v=2; client=l; priority=1; place=local; id=" ID
		"; patience_ms=1",
		"client=l; v=1; priority=1; place=local; id=" ID
		"; patience_ms=1",
		"v=1; client=; priority=1; place=local; id=" ID
		"; patience_ms=1",
		"v=1; client=/a; priority=1; place=local; id=" ID
		"; patience_ms=1",
		"v=1; client=a/; priority=1; place=local; id=" ID
		"; patience_ms=1",
		"v=1; client=a//b; priority=1; place=local; id=" ID
		"; patience_ms=1",
		"v=1; client=.a; priority=1; place=local; id=" ID
		"; patience_ms=1",
		"v=1; client=a\"b; priority=1; place=local; id=" ID
		"; patience_ms=1",
		"v=1; client=a=b; priority=1; place=local; id=" ID
		"; patience_ms=1",
		"v=1; client=a; priority=0; place=local; id=" ID
		"; patience_ms=1",
		"v=1; client=a; priority=101; place=local; id=" ID
		"; patience_ms=1",
		"v=1; client=a; priority=-1; place=local; id=" ID
		"; patience_ms=1",
		"v=1; client=a; priority=1; place=Local; id=" ID
		"; patience_ms=1",
		"v=1; client=a; priority=1; place=; id=" ID "; patience_ms=1",
		"v=1; client=a; priority=1; id=" ID "; patience_ms=1",
		"v=1; client=a; priority=1; place=local; id=req_0"
		"; patience_ms=1",
		"v=1; client=a; priority=1; place=local; "
		"id=req_0123456789ABCDEF0123; patience_ms=1",
		"v=1; client=a; priority=1; place=local; id=" ID
		"0; patience_ms=1",
		"v=1; client=a; priority=1; place=local; id=" ID
		"; patience_ms=0",
		"v=1; client=a; priority=1; place=local; id=" ID
		"; patience_ms=86400001",
		"v=1; client=a; priority=1; place=local; id=" ID
		"; patience_ms=99999999999999999999",
		"v=1; client=a; priority=1; place=local; id=" ID
		"; patience_ms=",
		"v=1; client=a; priority=1; place=local; id=" ID
		"; patience_ms=1; extra=1" };
	struct hop got;
	char name[HOP_CLIENT_MAX + 2];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK(hop_parse(wrong[i], arena, &got) == -1, "refused: %s",
		    wrong[i]);
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	CHECK(hop_parse(
		  hop_make(&(struct hop){ name, 1, PLACE_LOCAL, ID, 1 }, arena),
		  arena, &got) == -1,
	    "refused: a name that is too long");
}

/* The result is never wider than the relay's own entry, for any pair of
 * values. */
static void
test_narrows(void)
{
	static const enum place places[] = { PLACE_LOCAL, PLACE_EXTERNAL };
	static const unsigned priorities[] = { 1, 10, 50, 100 };
	size_t wider = 0, other = 0;

	for (size_t i = 0; i < 2 * 4 * 2 * 4; i++) {
		struct client relay = { .name = "office",
			.index = 7,
			.place = places[i % 2],
			.priority = priorities[i / 2 % 4],
			.endpoints = 3,
			.relay = true };
		struct hop hop = { "anna", priorities[i / 8 % 4],
			places[i / 32 % 2], ID, 1 };
		const struct client *c = hop_client(&relay, &hop, arena);

		wider += c->place > relay.place || c->place > hop.place ||
		    c->priority > relay.priority || c->priority > hop.priority;
		other += c->index != relay.index || c->endpoints != 3 ||
		    strcmp(c->name, "office/anna") != 0 ||
		    strcmp(relay.name, "office") != 0;
	}
	CHECK(wider == 0, "what is told only narrows");
	CHECK(other == 0, "all else is the relay's");
}

static bool
entry_is(const char *client, const char *want)
{
	struct span s = hop_entry(span_of(client));

	return span_is(s, want);
}

static void
test_entry(void)
{
	CHECK(entry_is("office", "office") &&
		entry_is("office/anna", "office") && entry_is("a/b/c", "a"),
	    "the entry is what stands before the first slash");
	CHECK(hop_entry((struct span){ NULL, 0 }).p == NULL, "none has none");
}

static void
test_way(void)
{
	static const char own[] = "00112233445566aa";
	const char *list = NULL;
	char other[HOP_ID_CHARS + 1];

	CHECK(hop_check(NULL, own) == REFUSE_NONE &&
		hop_check("", own) == REFUSE_NONE,
	    "through none");
	CHECK(hop_check(own, own) == REFUSE_LOOP, "through this one");
	CHECK(
	    hop_check("ffffffffffffffff 00112233445566aa", own) == REFUSE_LOOP,
	    "through another, and this one");
	CHECK(hop_check("ffffffffffffffff", own) == REFUSE_NONE,
	    "through another");
	CHECK(hop_check("0011223344556", own) == REFUSE_NONE, "a part of it");
	CHECK(hop_check("anything", "") == REFUSE_NONE,
	    "a gateway that asks none is in no circle");
	for (unsigned i = 0; i < HOP_MAX; i++) {
		snprintf(other, sizeof(other), "%016x", i + 1);
		list = hop_extend(list, arena_strdup(arena, other), arena);
		CHECK(hop_check(list, own) == REFUSE_NONE, "through %u", i + 1);
	}
	list = hop_extend(list, "00000000000000ff", arena);
	CHECK(hop_check(list, own) == REFUSE_LOOP, "through too many");
	CHECK_STR(hop_extend("x\"; evil", own, arena), own,
	    "what can be no list is not handed on");
	CHECK_STR(hop_extend("ab cd", own, arena), "ab cd 00112233445566aa",
	    "what can be one is, with our own at its end");
}

/* Each refusal that another gateway names is the same here, except those that
 * concern the two gateways. */
static void
test_refusals(void)
{
	for (unsigned i = REFUSE_NONE + 1; i < REFUSE_COUNT; i++) {
		const struct refusal_spec *spec = refusal_spec(i);
		enum refusal got = hop_refusal(span_of(spec->code));

		if (i == REFUSE_INVALID_KEY || i == REFUSE_CLIENT_GONE ||
		    i == REFUSE_INTERNAL)
			CHECK(got == REFUSE_NONE, "%s: a provider's failure",
			    spec->code);
		else if (i == REFUSE_MODEL_NOT_FOUND)
			CHECK(got == REFUSE_PROVIDER_MODEL,
			    "%s: the operator's to correct", spec->code);
		else
			CHECK_STR(refusal_spec(got)->code, spec->code,
			    "%s is the same here", spec->code);
	}
	CHECK(
	    hop_refusal(span_of("rate_limit_exceeded")) == REFUSE_RATE_UPSTREAM,
	    "its rate is a provider's");
	CHECK(hop_refusal(span_of("")) == REFUSE_NONE &&
		hop_refusal((struct span){ NULL, 0 }) == REFUSE_NONE &&
		hop_refusal(span_of("no_such_code")) == REFUSE_NONE,
	    "other words mean nothing");
}

int
main(void)
{
	arena = arena_new();
	test_round();
	test_malformed();
	test_narrows();
	test_entry();
	test_way();
	test_refusals();
	arena_free(arena);
	return check_done();
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * policy/price: sums to the nano-USD, prices that replace missing ones,
 * saturation; policy/refusal: the table is complete.
 */
#include "config.h"

#include "policy/price.h"
#include "policy/refusal.h"
#include "check.h"

#define USD INT64_C(1000000000)
#define NONE -1, -1, -1, -1, -1, -1, -1, -1, -1, -1

static int64_t
cost(struct price price, struct usage usage)
{
	usage.cost_nanousd = -1;
	return price_cost(&price, &usage);
}

static void
test_cost(void)
{
	struct price p = { NONE, .known = true };
	struct usage u = { .cost_nanousd = -1 };
	struct price unknown = { NONE, .known = false };

	p.input = 280000000;
	p.cached = 28000000;
	p.output = 420000000;
	CHECK(cost(p, (struct usage){ .input = 1000000 }) == 280000000,
	    "a million tokens of input");
	CHECK(cost(p, (struct usage){ .output = 1000000 }) == 420000000,
	    "a million tokens of output");
	CHECK(
	    cost(p,
		(struct usage){ .input = 1000, .cached = 400, .output = 10 }) ==
		600 * 280 + 400 * 28 + 10 * 420,
	    "cached tokens are part of the input");
	CHECK(
	    cost(p, (struct usage){ .input = 100, .cached = 900 }) == 100 * 28,
	    "more cached than input is all of it");
	CHECK(cost(p, (struct usage){ .input = 10, .cache_write = 10 }) ==
		10 * 280,
	    "written to the cache costs as input unless said");
	p.cache_write = 350000000;
	CHECK(cost(p, (struct usage){ .input = 10, .cache_write = 10 }) ==
		10 * 350,
	    "or what is said");
	CHECK(cost(p,
		  (struct usage){
		      .input = 10, .cache_write = 10, .cache_write_1h = 4 }) ==
		10 * 350,
	    "for an hour as for five minutes unless said");
	p.cache_write_1h = 560000000;
	CHECK(cost(p,
		  (struct usage){
		      .input = 10, .cache_write = 10, .cache_write_1h = 4 }) ==
		6 * 350 + 4 * 560,
	    "or what is said");
	CHECK(
	    cost(p, (struct usage){ .output = 10, .reasoning = 4 }) == 10 * 420,
	    "reasoning costs as output unless said");
	p.reasoning = 500000000;
	CHECK(cost(p, (struct usage){ .output = 10, .reasoning = 4 }) ==
		6 * 420 + 4 * 500,
	    "or what is said");
	p.request = 7;
	CHECK(cost(p, (struct usage){ .input = 0 }) == 7, "each request");
	p = (struct price){ NONE, .known = true };
	p.character = 15 * USD;
	CHECK(cost(p, (struct usage){ .characters = 100 }) == 1500000,
	    "characters of speech");
	p = (struct price){ NONE, .known = true };
	p.second = 100000;
	CHECK(cost(p, (struct usage){ .audio_ms = 90500 }) == 9050000,
	    "seconds of audio, to the millisecond");
	p = (struct price){ NONE, .known = true };
	p.input = 1;
	CHECK(cost(p, (struct usage){ .input = 1 }) == 1,
	    "a part of a nano-USD is one");
	CHECK(cost(p, (struct usage){ .output = 5 }) == 0,
	    "what has no price in a known table is free");
	CHECK(price_cost(&unknown, &u) == -1, "no table: not known");
	u.cost_nanousd = 42;
	CHECK(price_cost(&unknown, &u) == 42 && price_cost(&p, &u) == 42,
	    "the upstream's own figure comes first");
}

static void
test_saturation(void)
{
	struct price p = { NONE, .known = true };

	p.input = p.output = p.request = p.second = p.character = INT64_MAX;
	CHECK(cost(p, (struct usage){ .input = UINT64_MAX }) == INT64_MAX,
	    "the largest count");
	CHECK(cost(p,
		  (struct usage){ .input = UINT64_MAX,
		      .output = UINT64_MAX,
		      .characters = UINT64_MAX,
		      .audio_ms = UINT64_MAX }) == INT64_MAX,
	    "all of them");
	p = (struct price){ NONE, .known = true };
	p.input = INT64_MAX;
	CHECK(cost(p, (struct usage){ .input = 1 }) == INT64_MAX / 1000000 + 1,
	    "the largest price of one token");
	p.input = USD;
	CHECK(cost(p, (struct usage){ .input = UINT64_MAX }) == INT64_MAX,
	    "no wrap");
}

static void
test_worst(void)
{
	struct target t = { .price = { NONE, .known = true } };

	t.price.input = 1000000;
	t.price.output = 2000000;
	CHECK(price_worst(&t, 100, 50, 1, 0, 0) == 100 + 2 * 50,
	    "the output asked for");
	CHECK(price_worst(&t, 100, 50, 3, 0, 0) == 100 + 3 * 2 * 50,
	    "each choice has its own");
	CHECK(
	    price_worst(&t, 0, 0, 1, 0, 0) == 2 * 4096, "4096 where none says");
	t.max_output = 1000;
	CHECK(price_worst(&t, 0, 0, 1, 0, 0) == 2 * 1000,
	    "what the target gives at most");
	t.price.reasoning = 5000000;
	CHECK(price_worst(&t, 0, 10, 1, 0, 0) == 5 * 10,
	    "all of it may be reasoning");
	t.price.cache_write = 3000000;
	CHECK(price_worst(&t, 10, 1, 1, 0, 0) == 3 * 10 + 5,
	    "all input may be written to a cache");
	CHECK(price_worst(&t, UINT64_MAX, UINT64_MAX, UINT64_MAX, 0, 0) > 0,
	    "it saturates");
	t.price.known = false;
	CHECK(price_worst(&t, 1, 1, 1, 1, 0) == -1, "no price: not known");
}

static bool
is_one_of(const char *type, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strcmp(type, *list) == 0)
			return true;
	return false;
}

static void
test_table(void)
{
	static const char *const openai[] = { "invalid_request_error",
		"permission_error", "insufficient_quota", "rate_limit_error",
		"server_error", "client_gone", NULL };
	static const char *const anthropic[] = { "invalid_request_error",
		"authentication_error", "permission_error", "not_found_error",
		"request_too_large", "rate_limit_error", "api_error",
		"overloaded_error", NULL };
	unsigned covered = 0;
	int id;

	for (id = REFUSE_NONE + 1; id < REFUSE_COUNT; id++) {
		const struct refusal_spec *r = refusal_spec((enum refusal)id);
		size_t len = strlen(r->text);

		covered |= r->fallback;
		CHECK((int)r->id == id && r->status >= 400 && r->status < 600,
		    "refusal %d %s has a row and a status", id, r->code);
		CHECK(is_one_of(r->type, openai) &&
			is_one_of(r->anthropic, anthropic),
		    "%s has types that the SDKs know", r->code);
		CHECK(len > 20 && r->text[len - 1] == '.', "%s says a sentence",
		    r->code);
		CHECK(!r->retry_after || !r->should_not_retry,
		    "%s does not say both when and never", r->code);
		CHECK(r->status != 503 || r->retry_after, "%s: a 503 says when",
		    r->code);
	}
	CHECK(covered == (1u << FALLBACK_COUNT) - 1,
	    "every permission covers some refusal");
	CHECK(refusal_spec(REFUSE_UPSTREAM_TIMEOUT)->should_not_retry,
	    "a timeout may have been billed");
	CHECK(refusal_spec(REFUSE_BUDGET)->should_not_retry,
	    "a spent budget is not for trying again");
}

int
main(void)
{
	test_cost();
	test_saturation();
	test_worst();
	test_table();
	return check_done();
}

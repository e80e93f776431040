/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * No long key of a provider passes, in any form and however it is cut into
 * pieces on the way; and text without a key passes byte for byte.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "base/arena.h"
#include "config/sieve.h"

#define KEY "sk-proj-AbCdEfGhIjKlMnOpQrStUvWx/+yZ0wxyz"

static const struct header headers[] = {
	{ "X-Auth-Token", "Token hdr-0123456789abcdef" },
};
static const char *keys_a[] = { KEY };
static const char *keys_b[] = { "tiny-7" };
static const char *keys_c[] = { "sk-no-key-required" };
static const struct provider providers[] = {
	{ .name = "a", .keys = keys_a, .nkeys = 1 },
	{ .name = "b",
	    .keys = keys_b,
	    .nkeys = 1,
	    .headers = headers,
	    .nheaders = 1 },
	{ .name = "c", .keys = keys_c, .nkeys = 1 },
};
static const struct config config = { .providers = providers, .nproviders = 3 };

/* What is inside the brackets is replaced. */
static const char *const hidden[] = {
	"say <" KEY ">",
	"say <SK-PROJ-ABCDEFGHIJKLMNOPQRSTUVWX/+YZ0WXYZ>!",
	"<AbCdEfGhIjKlMnOp>", /* sixteen letters of the key */
	"{\"a\":\"<" KEY ">\"}\n",
	"<sk-proj-AbCdEfGhIjKlMnOpQrStUvWx%2F%2ByZ0wxyz> ",
	"<sk-proj-AbCdEfGhIjKlMnOpQrStUvWx\\/+yZ0wxyz>\\n",
	"<\\u0073\\u006b\\u002d\\u0070\\u0072\\u006f\\u006a\\u002d\\u0041\\u006"
	"2"
	"\\u0043\\u0064\\u0045\\u0066\\u0047\\u0068\\u0049\\u006a\\u004b\\u006c"
	">",
	"<\\\\u0073\\\\u006b\\\\u002d\\\\u0070\\\\u0072\\\\u006f\\\\u006a\\\\u0"
	"02d"
	"\\\\u0041\\\\u0062\\\\u0043\\\\u0064\\\\u0045\\\\u0066\\\\u0047\\\\u00"
	"68>",
	"<%73%6B%2D%70%72%6F%6A%2D%41%62%43%64%45%66%47%68%49>",
	"<&#115;&#107;&#45;&#112;&#114;&#111;&#106;&#45;&#65;&#98;&#67;&#100;"
	"&#69;&#102;&#71;&#104;&#73;&#106;>",
	"Basic <c2stcHJvai1BYkNkRWZHaElqS2xNbk9wUXJTdFV2V3gvK3laMHd4eX>o=",
	"a header: <hdr-0123456789abcdef>.",
};

static const char *const seen[] = {
	"",
	"nothing of it",
	"AbCdEfGhIjKlMn: fourteen letters are chance",
	"sk-proj-... and sk-proj-****: how a model explains keys",
	"set the key to sk-no-key-required or tiny-7",
	"{\"x\":\"\\u003cdiv\\u003e 100% \\/ \\\\ %7Euser &#39;a&#39; &\"}",
	"sk-proj-",
	"\xf0\x9f\x98\x80 \xff\xfe raw bytes \\",
	"an end that could go on: sk-proj-AbCd",
	"a cut escape: \\u00",
	"a cut escape: %4",
};

struct output {
	char p[512];
	size_t len;
};

static int
put(void *ctx, struct span bytes)
{
	struct output *o = ctx;

	if (o->len + bytes.len >= sizeof(o->p))
		return -1;
	memcpy(o->p + o->len, bytes.p, bytes.len);
	o->len += bytes.len;
	o->p[o->len] = '\0';
	return 0;
}

/* In one piece, in two that are cut at `cut`, or in pieces of -cut bytes. */
static struct output
sift(const struct sieve *s, const char *text, long cut)
{
	struct sieve_held held = { .len = 0 };
	struct output o = { .len = 0 };
	size_t len = strlen(text), n, at = 0;

	o.p[0] = '\0';
	while (at < len) {
		n = cut < 0            ? (size_t)-cut
		    : at < (size_t)cut ? (size_t)cut - at
				       : len - at;
		if (n > len - at)
			n = len - at;
		if (sieve_push(
			s, &held, (struct span){ text + at, n }, put, &o) != 0)
			break;
		at += n;
	}
	sieve_end(s, &held, put, &o);
	return o;
}

/* Stars inside the brackets, or nearly: base64 shares bits with its neighbours,
 * which may stay. */
static bool
is_covered(const char *text, const struct output *o)
{
	const char *open = strchr(text, '<'), *close = strrchr(text, '>');
	size_t before = (size_t)(open + 1 - text), from = before;

	if (o->len != strlen(text) || memcmp(o->p, text, before) != 0 ||
	    strcmp(o->p + (close - text), close) != 0)
		return false;
	return strspn(o->p + from, "*") == (size_t)(close - text) - from;
}

static void
test_hidden(const struct sieve *s)
{
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		long len = (long)strlen(hidden[i]), bad = 0;
		struct output o = sift(s, hidden[i], 0);

		CHECK(is_covered(hidden[i], &o), "%s: %s", hidden[i], o.p);
		for (long cut = -9; cut <= len; cut++) {
			o = sift(s, hidden[i], cut);
			if (!is_covered(hidden[i], &o) && bad++ == 0)
				printf("# cut %ld: %s\n", cut, o.p);
		}
		CHECK(bad == 0, "and however it is cut");
	}
}

static void
test_seen(const struct sieve *s)
{
	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
		long len = (long)strlen(seen[i]), bad = 0;

		for (long cut = -9; cut <= len; cut++)
			bad += strcmp(sift(s, seen[i], cut).p, seen[i]) != 0;
		CHECK(bad == 0, "untouched: %s", seen[i]);
	}
}

struct count {
	uint64_t bytes, stars;
};

static int
count(void *ctx, struct span bytes)
{
	struct count *c = ctx;

	c->bytes += bytes.len;
	for (size_t i = 0; i < bytes.len; i++)
		c->stars += bytes.p[i] == '*';
	return 0;
}

/* Random bytes with a key at a random place, in random pieces: the number of
 * stars is right, and never more is held than may be. */
static void
test_large(const struct sieve *s)
{
	static char text[200000];
	struct sieve_held held = { .len = 0 };
	struct count c;
	unsigned bad = 0;

	srandom(7);
	for (unsigned round = 0; round < 60; round++) {
		size_t at = (size_t)random() % (sizeof(text) - sizeof(KEY)), n;

		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = (char)('a' + random() % 26);
		memcpy(text + at, KEY, sizeof(KEY) - 1);
		memset(&c, 0, sizeof(c));
		for (size_t i = 0; i < sizeof(text); i += n) {
			n = (size_t)random() % 70000 + 1;
			if (n > sizeof(text) - i)
				n = sizeof(text) - i;
			sieve_push(
			    s, &held, (struct span){ text + i, n }, count, &c);
		}
		sieve_end(s, &held, count, &c);
		bad += c.bytes != sizeof(text) || c.stars != sizeof(KEY) - 1;
	}
	CHECK(bad == 0, "wherever it stands in what is long");
}

/* A client's own key beside those of the base, which stays as it is. */
static void
test_own(const struct sieve *base)
{
	static const struct redact_keys keys = { .config = &config,
		.own = { { "sk-ant-oat01-ThisIsOfTheClientAlone", 35 } } };
	static const struct redact_keys little = { .config = &config,
		.own = { { "short", 5 } } };
	struct sieve *s = sieve_with(base, &keys);
	static const char text[] =
	    "it is sk-ant-oat01-ThisIsOfTheClientAlone, yes";
	struct output o = sift(s, text, 9);

	CHECK(
	    strcmp(o.p, "it is ***********************************, yes") == 0,
	    "the client's own is covered: %s", o.p);
	o = sift(base, text, 9);
	CHECK(strcmp(o.p, text) == 0, "and is not by the base: %s", o.p);
	if (base != NULL)
		test_hidden(s);
	sieve_free(s);
	CHECK(sieve_with(base, &little) == NULL, "a short one has no sieve");
}

int
main(void)
{
	static const struct config none = { .nproviders = 0 };
	struct sieve_held held = { .len = 0 };
	struct sieve *s = sieve_new(&config);
	struct output o = { .len = 0 };

	test_hidden(s);
	test_seen(s);
	test_large(s);
	test_own(s);
	sieve_free(s);
	test_own(NULL);
	CHECK(sieve_new(&none) == NULL, "no key, no sieve");
	CHECK(sieve_push(NULL, &held, span_of("as it is"), put, &o) == 0 &&
		strcmp(o.p, "as it is") == 0,
	    "which lets all pass");
	return check_done();
}

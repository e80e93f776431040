/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * base/jspan: it walks the same spans that jscan() reports, and compares names
 * and texts by their decoded value.
 */
#include "config.h"

#include <stdlib.h>

#include "base/jspan.h"
#include "check.h"

/* --- The same values as the scanner's --- */

struct told {
	struct span values[4096];
	size_t n, at;
	bool same;
};

static int
note(void *ctx, const struct jscan_value *v)
{
	struct told *t = ctx;

	if (!v->begin && t->n < 4096)
		t->values[t->n++] = v->raw;
	return 0;
}

/* jscan() reports a container when it ends: its children come first. */
static void
visit(struct told *t, struct span value)
{
	struct jspan_walk w = jspan_walk(value);

	while (jspan_next(&w))
		visit(t, w.value);
	if (t->at == t->n || t->values[t->at].p != value.p ||
	    t->values[t->at].len != value.len)
		t->same = false;
	t->at++;
}

static bool
agrees(const char *text)
{
	static struct told t;
	struct jscan_error error;
	size_t len = strlen(text);
	char *copy = malloc(len + 1);

	/* Without a terminator, for the sanitizers. */
	copy = realloc(copy, len == 0 ? 1 : len);
	memcpy(copy, text, len);
	t.n = t.at = 0;
	t.same = true;
	if (jscan((struct span){ copy, len }, JSCAN_DEPTH_MAX, note, &t,
		&error) == 0) {
		visit(&t, jspan_document((struct span){ copy, len }));
		t.same = t.same && t.at == t.n;
	} else {
		/* The spans may be wrong, but not outside of the text. */
		struct span value = jspan_document((struct span){ copy, len });
		struct jspan_walk w = jspan_walk(value);

		while (jspan_next(&w))
			t.same = t.same && w.value.p >= copy &&
			    w.value.p + w.value.len <= copy + len;
	}
	free(copy);
	return t.same;
}

/* Makes a random text; seeded, so that a failure can be repeated. */
static void
grow(char **p, char *end, unsigned depth)
{
	static const char *const scalars[] = { "0", "-1.5e+9", "true", "null",
		"\"\"", "\"a\\\"b\"", "\"\\\\\"", "\"\\\\\\\"]\"", "\"{[,:\"",
		"18446744073709551616", "\"\\ud800\"", " 7\n" };
	static const char *const blanks[] = { "", " ", "\n\t", "" };
	int kind = rand() % (depth > 6 || end - *p < 200 ? 4 : 10);
	int n = rand() % 4;

	*p += sprintf(*p, "%s", blanks[rand() % 4]);
	if (kind < 4) {
		*p += sprintf(*p, "%s", scalars[rand() % 12]);
		return;
	}
	*(*p)++ = kind < 7 ? '[' : '{';
	for (int i = 0; i < n; i++) {
		*p += sprintf(*p, "%s", i == 0 ? "" : " ,");
		if (kind >= 7)
			*p += sprintf(
			    *p, "%s\"k\\\\%d\" :", blanks[rand() % 4], i);
		grow(p, end, depth + 1);
	}
	*p += sprintf(*p, "%s", blanks[rand() % 4]);
	*(*p)++ = kind < 7 ? ']' : '}';
}

static void
test_agreement(void)
{
	static char text[20000];
	unsigned seed = 1;
	bool same = true;

	for (; seed <= 3000 && same; seed++) {
		char *p = text;

		srand(seed);
		grow(&p, text + sizeof(text) - 4000, 0);
		*p = '\0';
		same = agrees(text);
		/* When it is cut off, it is mostly not JSON. */
		text[(size_t)rand() % ((size_t)(p - text) + 1)] = '\0';
		same = same && agrees(text);
	}
	CHECK(same, "the spans are those of jscan (seed %u)", seed - 1);
}

/* --- Members --- */

static bool
is(struct span got, const char *want)
{
	return want == NULL ? got.p == NULL
			    : got.p != NULL && span_is(got, want);
}

static void
test_members(void)
{
	static const char text[] =
	    " {\"a\":1,\"b\" : \"x\\ny\" ,\"n\":null,\"\\u0061\":[ ],"
	    "\"c\":{\"a\":18446744073709551616}} ";
	struct span object = jspan_document(span_of(text));
	struct jspan_want wants[] = { { "c", { 0 } }, { "n", { 0 } },
		{ "b", { 0 } }, { "none", { 0 } } };

	CHECK(is(jspan_member(object, "a"), "[ ]"),
	    "the last member of a name counts, escaped or not");
	CHECK(is(jspan_member(object, "n"), NULL), "null is no value");
	CHECK(is(jspan_text(object, "b"), "x\\ny"), "a text as it is written");
	CHECK(is(jspan_text(object, "a"), NULL), "a list is no text");
	jspan_pick(object, wants, 4);
	CHECK(is(wants[0].value, "{\"a\":18446744073709551616}") &&
		is(wants[1].value, NULL) && is(wants[2].value, "\"x\\ny\"") &&
		is(wants[3].value, NULL),
	    "several in one pass");
	CHECK(is(jspan_member(span_of("[1]"), "a"), NULL) &&
		is(jspan_member((struct span){ NULL, 0 }, "a"), NULL),
	    "what is no object has no members");
	CHECK(jspan_is_empty(span_of("[ ]")) && jspan_is_empty(span_of("{}")) &&
		!jspan_is_empty(span_of("[0]")),
	    "what is empty");
}

static void
test_texts(void)
{
	char name[400], plain[395];

	CHECK(jspan_says(span_of("a\\u0062c"), "abc") &&
		!jspan_says(span_of("a\\u0062c"), "abcdefgh") &&
		!jspan_says(span_of("abd"), "abc") &&
		!jspan_says(span_of("\\u0061"), "abcdef") &&
		jspan_says(span_of(""), ""),
	    "a text is compared by what it says");
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	CHECK(jspan_says(span_of(name), name) &&
		jspan_same(span_of(name), span_of(name)),
	    "a long one");
	memcpy(name, "\\u0078", 6);
	memset(plain, 'x', sizeof(plain) - 1);
	plain[sizeof(plain) - 1] = '\0';
	CHECK(jspan_same(span_of(name), span_of(plain)) &&
		!jspan_same(span_of(name), span_of(plain + 1)),
	    "a long one with an escape");
	CHECK(jspan_same(span_of("\\/a"), span_of("/\\u0061")) &&
		!jspan_same(span_of("a"), (struct span){ NULL, 0 }),
	    "two texts that say the same");
}

static void
test_counts(void)
{
	static const struct {
		const char *text;
		uint64_t count;
	} rows[] = { { "0", 0 }, { "42", 42 }, { "-3", 0 }, { "4.9", 4 },
		{ "1e3", 1000 }, { "1e300", 0 }, { "\"7\"", 0 }, { "true", 0 },
		{ "9007199254740993", 9007199254740993 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		CHECK(jspan_count(span_of(rows[i].text)) == rows[i].count,
		    "the count %s", rows[i].text);
}

/* Is `open`, `levels` times in a row, deep?  The text need not be JSON. */
static bool
is_deep(const char *open, size_t levels)
{
	size_t n = strlen(open) * levels;
	char *text = malloc(n);
	bool deep;

	for (size_t i = 0; i < n; i++)
		text[i] = open[i % strlen(open)];
	deep = jspan_is_deep((struct span){ text, n });
	free(text);
	return deep;
}

static void
test_depth(void)
{
	CHECK(!is_deep("[", JSCAN_DEPTH_MAX) && is_deep("[", 65) &&
		!is_deep("{\"a\":", 64) && is_deep("{\"a\":", 65) &&
		is_deep("[{\"a\":", 33),
	    "more than 64 levels are deep");
	CHECK(!is_deep("[]", 10000) && !is_deep("\"[[\"", 1000) &&
		!is_deep("]", 1000) && !jspan_is_deep((struct span){ NULL, 0 }),
	    "in turn, and in texts, they are not");
	CHECK(is_deep("\"\\\"\"[", 65), "after an escaped quote they are");
}

int
main(void)
{
	test_agreement();
	test_members();
	test_texts();
	test_counts();
	test_depth();
	return check_done();
}

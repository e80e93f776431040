/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * base/jscan: accepts exactly RFC 8259 in exactly RFC 3629; paths, spans,
 * decoding.
 */
#include "config.h"

#include <stdlib.h>

#include "base/jscan.h"
#include "check.h"

/* A string that may hold NULs. */
#define LIT(s)                   \
	(struct span)            \
	{                        \
		s, sizeof(s) - 1 \
	}

static int
ignore(void *ctx, const struct jscan_value *v)
{
	(void)ctx;
	(void)v;
	return 0;
}

static int
scan(struct span text, unsigned depth, struct jscan_error *error)
{
	char *copy = malloc(text.len + 1);
	int rc;

	/* On the heap and without a terminator, so that a sanitizer sees one
	 * byte too many. */
	copy = realloc(copy, text.len == 0 ? 1 : text.len);
	memcpy(copy, text.p, text.len);
	rc = jscan((struct span){ copy, text.len }, depth, ignore, NULL, error);
	free(copy);
	return rc;
}

static void
test_good(void)
{
	static const char *const good[] = { "{}", "[]", " {} ", "0", "-0", "1",
		"10", "1.5", "-1.5e3", "1E+2", "1e-2", "0.0", "0e1", "1e999",
		"123456789012345678901234567890", "true", "false", "null",
		"\"\"", "\"a\"", "[1,2]", "[ 1 , 2 ]", "{\"a\":1}",
		"{ \"a\" : 1 , \"a\" : 2 }", "{\"\":\"\"}",
		"\t\r\n [\t\r\n]\t\r\n ", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
		"\"\\u0000\"", "\"\\uD800\"", "\"\\uDC00\"",
		"\"\\uD83D\\uDE00\"", "\"\\uabcd\\uABCD\"", "\"\x7f\"",
		"\"\xc2\x80\"", "\"\xdf\xbf\"", "\"\xe0\xa0\x80\"",
		"\"\xed\x9f\xbf\"", "\"\xee\x80\x80\"", "\"\xef\xbf\xbf\"",
		"\"\xf0\x90\x80\x80\"", "\"\xf4\x8f\xbf\xbf\"",
		"\"ggggggg\xe2\x82\xacggggggggggggggg\"",
		"[[[[]]],{\"a\":[{}]}]", "{\"\\u006dodel\":1}" };
	struct jscan_error error;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		CHECK(scan(span_of(good[i]), 64, &error) == 0,
		    "accepted: case %zu%s%s", i, error.text == NULL ? "" : ": ",
		    error.text == NULL ? "" : error.text);
}

static void
test_bad(void)
{
	static const struct {
		struct span text;
		size_t offset;
	} bad[] = {
		{ LIT(""), 0 },
		{ LIT(" "), 1 },
		{ LIT("{"), 1 },
		{ LIT("["), 1 },
		{ LIT("}"), 0 },
		{ LIT("]"), 0 },
		{ LIT("{]"), 1 },
		{ LIT("[}"), 1 },
		{ LIT("[1,]"), 3 },
		{ LIT("[,1]"), 1 },
		{ LIT("[1 2]"), 3 },
		{ LIT("[1,,2]"), 3 },
		{ LIT("{\"a\"}"), 4 },
		{ LIT("{\"a\":}"), 5 },
		{ LIT("{\"a\":1,}"), 7 },
		{ LIT("{,\"a\":1}"), 1 },
		{ LIT("{a:1}"), 1 },
		{ LIT("{'a':1}"), 1 },
		{ LIT("{1:1}"), 1 },
		{ LIT("{\"a\":1 \"b\":2}"), 7 },
		{ LIT("{\"a\" 1}"), 5 },
		{ LIT("{\"a\":1}}"), 7 },
		{ LIT("{} {}"), 3 },
		{ LIT("{}\0"), 2 },
		{ LIT("{}x"), 2 },
		{ LIT("\0{}"), 0 },
		{ LIT("\xef\xbb\xbf{}"), 0 }, /* a byte order mark */
		{ LIT("\x0b{}"), 0 },
		{ LIT("\xc2\xa0{}"), 0 },
		{ LIT("01"), 0 },
		{ LIT("-01"), 1 },
		{ LIT("00"), 0 },
		{ LIT("+1"), 0 },
		{ LIT("-"), 1 },
		{ LIT("--1"), 1 },
		{ LIT(".5"), 0 },
		{ LIT("5."), 2 },
		{ LIT("-.5"), 1 },
		{ LIT("1.e1"), 2 },
		{ LIT("1e"), 2 },
		{ LIT("1e+"), 3 },
		{ LIT("1e1.5"), 3 },
		{ LIT("0x10"), 1 },
		{ LIT("1_000"), 1 },
		{ LIT("NaN"), 0 },
		{ LIT("Infinity"), 0 },
		{ LIT("-Infinity"), 1 },
		{ LIT("tru"), 0 },
		{ LIT("truE"), 0 },
		{ LIT("True"), 0 },
		{ LIT("nul"), 0 },
		{ LIT("nulls"), 4 },
		{ LIT("\""), 1 },
		{ LIT("\"a"), 2 },
		{ LIT("\"\\"), 2 },
		{ LIT("\"\\\""), 3 },
		{ LIT("\"\\u"), 3 },
		{ LIT("\"\\u00"), 5 },
		{ LIT("\"\\u00g0\""), 5 },
		{ LIT("\"\\u 041\""), 3 },
		{ LIT("\"\\x41\""), 2 },
		{ LIT("\"\\a\""), 2 },
		{ LIT("\"\\'\""), 2 },
		{ LIT("\"\\\n\""), 2 },
		{ LIT("\"a\nb\""), 2 },
		{ LIT("\"\t\""), 1 },
		{ LIT("\"\0\""), 1 },
		{ LIT("\"\x1f\""), 1 },
		{ LIT("\"aaaaaaaaaaaa\x01"
		      "aaaaaaaaaa\""),
		    13 },
		{ LIT("'a'"), 0 },
		{ LIT("\"\x80\""), 1 },
		{ LIT("\"\xbf\""), 1 },
		{ LIT("\"\xc0\x80\""), 1 },
		{ LIT("\"\xc1\xbf\""), 1 },
		{ LIT("\"\xc2\""), 1 },
		{ LIT("\"\xc2"), 1 },
		{ LIT("\"\xc2\xc2\""), 1 },
		{ LIT("\"\xe0\x80\x80\""), 1 },
		{ LIT("\"\xe0\x9f\xbf\""), 1 },
		{ LIT("\"\xe2\x82\""), 1 },
		{ LIT("\"\xe2\x82"), 1 },
		{ LIT("\"\xed\xa0\x80\""), 1 },
		{ LIT("\"\xed\xbf\xbf\""), 1 },
		{ LIT("\"\xf0\x80\x80\x80\""), 1 },
		{ LIT("\"\xf0\x8f\xbf\xbf\""), 1 },
		{ LIT("\"\xf0\x9f\x98\""), 1 },
		{ LIT("\"\xf0\x9f\x98"), 1 },
		{ LIT("\"\xf4\x90\x80\x80\""), 1 },
		{ LIT("\"\xf5\x80\x80\x80\""), 1 },
		{ LIT("\"\xff\""), 1 },
		{ LIT("{\"\xff\":1}"), 2 },
		{ LIT("{\"a\x01\":1}"), 3 },
		{ LIT("/* c */{}"), 0 },
		{ LIT("{}//"), 2 },
		{ LIT("{\"a\":undefined}"), 5 },
	};
	struct jscan_error error;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK(scan(bad[i].text, 64, &error) == -1, "refused: case %zu",
		    i);
		CHECK(error.text != NULL && error.offset == bad[i].offset,
		    "case %zu is wrong at byte %zu (said %zu: %s)", i,
		    bad[i].offset, error.offset,
		    error.text == NULL ? "-" : error.text);
	}
}

/* No proper prefix of a text is a text. */
static void
test_cut(void)
{
	const char *text =
	    "{\"model\":\"m\\u00e9\xe2\x82\xac\",\"n\":[1.5e3,"
	    "true,false,null,{\"a\":[]}],\"s\":\"\\ud83d\\ude00\"}";
	size_t i, refused = 0, len = strlen(text);
	struct jscan_error error;

	for (i = 0; i < len; i++)
		if (scan((struct span){ text, i }, 64, &error) == -1 &&
		    error.offset <= i)
			refused++;
	CHECK(refused == len, "each of %zu cut texts is refused", len);
	CHECK(scan(span_of(text), 64, &error) == 0, "the whole is not");
}

static void
test_depth(void)
{
	char text[400000];
	struct jscan_error error;

	memset(text, '[', sizeof(text));
	CHECK(scan((struct span){ text, sizeof(text) }, 64, &error) == -1 &&
		error.offset == 64,
	    "a bomb of brackets ends at level 65");
	CHECK_STR(error.text, "nested too deeply", "and says so");
	CHECK(
	    scan((struct span){ text, sizeof(text) }, 1000000, &error) == -1 &&
		error.offset == JSCAN_DEPTH_MAX,
	    "a cap above the maximum is the maximum");
	CHECK(scan(span_of("[[]]"), 2, &error) == 0, "two levels fit two");
	CHECK(scan(span_of("[[[]]]"), 2, &error) == -1, "three do not");
	CHECK(scan(span_of("7"), 0, &error) == 0, "a scalar needs no level");
	CHECK(scan(span_of("[]"), 0, &error) == -1, "an array needs one");
}

struct trace {
	char text[2000];
	size_t len;
	const char *stop_at;
};

/* One line per value: "key[2].key type raw". */
static int
trace(void *ctx, const struct jscan_value *v)
{
	static const char kinds[] = "oasn tfz";
	struct trace *t = ctx;
	char line[300];
	size_t n = 0;
	unsigned i;

	for (i = 0; i < v->depth; i++) {
		const struct jscan_step *s = &v->path[i];

		if (s->key.p != NULL)
			n += (size_t)snprintf(line + n, sizeof(line) - n,
			    "%s.%.*s#%zu", s->key_escaped ? "\\" : "",
			    SPAN_FMT(s->key), s->index);
		else
			n += (size_t)snprintf(
			    line + n, sizeof(line) - n, "[%zu]", s->index);
	}
	n += (size_t)snprintf(line + n, sizeof(line) - n, " %c%s%s%.*s|",
	    kinds[v->type >= JSCAN_TRUE ? v->type + 1 : v->type],
	    v->begin ? "<" : "", v->escaped ? "\\" : "", SPAN_FMT(v->raw));
	memcpy(t->text + t->len, line, n + 1);
	t->len += n;
	return t->stop_at != NULL && span_is(v->raw, t->stop_at) ? 7 : 0;
}

static void
test_values(void)
{
	struct trace t = { .len = 0 };
	struct jscan_error error;

	CHECK(jscan(span_of(" {\"a\":[1,{\"b\":\"x\\n\"}],\"\\u0063\":true,"
			    "\"\":null} "),
		  64, trace, &t, &error) == 0,
	    "a document with everything");
	CHECK_STR(t.text,
	    " o<|.a#0 a<|.a#0[0] n1|.a#0[1] o<|.a#0[1].b#0 s\\\"x\\n\"|"
	    ".a#0[1] o{\"b\":\"x\\n\"}|.a#0 a[1,{\"b\":\"x\\n\"}]|"
	    "\\.\\u0063#1 ttrue|.#2 znull|"
	    " o{\"a\":[1,{\"b\":\"x\\n\"}],\"\\u0063\":true,\"\":null}|",
	    "comes with paths, begins and ends, raw spans");

	t = (struct trace){ .stop_at = "2" };
	CHECK(jscan(span_of("[1,2,!"), 64, trace, &t, &error) == 7,
	    "a callback ends the scan with its own number");
	CHECK_STR(t.text, " a<|[0] n1|[1] n2|", "at once");
	CHECK(error.text == NULL, "which is no error of the text");
}

static void
check_decode(const char *raw, struct span want, const char *what)
{
	char *out = malloc(strlen(raw) + 1);
	size_t n = jscan_decode(span_of(raw), out);

	CHECK(span_eq((struct span){ out, n }, want), "decodes %s", what);
	free(out);
}

static void
test_decode(void)
{
	check_decode("plain", LIT("plain"), "what has no escapes");
	check_decode("", LIT(""), "nothing");
	check_decode("\\\"\\\\\\/\\b\\f\\n\\r\\t", LIT("\"\\/\b\f\n\r\t"),
	    "each short escape");
	check_decode("a\\u0041b", LIT("aAb"), "an ASCII character");
	check_decode("\\u0000", LIT("\0"), "NUL");
	check_decode("\\u00e9\\u20AC", LIT("\xc3\xa9\xe2\x82\xac"),
	    "two and three bytes");
	check_decode("\\uD83D\\uDE00", LIT("\xf0\x9f\x98\x80"), "a pair");
	check_decode("\\uD83Dx", LIT("\xef\xbf\xbdx"), "a lone high one");
	check_decode("\\uDE00", LIT("\xef\xbf\xbd"), "a lone low one");
	check_decode("\\uD83D\\uD83D\\uDE00",
	    LIT("\xef\xbf\xbd\xf0\x9f\x98\x80"), "a high one before a pair");
	check_decode("\\uD83D\\n", LIT("\xef\xbf\xbd\n"),
	    "a high one before another escape");
	check_decode(
	    "\\uDBFF\\uDFFF", LIT("\xf4\x8f\xbf\xbf"), "the last code point");
}

static void
test_key(void)
{
	struct jscan_step step = { .key = LIT("model") };

	CHECK(jscan_key_is(&step, "model"), "a plain key");
	CHECK(!jscan_key_is(&step, "mode"), "not a part of it");
	CHECK(!jscan_key_is(&step, "modeling"), "not more than it");
	step = (struct jscan_step){ LIT("\\u006dodel"), true, 0 };
	CHECK(jscan_key_is(&step, "model"), "an escaped key is the same key");
	step = (struct jscan_step){ LIT("model\\u0000"), true, 0 };
	CHECK(!jscan_key_is(&step, "model"), "a NUL behind it is another");
	step = (struct jscan_step){ { NULL, 0 }, false, 3 };
	CHECK(!jscan_key_is(&step, ""), "an element has no key");
}

/* Random bytes and random damage: never a crash, and what is accepted once is
 * accepted again. */
static void
test_noise(void)
{
	static const char seed[] = "{\"a\":[1,-2.5e3,\"\\u00e9\xc3\xa9\"],"
				   "\"b\":{\"c\":null,\"d\":[true,false]}}";
	char text[sizeof(seed)];
	struct jscan_error error, again;
	unsigned round, i, bad = 0, good = 0;

	srand(4);
	for (round = 0; round < 20000; round++) {
		memcpy(text, seed, sizeof(seed));
		for (i = 0; i < 1 + round % 3; i++)
			text[(size_t)rand() % (sizeof(seed) - 1)] =
			    (char)(rand() % 256);
		struct span s = { text, (size_t)rand() % sizeof(seed) };
		int rc = scan(s, 64, &error);

		if (rc == 0)
			good++;
		if (rc != scan(s, 64, &again) ||
		    (rc == -1 && error.offset > s.len))
			bad++;
	}
	CHECK(bad == 0, "damaged texts: %u accepted, errors lie inside", good);
}

int
main(void)
{
	test_good();
	test_bad();
	test_cut();
	test_depth();
	test_values();
	test_decode();
	test_key();
	test_noise();
	return check_done();
}

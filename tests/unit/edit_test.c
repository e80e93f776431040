/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How `tailgate setup` edits configuration files as people leave them.  A path
 * is written a|b|c; a result of NULL is a refusal.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "setup/edit.h"
#include "tests/unit/check.h"

struct kase {
	const char *name, *text, *way, *value, *want;
	bool keep;
};

/* The text after the edit, or NULL; the caller frees it. */
static char *
edited(edit_function *edit, const struct kase *k, struct span text)
{
	struct edit e = { .value = k->value, .keep = k->keep };
	char *way = strdup(k->way), *p = way;
	const char *why = NULL;
	struct buf out;

	for (char *key; (key = strsep(&p, "|")) != NULL;)
		e.keys[e.nkeys++] = key;
	buf_init(&out, 1 << 20);
	buf_puts(&out, "");
	if (edit(text, &e, &out, &why) == -1) {
		if (why == NULL || *why == '\0')
			CHECK(false, "%s: says why", k->name);
		buf_free(&out);
		free(way);
		return NULL;
	}
	free(way);
	return out.p;
}

static void
same(const char *name, const char *got, const char *want)
{
	bool is =
	    got == NULL || want == NULL ? got == want : strcmp(got, want) == 0;

	CHECK(is, "%s", name);
	if (!is)
		printf("--- got\n%s\n--- want\n%s\n",
		    got == NULL ? "(refused)" : got,
		    want == NULL ? "(refused)" : want);
}

static void
run(edit_function *edit, const struct kase *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct kase *k = &cases[i];
		char *got = edited(edit, k, span_of(k->text)), *again;

		same(k->name, got, k->want);
		if (got == NULL)
			continue;
		again = edited(edit, k, span_of(got));
		same("a second time", again, got);
		free(again);
		free(got);
	}
}
#define RUN(edit, cases) run(edit, cases, sizeof(cases) / sizeof(cases[0]))

static const struct kase json[] = {
	{ "no file", "", "a", "1", "{\n  \"a\": 1\n}\n", false },
	{ "an empty line", "\n", "a", "1", "{\n  \"a\": 1\n}\n", false },
	{ "an empty object", "{}", "a|b", "1",
	    "{\n  \"a\": {\n    \"b\": 1\n  }\n}", false },
	{ "a value in its place",
	    "{\n\t\"a\": 1, // one\n\t\"b\": [ 2,3 ]\n}\n", "a", "\"x\"",
	    "{\n\t\"a\": \"x\", // one\n\t\"b\": [ 2,3 ]\n}\n", false },
	{ "what is there stays", "{\"a\":1}", "a", "2", "{\"a\":1}", true },
	{ "odd indentation", "{\n     \"z\" : true\n}", "a", "[1,2]",
	    "{\n     \"z\" : true,\n     \"a\": [1, 2]\n}", false },
	{ "a trailing comma", "{\n  \"z\": 1,\n}\n", "a", "2",
	    "{\n  \"z\": 1,\n  \"a\": 2\n}\n", false },
	{ "a comment at the end", "{\n  \"z\": 1 // z\n  // end\n}\n", "a", "2",
	    "{\n  \"z\": 1, // z\n  // end\n  \"a\": 2\n}\n", false },
	{ "a comment with braces", "{ /* } */\n  \"z\": 1 /* , } */\n}", "a",
	    "2", "{ /* } */\n  \"z\": 1, /* , } */\n  \"a\": 2\n}", false },
	{ "only a comment inside", "// top\n{\n  // nothing yet\n}\n", "a", "2",
	    "// top\n{\n  // nothing yet\n  \"a\": 2\n}\n", false },
	{ "CRLF", "{\r\n  \"z\": 1\r\n}\r\n", "m|n", "{\"o\":1}",
	    "{\r\n  \"z\": 1,\r\n  \"m\": {\r\n    \"n\": {\r\n      \"o\": "
	    "1\r\n    }\r\n  }\r\n}\r\n",
	    false },
	{ "on one line", "{\"z\":{\"y\":1}}", "z|a", "2",
	    "{\"z\":{\"y\":1, \"a\":2}}", false },
	{ "into an object", "{\n  \"p\": {\n    \"mine\": {\"x\": 1}\n  }\n}\n",
	    "p|t", "{\"k\":\"v\"}",
	    "{\n  \"p\": {\n    \"mine\": {\"x\": 1},\n    \"t\": {\n      "
	    "\"k\": \"v\"\n    }\n  }\n}\n",
	    false },
	{ "an old entry of ours",
	    "{\n  \"t\": {\n    \"old\": [1]\n  },\n  "
	    "\"b\": 1\n}",
	    "t", "{\"new\":[]}",
	    "{\n  \"t\": {\n    \"new\": []\n  },\n  \"b\": 1\n}", false },
	{ "an escaped key", "{\"\\u0061\": 1}", "a", "2", "{\"\\u0061\": 2}",
	    false },
	{ "a key twice", "{\"a\": 1, \"a\": 2}", "a", "3",
	    "{\"a\": 1, \"a\": 3}", false },
	{ "strings with everything", "{\"s\": \"}\\\"{ // no\", \"a\": 1}", "a",
	    "2", "{\"s\": \"}\\\"{ // no\", \"a\": 2}", false },
	{ "a byte order mark", "\xef\xbb\xbf{\"a\":1}", "a", "2",
	    "\xef\xbb\xbf{\"a\":2}", false },
	{ "an array", "[1]", "a", "2", NULL, false },
	{ "a scalar on the way", "{\"p\": null}", "p|t", "2", NULL, false },
	{ "cut", "{\"a\": [1, 2", "a", "2", NULL, false },
	{ "wrong brackets", "{\"a\": [1}]", "a", "2", NULL, false },
	{ "text after it", "{} {}", "a", "2", NULL, false },
	{ "a comment without an end", "{ /* \"a\": 1 }", "a", "2", NULL,
	    false },
	{ "no comma", "{\"a\": 1 \"b\": 2}", "c", "2", NULL, false },
};

static const struct kase toml[] = {
	{ "no file", "", "a", "1", "a = 1\n", false },
	{ "no file, a table", "", "p|t|k", "1", "[p.t]\nk = 1\n", false },
	{ "before all tables", "[x]\na = 2\n", "a", "1",
	    "a = 1\n\n[x]\na = 2\n", false },
	{ "after the last of the top", "# me\nz = 1\n\n# x\n[x]\n", "a", "1",
	    "# me\nz = 1\na = 1\n\n# x\n[x]\n", false },
	{ "in its place, with its comment", "a  =  \"old\"   # why\nb = 2", "a",
	    "\"new\"", "a  =  \"new\"   # why\nb = 2", false },
	{ "no final newline", "[p.t]\nx = 1", "p|t|k", "2",
	    "[p.t]\nx = 1\nk = 2\n", false },
	{ "no final newline, a new table", "x = 1", "p|k", "2",
	    "x = 1\n\n[p]\nk = 2\n", false },
	{ "the right table", "[p.t]\nk = 1\n[p.u]\nk = 1\n", "p|u|k", "2",
	    "[p.t]\nk = 1\n[p.u]\nk = 2\n", false },
	{ "a table's end", "[p]\nx = 1\n\n# of q\n[q]\ny = 1\n", "p|k", "2",
	    "[p]\nx = 1\nk = 2\n\n# of q\n[q]\ny = 1\n", false },
	{ "a subtable first", "[p.t.auth]\nc = 1\n", "p|t|k", "2",
	    "[p.t.auth]\nc = 1\n\n[p.t]\nk = 2\n", false },
	{ "quoted and dotted keys", "p.\"t\" . 'k' = 1\n", "p|t|k", "2",
	    "p.\"t\" . 'k' = 2\n", false },
	{ "strings of many lines", "s = \"\"\"\n[a]\nk = 1\n\"\"\"\"\nk = 3\n",
	    "k", "2", "s = \"\"\"\n[a]\nk = 1\n\"\"\"\"\nk = 2\n", false },
	{ "arrays of many lines", "s = [ # ]\n  \"]\",\n  '[x]' ]\nk = 3\n",
	    "k", "2", "s = [ # ]\n  \"]\",\n  '[x]' ]\nk = 2\n", false },
	{ "CRLF", "z = 1\r\n[p]\r\nk = 'x' \r\n", "p|k", "2",
	    "z = 1\r\n[p]\r\nk = 2 \r\n", false },
	{ "CRLF, new", "z = 1\r\n", "p|k", "2", "z = 1\r\n\r\n[p]\r\nk = 2\r\n",
	    false },
	{ "a list of tables with the same key", "[[m]]\nk = 1\n", "k", "2",
	    "k = 2\n\n[[m]]\nk = 1\n", false },
	{ "what is there stays", "k = 1\n", "k", "2", "k = 1\n", true },
	{ "taken out", "[p]\na = 1\nk = [\n 1 ] # no\nb = 2\n", "p|k", NULL,
	    "[p]\na = 1\nb = 2\n", false },
	{ "not there to be taken out", "[p]\na = 1", "p|k", NULL, "[p]\na = 1",
	    false },
	{ "in one line", "p = { t = { k = 1 } }\n", "p|t|k", "2", NULL, false },
	{ "an array of tables on the way", "[[p]]\n", "p|k", "2", NULL, false },
	{ "dotted on the way", "[p]\nt.x = 1\n", "p|t|k", "2", NULL, false },
	{ "no TOML", "hello\n", "k", "2", NULL, false },
	{ "a string without an end", "s = \"x\nk = 1\n", "k", "2", NULL,
	    false },
};

static const struct kase yaml[] = {
	{ "no file", "", "a", "1", "a: 1\n", false },
	{ "in its place", "# c\na: old # why\nb: 2\n", "a", "new",
	    "# c\na: new # why\nb: 2\n", false },
	{ "quotes", "\"a\" : 'x # y' # why\n", "a", "1", "\"a\" : 1 # why\n",
	    false },
	{ "at the end, no newline", "---\nz: 1", "a", "2", "---\nz: 1\na: 2\n",
	    false },
	{ "not of another mapping", "z:\n  a: 1\na: 2\n", "a", "3",
	    "z:\n  a: 1\na: 3\n", false },
	{ "nor of a text", "z: |\n  a: 1\nb: 2\n", "a", "3",
	    "z: |\n  a: 1\nb: 2\na: 3\n", false },
	{ "a list in its place", "a:\n- 1\n- 2\nb: 2\n", "a", "3",
	    "a: 3\nb: 2\n", false },
	{ "nested", "e:\n    x: 1\n\n# end\nf: 2\n", "e|k", "3",
	    "e:\n    x: 1\n    k: 3\n\n# end\nf: 2\n", false },
	{ "nested, missing", "f: 2\n", "e|k", "3", "f: 2\ne:\n  k: 3\n",
	    false },
	{ "CRLF", "a: 1\r\n", "b", "2", "a: 1\r\nb: 2\r\n", false },
	{ "only comments", "# a: 1\n", "a", "2", "# a: 1\na: 2\n", false },
	{ "a flow mapping", "{ a: 1 }\n", "a", "2", NULL, false },
	{ "a list", "- a: 1\n", "a", "2", NULL, false },
	{ "tabs", "e:\n\ta: 1\n", "e|a", "2", NULL, false },
	{ "two documents", "a: 1\n---\na: 2\n", "a", "3", NULL, false },
	{ "a flow mapping on the way", "e: { a: 1 }\n", "e|a", "2", NULL,
	    false },
};

#define ITEM "- name: x\n  id: 1\n"
#define B "# tailgate setup: begin\n"
#define E "# tailgate setup: end\n"

static const struct kase lists[] = {
	{ "no file", "", "m", ITEM, "m:\n  " B "  - name: x\n    id: 1\n  " E,
	    false },
	{ "a list of somebody", "m:\n    - name: y\n      id: 2\n\n# z\nz: 1\n",
	    "m", ITEM,
	    "m:\n    - name: y\n      id: 2\n    " B
	    "    - name: x\n      id: 1\n    " E "\n# z\nz: 1\n",
	    false },
	{ "a list that is not indented", "m:\n- name: y\nz: 1\n", "m", ITEM,
	    "m:\n- name: y\n" B "- name: x\n  id: 1\n" E "z: 1\n", false },
	{ "ours of before",
	    "m:\n  " B "  - name: old\n  " E "  - name: y\nz: 1\n", "m", ITEM,
	    "m:\n  " B "  - name: x\n    id: 1\n  " E "  - name: y\nz: 1\n",
	    false },
	{ "an empty one", "m: []\nz: 1\n", "m", ITEM,
	    "m: \n  " B "  - name: x\n    id: 1\n  " E "z: 1\n", false },
	{ "nothing yet, no newline", "m:", "m", ITEM,
	    "m:\n  " B "  - name: x\n    id: 1\n  " E, false },
	{ "below another key", "e:\n  c:\n    - a\n", "e|c", ITEM,
	    "e:\n  c:\n    - a\n    " B "    - name: x\n      id: 1\n    " E,
	    false },
	{ "on one line", "m: [ { name: y } ]\n", "m", ITEM, NULL, false },
};

static const struct kase env[] = {
	{ "no file", "", "K", "v", "K=v\n", false },
	{ "in its place", "A=1\nexport K=old\nB=2\n", "K", "v",
	    "A=1\nexport K=v\nB=2\n", false },
	{ "not a longer name", "KK=1\n#K=2", "K", "v", "KK=1\n#K=2\nK=v\n",
	    false },
	{ "CRLF", "A=1\r\nK=2\r\n", "K", "v", "A=1\r\nK=v\r\n", false },
};

/* A text that is cut anywhere, or has any byte changed, is edited or refused;
 * nothing is read outside of it. */
static void
torn(edit_function *edit, const struct kase *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(cases[i].text);

		for (size_t cut = 0; cut < len; cut++) {
			char *exact = malloc(cut + 1);

			memcpy(exact, cases[i].text, cut);
			free(edited(
			    edit, &cases[i], (struct span){ exact, cut }));
			for (const char *c = "\"'[]{}#\n\\ :-/"; *c != '\0';
			     c++) {
				exact[cut] = *c;
				free(edited(edit, &cases[i],
				    (struct span){ exact, cut + 1 }));
			}
			free(exact);
		}
	}
}
#define TORN(edit, cases) torn(edit, cases, sizeof(cases) / sizeof(cases[0]))

int
main(void)
{
	RUN(edit_json, json);
	RUN(edit_toml, toml);
	RUN(edit_yaml, yaml);
	RUN(edit_yaml_list, lists);
	RUN(edit_env, env);
	TORN(edit_json, json);
	TORN(edit_toml, toml);
	TORN(edit_yaml, yaml);
	TORN(edit_yaml_list, lists);
	TORN(edit_env, env);
	return check_done();
}

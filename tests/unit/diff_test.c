/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Changes to files: they are shown, and undone in a file that has been edited
 * since.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/diff.h"
#include "tests/unit/check.h"

static const struct {
	const char *name, *before, *after, *current, *want;
} cases[] = {
	{ "nothing was changed since", "a\nb\n", "a\nx\nb\n", "a\nx\nb\n",
	    "a\nb\n" },
	{ "lines before and after it", "a\nb\n", "a\nx\nb\n", "0\na\nx\nb\n9\n",
	    "0\na\nb\n9\n" },
	{ "a line replaced", "a\nm = 1\nb\n", "a\nm = 2\nb\n",
	    "a\nm = 2\nb\nc\n", "a\nm = 1\nb\nc\n" },
	{ "a file that was new", "", "x\ny\n", "x\ny\nz\n", "z\n" },
	{ "two places", "a\nb\nc\nd\ne\nf\ng\nh\n",
	    "1\na\nb\nc\nd\ne\nf\ng\nh\n2\n",
	    "1\na\nb\nnew\nc\nd\ne\nf\ng\nh\n2\n",
	    "a\nb\nnew\nc\nd\ne\nf\ng\nh\n" },
	{ "a removed line comes again", "a\nb\nc\n", "a\nc\n", "a\nc\nd\n",
	    "a\nb\nc\nd\n" },
	{ "no final newline", "a\nb", "a\nx\nb", "a\nx\nb\n", "a\nb\n" },
	{ "the line was changed again", "a\nm = 1\nb\n", "a\nm = 2\nb\n",
	    "a\nm = 3\nb\n", NULL },
	{ "it is there twice, alike all around", "}\n", "x\n}\n",
	    "x\n}\nx\n}\n", NULL },
	{ "all of it is gone", "a\n", "a\nx\n", "", NULL },
};

static void
test_take_back(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out;
		int rc;

		buf_init(&out, 65536);
		buf_puts(&out, "");
		rc = diff_take_back(span_of(cases[i].before),
		    span_of(cases[i].after), span_of(cases[i].current), &out);
		CHECK((rc == -1) == (cases[i].want == NULL) &&
			(rc == -1 || strcmp(out.p, cases[i].want) == 0),
		    "%s", cases[i].name);
		buf_free(&out);
	}
}

/* An edit that is far from a change does not prevent the undo, and stays. */
static void
test_random(void)
{
	char before[400], after[400], current[400], want[400];
	unsigned seed = 1, right = 0;

	for (int round = 0; round < 500; round++) {
		size_t n = 20, at = (seed = seed * 1103515245 + 12345) / 7 % n;
		size_t own = (at + 8 + seed / 977 % 4) % n;

		*before = *after = *current = *want = '\0';
		for (size_t i = 0; i < n; i++) {
			char line[16];

			snprintf(line, sizeof(line), "line %zu\n", i);
			if (i == at) {
				strlcat(after, "mine\n", sizeof(after));
				strlcat(current, "mine\n", sizeof(current));
			}
			if (i == own) {
				strlcat(current, "yours\n", sizeof(current));
				strlcat(want, "yours\n", sizeof(want));
			}
			strlcat(before, line, sizeof(before));
			strlcat(after, line, sizeof(after));
			strlcat(current, line, sizeof(current));
			strlcat(want, line, sizeof(want));
		}
		struct buf out;

		buf_init(&out, 65536);
		right += diff_take_back(span_of(before), span_of(after),
			     span_of(current), &out) == 0 &&
		    strcmp(out.p, want) == 0;
		buf_free(&out);
	}
	CHECK(right == 500, "%u of 500 random changes are taken back", right);
}

static void
test_print(void)
{
	struct span hidden[] = { span_of("tg-secret") };
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	diff_print("f", span_of("1\n2\n3\n4\n5\n6\n"),
	    span_of("1\n2\n3\n4\nkey=tg-secret\x1b[m\n6"), hidden, 1, out);
	fclose(out);
	CHECK(strcmp(text,
		  "--- f\n+++ f\n@@ -2,5 +2,5 @@\n 2\n 3\n 4\n-5\n-6\n"
		  "+key=<key>[m\n+6\n\\ No newline at end of file\n") == 0,
	    "a diff without keys and control characters: %s", text);
	free(text);
	out = open_memstream(&text, &len);
	diff_print("f", span_of("1\n"), span_of("1\n"), NULL, 0, out);
	fclose(out);
	CHECK(len == 0, "nothing for nothing");
	free(text);
}

int
main(void)
{
	test_take_back();
	test_random();
	test_print();
	return check_done();
}

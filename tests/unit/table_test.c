/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Tables as a terminal shows them.
 */
#include "config.h"

#include <stdlib.h>

#include "ctl/table.h"
#include "check.h"

static char *
printed(struct table *t)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		exit(99);
	table_print(t, f);
	fclose(f);
	table_free(t);
	return text;
}

static void
test_shape(void)
{
	struct table *t = table_new("name|>tokens|remark");
	char *text;

	table_cell(t, "%s", "a");
	table_number(t, 1234567);
	table_cell(t, "%s", "");
	table_cell(t, "longer %d", 7);
	table_number(t, -12);
	table_cell(t, "%s", "end");
	table_cell(t, "%s", "cut");
	CHECK(table_rows(t) == 2, "rows count when they are whole");
	text = printed(t);
	CHECK_STR(text,
	    "name         tokens  remark\n"
	    "a         1 234 567  -\n"
	    "longer 7        -12  end\n"
	    "cut               -  -\n",
	    "aligned, numbers right, nothing behind the last column");
	free(text);
}

static void
test_numbers(void)
{
	static const struct {
		long long n;
		const char *want;
	} cases[] = {
		{ 0, "n\n0\n" },
		{ 999, "n\n999\n" },
		{ 1000, "n\n1 000\n" },
		{ -1000, "n\n-1 000\n" },
		{ -100, "n\n-100\n" },
		{ 9223372036854775807LL, "n\n9 223 372 036 854 775 807\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct table *t = table_new("n");
		char *text;

		table_number(t, cases[i].n);
		text = printed(t);
		CHECK_STR(text, cases[i].want, "%lld", cases[i].n);
		free(text);
	}
}

static void
test_foreign(void)
{
	struct table *t = table_new("a|b");
	char *text;

	table_cell(t, "%s", "\xc3\xa9t\xc3\xa9");
	table_cell(t, "%s", "x");
	table_cell(t, "%s", "12345");
	table_cell(t, "%s", "\x1b[2Jy\nz");
	text = printed(t);
	CHECK(strncmp(text, "a      b\n\xc3\xa9t\xc3\xa9    x\n", 20) == 0,
	    "widths are characters");
	CHECK(strchr(text, '\x1b') == NULL && strstr(text, "y\nz") == NULL,
	    "no byte of a cell moves the cursor");
	free(text);
}

static void
test_empty(void)
{
	struct table *t = table_new("one|>two");
	char *text;

	CHECK(table_rows(t) == 0, "no rows");
	text = printed(t);
	CHECK_STR(text, "one  two\n", "the titles stand alone");
	free(text);
}

int
main(void)
{
	test_shape();
	test_numbers();
	test_foreign();
	test_empty();
	return check_done();
}

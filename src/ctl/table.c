/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Tables on a terminal, for status, probe, usage and all else that prints rows.
 * Widths are counted in characters, not bytes.
 */
#include "config.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "ctl/table.h"

#define TABLE_COLUMNS_MAX 24
#define TABLE_CELL_MAX 512

struct table {
	size_t ncolumns;
	bool right[TABLE_COLUMNS_MAX];
	size_t width[TABLE_COLUMNS_MAX];
	char **cells; /* the titles first, row by row */
	size_t ncells, size;
};

static size_t
characters(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void
push(struct table *t, const char *text)
{
	size_t column = t->ncells % t->ncolumns;
	char escaped[TABLE_CELL_MAX];
	char *copy;

	if (t->ncells == t->size) {
		t->size = t->size == 0 ? 64 : 2 * t->size;
		t->cells = reallocarray(t->cells, t->size, sizeof(*t->cells));
		if (t->cells == NULL)
			fatal("out of memory for a table");
	}
	log_escape(text, strlen(text), escaped, sizeof(escaped));
	copy = strdup(escaped[0] == '\0' ? "-" : escaped);
	if (copy == NULL)
		fatal("out of memory for a table");
	if (characters(copy) > t->width[column])
		t->width[column] = characters(copy);
	t->cells[t->ncells++] = copy;
}

struct table *
table_new(const char *columns)
{
	struct table *t = calloc(1, sizeof(*t));
	char *titles = strdup(columns), *rest = titles, *title;

	if (t == NULL || titles == NULL)
		fatal("out of memory for a table");
	for (const char *p = columns; p != NULL; p = strchr(p, '|')) {
		p += p != columns;
		if (t->ncolumns == TABLE_COLUMNS_MAX)
			fatal("a table of more than %d columns",
			    TABLE_COLUMNS_MAX);
		t->right[t->ncolumns++] = *p == '>';
	}
	while ((title = strsep(&rest, "|")) != NULL)
		push(t, title + (*title == '>'));
	free(titles);
	return t;
}

void
table_free(struct table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->ncells; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}

void
table_cell(struct table *t, const char *fmt, ...)
{
	char text[TABLE_CELL_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	push(t, text);
}

void
table_number(struct table *t, long long n)
{
	char digits[32], text[48];
	size_t len, out = 0;

	snprintf(digits, sizeof(digits), "%lld", n);
	len = strlen(digits);
	for (size_t i = 0; i < len; i++) {
		size_t left = len - i;

		if (i > (size_t)(n < 0) && left % 3 == 0)
			text[out++] = ' ';
		text[out++] = digits[i];
	}
	text[out] = '\0';
	push(t, text);
}

size_t
table_rows(const struct table *t)
{
	return t->ncells / t->ncolumns - 1;
}

static void
print_row(const struct table *t, char *const *cells, FILE *out)
{
	for (size_t c = 0; c < t->ncolumns; c++) {
		int fill = (int)(t->width[c] - characters(cells[c]));
		bool last = c + 1 == t->ncolumns;

		fprintf(out, "%s%*s%s%*s", c == 0 ? "" : "  ",
		    t->right[c] ? fill : 0, "", cells[c],
		    t->right[c] || last ? 0 : fill, "");
	}
	fputc('\n', out);
}

void
table_print(struct table *t, FILE *out)
{
	while (t->ncells % t->ncolumns != 0)
		push(t, "");
	for (size_t i = 0; i < t->ncells; i += t->ncolumns)
		print_row(t, t->cells + i, out);
}

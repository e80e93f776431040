/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A table for a terminal: cells are given row by row, columns are aligned when
 * it is printed.  Foreign text in a cell (a model's name) is escaped as in the
 * log, so that it cannot move the reader's cursor.
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stddef.h>
#include <stdio.h>

struct table;

/* The columns' titles, separated by '|'; a column whose title begins with
 * '>' aligns right (numbers): "client|model|>tokens in|>cost".  Out of memory
 * is fatal, here and below. */
struct table *table_new(const char *columns);
void table_free(struct table *);

/* Adds a cell; after the last cell of a row the next row begins.  An empty cell
 * is printed as "-". */
void table_cell(struct table *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Adds a number with its thousands apart: "1 234 567". */
void table_number(struct table *, long long);

size_t table_rows(const struct table *);
/* Prints the titles and the rows, with two spaces between columns and nothing
 * after the last one.  An incomplete row is filled up with "-". */
void table_print(struct table *, FILE *);

#endif

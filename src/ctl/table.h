/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A table for a terminal: cells are given row by row, columns are aligned
 * when it is printed.  What is foreign in a cell (a model's name) is escaped
 * as in the log, so that nothing can move the reader's cursor.
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

/* The next cell; after a row's last one the next row begins.  Nothing in it
 * is printed as "-". */
void table_cell(struct table *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A number with thousands apart: "1 234 567". */
void table_number(struct table *, long long);

size_t table_rows(const struct table *);
/* The titles and the rows, two spaces between columns, nothing after the
 * last one.  A row begun is filled up with "-". */
void table_print(struct table *, FILE *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Ledgers given by name: of several hosts at once, whole or in parts, each in
 * its own files or merged by a shipper.
 */
#ifndef LEDGER_NAMED_H
#define LEDGER_NAMED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ledger/read.h"

/* The files, each once, in the order of their first lines; ledger_parts_free()
 * frees *out.  -1: one can't be read, which err says. */
int ledger_named(const char *const *paths, size_t n, struct ledger_part **out,
    FILE *err);

/* --- one chain for each host ---------------------------------------------- */

struct ledger_chain {
	char gateway[256]; /* as in its last line; "" if none has it */
	char was[256]; /* the name before that; "": none */
	uint64_t first_n; /* it begins with this number */
	uint64_t lines, repeated; /* repeated: the same line again */
	struct ledger_tail tail; /* where it ends */
};

#define LEDGER_CHAINS_MAX 4096

/* Follows the chains through the files.  say() gets each finding; report has
 * the sums over all (its tail says nothing).  *chains is the caller's to free,
 * *n of them.  -1 with errno: a file can't be read, or there are more than
 * LEDGER_CHAINS_MAX chains (E2BIG). */
int ledger_verify_named(const struct ledger_part *files, size_t nfiles,
    void (*say)(void *ctx, const char *file, uint64_t line, const char *what),
    void *ctx, struct ledger_report *, struct ledger_chain **chains,
    size_t *n);

/* --- requests that several gateways have ---------------------------------- */

/* A request that a gateway hands on to another has a line in the ledger of
 * each, under one id; the first gateway's is the one whose client asked. */
struct ledger_once;

struct ledger_once *ledger_once_new(void);
void ledger_once_free(struct ledger_once *);
/* First all lines, */
void ledger_once_note(struct ledger_once *, const struct ledger_line *);
/* then: is this line of the first gateway whose ledger is given? */
bool ledger_once_is_first(
    const struct ledger_once *, const struct ledger_line *);
/* Was the same line asked about before?  (It was shipped twice.) */
bool ledger_once_again(struct ledger_once *, const struct ledger_line *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The chain that holds a ledger's lines together.
 *
 * A line ends with its number and with the hash of the line before:
 *
 *     …,"n":17,"prev":"0f3c…32 hex digits…"}
 *
 * The hash is the first half of the SHA-256 of the line's bytes without the
 * newline.  A line that does not end so was torn (a full disk, a lost write):
 * its hash is taken over the hash before it and its bytes, so that the chain
 * includes it.  The first line of all has number 1 and a prev of zeros; the
 * first line of a new file continues the old one.
 *
 * The number and hash of the last line are kept as a record, together with the
 * file and size that they belong to: by each ledger's process in its memory,
 * and once a second in a file beside the ledger.  If a record does not match
 * the ledger (a writer died between its line and the record, it is old, it was
 * lost), they are computed from the lines after it.
 */
#ifndef LEDGER_CHAIN_H
#define LEDGER_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define LEDGER_HASH_LEN 32
/* Room for the tries of a model with the most targets, each with the longest
 * names. */
#define LEDGER_LINE_MAX (256 * 1024)

struct ledger_tail {
	uint64_t n; /* of the last line; 0: there is none */
	uint64_t dev, ino; /* the file that contains it */
	int64_t size; /* of that file after the last line */
	char hash[LEDGER_HASH_LEN + 1];
};

/* No line yet. */
void ledger_tail_init(struct ledger_tail *);
/* The stored form of the tail; a check detects one that was written in part. */
struct ledger_record {
	uint64_t magic;
	uint64_t n, dev, ino;
	int64_t size;
	char hash[LEDGER_HASH_LEN];
	unsigned char check[8];
};

/* The record in a file; -1 if there is none, or it is damaged. */
int ledger_tail_read(int fd, struct ledger_tail *);
int ledger_tail_write(int fd, const struct ledger_tail *);

/* Advances over one line (without its newline). */
void ledger_tail_push(struct ledger_tail *, struct span line);
/* The number and prev at the end of a whole line; false: it is torn. */
bool ledger_line_end(struct span line, uint64_t *n, struct span *prev);

/* Advances over the file's bytes after tail->size; a rest without a newline
 * counts as a line. */
int ledger_tail_follow(int fd, struct ledger_tail *);
/* Computes the tail from the file's end, without a record. */
int ledger_tail_derive(int fd, struct ledger_tail *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Between the files estimate*.c only.
 */
#ifndef POLICY_ESTIMATE_INTERNAL_H
#define POLICY_ESTIMATE_INTERNAL_H

#include <stdint.h>

#define TOKEN 8 /* the unit is an eighth of one */
#define RUN_MASK 63

enum kind { SPACE, BREAK, LOWER, UPPER, DIGIT, PUNCT, WIDE, KINDS };

struct script;

struct estimate {
	const unsigned char *p, *end;
	const struct script *script; /* of the last character */
	unsigned before; /* the kind of the last character */
	unsigned run; /* letters of the word so far */
	uint64_t units;
};

/* Counts what comes as long as it is 64 characters of ASCII at a time; there is
 * one before it.  Where the processor has no instructions for that, nothing. */
void estimate_blocks(struct estimate *);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The escapes of JSON strings (RFC 8259 §7), one at a time.
 */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include <stddef.h>
#include <stdint.h>

/* The character of the escape \uXXXX at p, a pair of surrogates as one; a lone
 * surrogate is U+FFFD.  *used is its bytes, 6 or 12.  -1: no such escape ends
 * before end. */
int32_t escape_code(const char *p, const char *end, size_t *used);
/* What a letter after the backslash stands for (n: a line feed, and so on);
 * -1: it is none of those. */
int escape_letter(char c);

#endif

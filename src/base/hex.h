/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hexadecimal digits, both ways.
 */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stddef.h>
#include <stdint.h>

#define HEX_DIGITS "0123456789abcdef"

/* The value of a digit; -1: it is none. */
static inline int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The value of the n (up to 7) digits at p; -1: fewer are left before end. */
static inline int32_t
hex_number(const char *p, const char *end, size_t n)
{
	int32_t value = 0;

	if ((size_t)(end - p) < n)
		return -1;
	for (size_t i = 0; i < n; i++) {
		int digit = hex_value(p[i]);

		if (digit == -1)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

/* Writes 2 * n digits, no NUL; returns where they end. */
static inline char *
hex_text(const unsigned char *bytes, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++) {
		*out++ = HEX_DIGITS[bytes[i] >> 4];
		*out++ = HEX_DIGITS[bytes[i] & 15];
	}
	return out;
}

#endif

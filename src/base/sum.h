/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Sums that stay within their type: the maximum if they would overflow, 0 if a
 * difference would be negative.
 */
#ifndef BASE_SUM_H
#define BASE_SUM_H

#include <stdint.h>

static inline uint64_t
sum_u64(uint64_t a, uint64_t b)
{
	return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}

/* Neither is negative. */
static inline int64_t
sum_i64(int64_t a, int64_t b)
{
	return b > INT64_MAX - a ? INT64_MAX : a + b;
}

static inline uint64_t
sum_minus_u64(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Comparing sixteen bytes at a time.
 */
#ifndef BASE_LANES_H
#define BASE_LANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes that are looked at together: an extension of GCC and clang, which
 * they map to the processor's vector instructions.  An i686 has none, and
 * then it takes longer than one byte after the other. */
#define LANES 16
#if defined __GNUC__ && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && \
    !(defined __i386__ && !defined __SSE2__)
#define HAS_LANES 1
typedef signed char lanes __attribute__((vector_size(LANES)));
#endif

#ifdef HAS_LANES
#define LANES_ALL(c) { c, c, c, c, c, c, c, c, c, c, c, c, c, c, c, c }

#ifdef __SSE2__
#define HAS_LANES_MASK 1

/* A bit for each byte, which is 0 or all ones, as comparing makes it. */
static inline unsigned
lanes_mask(lanes x)
{
	return (unsigned)__builtin_ia32_pmovmskb128(
	    (char __attribute__((vector_size(LANES))))x);
}
#endif

/* The place of the first byte that is all ones, where all others are 0; LANES:
 * there is none. */
static inline size_t
lanes_first(lanes x)
{
#ifdef HAS_LANES_MASK
	unsigned mask = lanes_mask(x);

	return mask == 0 ? LANES : (size_t)__builtin_ctz(mask);
#else
	uint64_t half[2];

	memcpy(half, &x, sizeof(x));
	if (half[0] != 0)
		return (size_t)__builtin_ctzll(half[0]) / 8;
	return half[1] == 0 ? LANES : 8 + (size_t)__builtin_ctzll(half[1]) / 8;
#endif
}
#endif

#endif

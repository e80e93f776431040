/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * FNV-1a in 64 bits (Fowler, Noll, Vo): for tables and marks whose input an
 * attacker does not choose, or may collide without harm.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HASH_SEED UINT64_C(0xcbf29ce484222325)

static inline uint64_t
hash_byte(uint64_t h, unsigned char byte)
{
	return (h ^ byte) * UINT64_C(0x100000001b3);
}

/* h: HASH_SEED, or the hash of what came before. */
static inline uint64_t
hash_more(uint64_t h, const void *p, size_t len)
{
	const unsigned char *bytes = p;

	for (size_t i = 0; i < len; i++)
		h = hash_byte(h, bytes[i]);
	return h;
}

/* A text and its end, so that "ab" "c" and "a" "bc" differ. */
static inline uint64_t
hash_text(uint64_t h, const char *text)
{
	return hash_byte(hash_more(h, text, strlen(text)), 0xff);
}

/* For tables in which 0 is an empty place. */
static inline uint64_t
hash_not_0(uint64_t h)
{
	return h == 0 ? 1 : h;
}

#endif

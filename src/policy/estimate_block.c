/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how 64 characters of ASCII are counted at once: a bit for each says of
 * what kind it is, shifted by one what is before it, and most of the table of
 * pairs (estimate.c) is how many bits there are of two kinds.
 */
#include "config.h"

#include <stdbool.h>

#include "base/lanes.h"
#include "policy/estimate_internal.h"

#ifdef HAS_LANES_MASK
#define BLOCK 64

struct masks {
	uint64_t lower, upper, digit, space, breaks;
	uint64_t same; /* as the character before */
};

static void
masks_add(struct masks *m, const unsigned char *p, unsigned at)
{
	static const lanes a = LANES_ALL('a'), z = LANES_ALL('z'),
			   A = LANES_ALL('A'), Z = LANES_ALL('Z'),
			   zero = LANES_ALL('0'), nine = LANES_ALL('9'),
			   blank = LANES_ALL(' '), del = LANES_ALL(0x7f);
	lanes x, before;

	memcpy(&x, p + at, sizeof(x));
	memcpy(&before, p + at - 1, sizeof(before));
	m->lower |= (uint64_t)lanes_mask((x >= a) & (x <= z)) << at;
	m->upper |= (uint64_t)lanes_mask((x >= A) & (x <= Z)) << at;
	m->digit |= (uint64_t)lanes_mask((x >= zero) & (x <= nine)) << at;
	m->space |= (uint64_t)lanes_mask(x == blank) << at;
	m->breaks |= (uint64_t)lanes_mask((x < blank) | (x == del)) << at;
	m->same |= (uint64_t)lanes_mask(x == before) << at;
}

/* Of the 64 bytes at p, before which there is one; false: not all of them are
 * ASCII. */
static bool
masks_read(struct masks *m, const unsigned char *p)
{
	lanes x[4];

	memcpy(x, p, sizeof(x));
	if (lanes_mask(x[0] | x[1] | x[2] | x[3]) != 0)
		return false;
	*m = (struct masks){ 0 };
	for (unsigned at = 0; at < BLOCK; at += LANES)
		masks_add(m, p, at);
	return true;
}

/* Of so many letters of a word; see letter_units. */
static unsigned
word_tokens(unsigned n)
{
	unsigned rest = n & RUN_MASK;

	return n / (RUN_MASK + 1) * (RUN_MASK / 3) +
	    (rest == 0         ? 0
		    : rest < 6 ? 1
			       : rest / 3);
}

static unsigned
ones(uint64_t bits)
{
	return (unsigned)__builtin_popcountll(bits);
}

/* How many bits from the first one on are set. */
static unsigned
first_ones(uint64_t bits)
{
	return bits == UINT64_MAX ? 64 : (unsigned)__builtin_ctzll(~bits);
}

/* What its words cost.  goes_on: the letters that are in the same word as the
 * character before. */
static uint64_t
block_words(struct estimate *e, uint64_t letters, uint64_t goes_on)
{
	uint64_t starts = letters & ~goes_on, tokens = ones(starts), longer;
	unsigned n = first_ones(goes_on), at;

	if (n > 0) {
		tokens += word_tokens(e->run + n) - word_tokens(e->run);
		e->run = ((e->run + n - 1) & RUN_MASK) + 1;
	}
	/* More than one token is what six letters have. */
	longer = goes_on & goes_on >> 1;
	longer &= longer >> 2 & goes_on >> 4;
	for (longer = starts & longer >> 1; longer != 0; longer &= longer - 1) {
		at = (unsigned)__builtin_ctzll(longer);
		n = 1 + first_ones(goes_on >> at >> 1);
		tokens += word_tokens(n) - 1;
	}
	if (letters >> 63 != 0 && starts != 0) {
		at = 63 - (unsigned)__builtin_clzll(starts);
		e->run = 64 - at;
	}
	return tokens * TOKEN;
}

static enum kind
last_kind(const struct masks *m)
{
	return m->lower >> 63 ? LOWER
	    : m->upper >> 63  ? UPPER
	    : m->digit >> 63  ? DIGIT
	    : m->space >> 63  ? SPACE
	    : m->breaks >> 63 ? BREAK
			      : PUNCT;
}

/* A bit for each character after one of that kind. */
static uint64_t
after(uint64_t kind, bool before)
{
	return kind << 1 | before;
}

/* 64 characters of ASCII: the sum over the table of pairs. */
static void
take_block(struct estimate *e, const struct masks *m)
{
	unsigned was = e->before;
	uint64_t letters = m->lower | m->upper;
	uint64_t punct = ~(letters | m->digit | m->space | m->breaks);
	uint64_t more = punct & after(punct, was == PUNCT);
	uint64_t breaks = after(m->breaks, was == BREAK);
	uint64_t goes_on = letters &
	    after(letters, was == LOWER || was == UPPER) &
	    ~(m->upper & after(m->lower, was == LOWER));

	e->units +=
	    8 * ones(m->digit | (punct & ~more) | (m->breaks & ~breaks));
	e->units += 4 * ones(more & ~m->same) + 2 * ones(more & m->same);
	e->units += ones((m->breaks & breaks) |
	    (m->space & (breaks | after(m->space, was == SPACE))));
	e->units += block_words(e, letters, goes_on);
	e->before = last_kind(m);
	e->p += BLOCK;
}

void
estimate_blocks(struct estimate *e)
{
	struct masks m;

	while (e->end - e->p >= BLOCK && masks_read(&m, e->p))
		take_block(e, &m);
}
#else
void
estimate_blocks(struct estimate *e)
{
	(void)e;
}
#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How many tokens a text is, without a tokenizer: hides the rule of thumb.  The
 * plan compares the sum with a target's context before anything is sent.
 *
 * Tokenizers differ; the rule leans to the side of those that local models
 * use (one token per digit, few merges outside of English):
 *  a word of ASCII letters   1 token up to five letters, 1 more for each
 *                            further three begun; a capital after a small
 *                            letter begins a new word
 *  a digit                   1
 *  punctuation               1, and 1/2 for each that follows at once, 1/4
 *                            where it is the same again
 *  one space                 0; each further white space 1/8
 *  a line break, a tab       1, and 1/8 for white space that follows at once
 *  Latin letters with marks  3/4 beside being a letter of their word
 *  other characters          by their script, see the table
 * A text of megabytes is no rarity: 64 characters of ASCII are counted at once
 * (estimate_block.c), and one by one they cost
 * two table look-ups each and no branch that could be mispredicted.
 */
#include "config.h"

#include <stdint.h>

#include "policy/estimate.h"
#include "policy/estimate_internal.h"

/* Longer texts are sampled. */
#define SAMPLE_OVER_BYTES ((size_t)64 * 1024)
#define SAMPLE_BYTES ((size_t)32 * 1024)
#define BLOCK_BYTES ((size_t)257) /* one, and then 64 at once */
/* Of a request's texts the first are counted whole, then one byte in so many;
 * and when PART_BYTES of those have been counted, fewer. */
#define WHOLE_BYTES ((size_t)8 * 1024)
#define PART_BYTES ((size_t)16 * 1024)
#define FIRST_SHARE 12
#define LATER_SHARE 48

struct script {
	uint32_t first, last;
	unsigned units; /* of a character */
	bool letter; /* also a letter of the Latin word it is in */
};

/* In order.  Measured against the vocabularies of cl100k, o200k, Llama 3 and
 * Qwen 2 (tests/unit/call_test.c); where they differ, between them. */
static const struct script scripts[] = {
	{ 0x80, 0xbf, 8, false }, /* Latin-1 signs */
	{ 0xc0, 0x24f, 6, true }, /* Latin with marks */
	{ 0x250, 0x36f, 10, false }, /* phonetic, combining */
	{ 0x370, 0x3ff, 8, false }, /* Greek */
	{ 0x400, 0x52f, 4, false }, /* Cyrillic */
	{ 0x530, 0x58f, 12, false }, /* Armenian */
	{ 0x590, 0x5ff, 8, false }, /* Hebrew */
	{ 0x600, 0x77f, 7, false }, /* Arabic */
	{ 0x780, 0x8ff, 12, false }, /* Thaana .. Arabic extended */
	{ 0x900, 0x97f, 10, false }, /* Devanagari */
	{ 0x980, 0xdff, 14, false }, /* the other scripts of India */
	{ 0xe00, 0xe7f, 8, false }, /* Thai */
	{ 0xe80, 0x10ff, 16, false }, /* Lao, Tibetan, Myanmar, Georgian */
	{ 0x1100, 0x11ff, 8, false }, /* Hangul letters */
	{ 0x1200, 0x1dff, 18, false }, /* Ethiopic .. Khmer .. */
	{ 0x1e00, 0x1eff, 6, true }, /* Vietnamese */
	{ 0x1f00, 0x1fff, 16, false }, /* old Greek */
	{ 0x2000, 0x206f, 8, false }, /* punctuation */
	{ 0x2070, 0x24ff, 12, false }, /* arrows, mathematics */
	{ 0x2500, 0x25ff, 8, false }, /* boxes */
	{ 0x2600, 0x2dff, 14, false }, /* symbols */
	{ 0x2e00, 0x303f, 8, false }, /* CJK punctuation */
	{ 0x3040, 0x30ff, 8, false }, /* Kana */
	{ 0x3100, 0x4dff, 16, false }, /* rare Han */
	{ 0x4e00, 0x9fff, 10, false }, /* Han */
	{ 0xa000, 0xabff, 18, false }, /* Yi, Javanese .. */
	{ 0xac00, 0xd7ff, 9, false }, /* Hangul syllables */
	{ 0xd800, 0xfdff, 18, false }, /* private use, compatibility */
	{ 0xfe00, 0xfe1f, 8, false }, /* variation selectors */
	{ 0xfe20, 0xffff, 10, false }, /* wide forms */
	{ 0x10000, UINT32_MAX, 24, false }, /* emoji, ancient, rare Han */
};

static uint32_t
decode(const struct estimate *e, size_t *len)
{
	const unsigned char *p = e->p;
	size_t left = (size_t)(e->end - p);

	*len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] < 0xc2 || left < *len) {
		*len = 1;
		return 0xfffd;
	}
	if (*len == 2)
		return (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
	if (*len == 3)
		return (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 |
		    (p[2] & 0x3fu);
	return (p[0] & 7u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 |
	    (p[3] & 0x3fu);
}

/* A text usually stays in one script: the last one is tried first. */
static const struct script *
script_of(const struct script *last, uint32_t code)
{
	if (code < last->first || code > last->last)
		for (last = scripts; code > last->last; last++)
			continue;
	return last;
}

/* What a character of a kind costs after one of another, and whether it goes
 * on with the word before. */
struct pair {
	uint8_t units[2]; /* [1]: it is the same character again */
	uint8_t letter; /* all bits: it is one */
	uint8_t goes_on; /* all bits: it is in the same word */
};

#define WORD                          \
	{                             \
		{ 0, 0 }, RUN_MASK, 0 \
	}
#define SAME                                 \
	{                                    \
		{ 0, 0 }, RUN_MASK, RUN_MASK \
	}
#define COST(n)                \
	{                      \
		{ n, n }, 0, 0 \
	}
#define AGAIN(n, same)            \
	{                         \
		{ n, same }, 0, 0 \
	}

/* [before][now]; the columns: SPACE BREAK LOWER UPPER DIGIT PUNCT WIDE */
static const struct pair pairs[KINDS][KINDS] = {
	[SPACE] = { COST(1), COST(8), WORD, WORD, COST(8), COST(8), COST(0) },
	[BREAK] = { COST(1), COST(1), WORD, WORD, COST(8), COST(8), COST(0) },
	[LOWER] = { COST(0), COST(8), SAME, WORD, COST(8), COST(8), COST(0) },
	[UPPER] = { COST(0), COST(8), SAME, SAME, COST(8), COST(8), COST(0) },
	[DIGIT] = { COST(0), COST(8), WORD, WORD, COST(8), COST(8), COST(0) },
	[PUNCT] = { COST(0), COST(8), WORD, WORD, COST(8), AGAIN(4, 2),
	    COST(0) },
	[WIDE] = { COST(0), COST(8), WORD, WORD, COST(8), COST(8), COST(0) },
};

/* What the nth letter of a word adds.  After 63 letters it starts over: such
 * words do not exist, and no rule fits a run of letters that is not a word. */
static const uint8_t letter_units[RUN_MASK + 1] = { 0, TOKEN, 0, 0, 0, 0, TOKEN,
	0, 0, TOKEN, 0, 0, TOKEN, 0, 0, TOKEN, 0, 0, TOKEN, 0, 0, TOKEN, 0, 0,
	TOKEN, 0, 0, TOKEN, 0, 0, TOKEN, 0, 0, TOKEN, 0, 0, TOKEN, 0, 0, TOKEN,
	0, 0, TOKEN, 0, 0, TOKEN, 0, 0, TOKEN, 0, 0, TOKEN, 0, 0, TOKEN, 0, 0,
	TOKEN, 0, 0, TOKEN, 0, 0, TOKEN };

static const uint8_t kinds[128] = { BREAK, BREAK, BREAK, BREAK, BREAK, BREAK,
	BREAK, BREAK, BREAK, BREAK, BREAK, BREAK, BREAK, BREAK, BREAK, BREAK,
	BREAK, BREAK, BREAK, BREAK, BREAK, BREAK, BREAK, BREAK, BREAK, BREAK,
	BREAK, BREAK, BREAK, BREAK, BREAK, BREAK, SPACE, PUNCT, PUNCT, PUNCT,
	PUNCT, PUNCT, PUNCT, PUNCT, PUNCT, PUNCT, PUNCT, PUNCT, PUNCT, PUNCT,
	PUNCT, PUNCT, DIGIT, DIGIT, DIGIT, DIGIT, DIGIT, DIGIT, DIGIT, DIGIT,
	DIGIT, DIGIT, PUNCT, PUNCT, PUNCT, PUNCT, PUNCT, PUNCT, PUNCT, UPPER,
	UPPER, UPPER, UPPER, UPPER, UPPER, UPPER, UPPER, UPPER, UPPER, UPPER,
	UPPER, UPPER, UPPER, UPPER, UPPER, UPPER, UPPER, UPPER, UPPER, UPPER,
	UPPER, UPPER, UPPER, UPPER, UPPER, PUNCT, PUNCT, PUNCT, PUNCT, PUNCT,
	PUNCT, LOWER, LOWER, LOWER, LOWER, LOWER, LOWER, LOWER, LOWER, LOWER,
	LOWER, LOWER, LOWER, LOWER, LOWER, LOWER, LOWER, LOWER, LOWER, LOWER,
	LOWER, LOWER, LOWER, LOWER, LOWER, LOWER, LOWER, PUNCT, PUNCT, PUNCT,
	PUNCT, BREAK };

/* The next characters as long as they are ASCII, up to `most`. */
static void
take_ascii(struct estimate *e, size_t most)
{
	const unsigned char *p = e->p, *end = p + most;
	unsigned before = e->before, now, run = e->run;
	unsigned last = before == PUNCT ? p[-1] : 0;
	uint64_t units = 0;

	for (; p < end && *p < 0x80; p++) {
		const struct pair *pair;

		now = kinds[*p];
		pair = &pairs[before][now];
		run = (run & pair->goes_on) + 1;
		units +=
		    pair->units[*p == last] + letter_units[run & pair->letter];
		before = now;
		last = *p;
	}
	e->units += units;
	e->before = before;
	e->run = run;
	e->p = p;
}

/* A character that is not. */
static void
take_wide(struct estimate *e)
{
	size_t len;
	uint32_t code = decode(e, &len);

	e->script = script_of(e->script, code);
	e->units += e->script->units;
	e->p += len;
	if (!e->script->letter) {
		e->before = WIDE;
		return;
	}
	e->run = (e->run & pairs[e->before][LOWER].goes_on) + 1;
	e->units += letter_units[e->run & RUN_MASK];
	e->before = LOWER;
}

static uint64_t
count_units(const unsigned char *p, size_t len)
{
	struct estimate e = {
		.p = p, .end = p + len, .script = scripts, .before = WIDE
	};

	while (e.p < e.end) {
		if (*e.p < 0x80)
			take_ascii(&e, e.p == p ? 1 : (size_t)(e.end - e.p));
		else
			take_wide(&e);
		estimate_blocks(&e);
	}
	return e.units;
}

/* The next block at `at`; it does not begin inside a character. */
static uint64_t
block_units(const unsigned char *p, size_t len, size_t at, size_t *seen)
{
	size_t n = len - at < BLOCK_BYTES ? len - at : BLOCK_BYTES, skip = 0;

	while (skip < n && (p[at + skip] & 0xc0) == 0x80)
		skip++;
	*seen += n;
	return count_units(p + at + skip, n - skip);
}

/* In blocks spread over its length: each MB would cost 1.3 ms, and the rule
 * is less exact than the sample. */
static uint64_t
sample_units(const unsigned char *p, size_t len)
{
	size_t step = len / (SAMPLE_BYTES / BLOCK_BYTES), seen = 0;
	uint64_t units = 0;

	for (size_t at = 0; at < len; at += step)
		units += block_units(p, len, at, &seen);
	return (uint64_t)((double)units * (double)len / (double)seen);
}

uint64_t
estimate_tokens(struct span text)
{
	const unsigned char *p = (const unsigned char *)text.p;
	uint64_t units;

	if (text.len == 0)
		return 0;
	units = text.len > SAMPLE_OVER_BYTES ? sample_units(p, text.len)
					     : count_units(p, text.len);
	return (units + TOKEN - 1) / TOKEN;
}

/* The tokens of the part, scaled up from the sample. */
static uint64_t
part_tokens(const struct estimate_sum *sum)
{
	double units;

	if (sum->sample_bytes == 0)
		return 0;
	units = (double)sum->sample_units * (double)sum->part_bytes /
	    (double)sum->sample_bytes;
	return ((uint64_t)units + TOKEN - 1) / TOKEN;
}

/* Half a step to one and a half, because the turns of a conversation are
 * periodic. */
static size_t
next_step(struct estimate_sum *sum)
{
	size_t step = BLOCK_BYTES * (sum->later ? LATER_SHARE : FIRST_SHARE);

	sum->seed = sum->seed * 1664525 + 1013904223;
	return step / 2 + (sum->seed >> 8) % step;
}

/* Later text may be of another kind: each part is scaled by its own sample. */
static void
end_part(struct estimate_sum *sum)
{
	sum->tokens += part_tokens(sum);
	sum->sample_units = 0;
	sum->sample_bytes = sum->part_bytes = 0;
	sum->later = true;
	sum->next_at = next_step(sum) / 2;
}

/* The blocks of the part that lie in this text; of a short one all of it. */
static void
add_sample(struct estimate_sum *sum, const unsigned char *p, size_t len)
{
	size_t begin = sum->part_bytes, most = 0, at;

	if (len > BLOCK_BYTES)
		most = len - BLOCK_BYTES;
	sum->part_bytes += len;
	while (sum->next_at < sum->part_bytes) {
		at = sum->next_at - begin;
		sum->sample_units += block_units(
		    p, len, at < most ? at : most, &sum->sample_bytes);
		sum->next_at += next_step(sum);
	}
	if (sum->sample_bytes >= PART_BYTES)
		end_part(sum);
}

void
estimate_add(struct estimate_sum *sum, struct span text)
{
	if (text.len == 0)
		return;
	if (sum->whole_bytes < WHOLE_BYTES) {
		sum->tokens += estimate_tokens(text);
		sum->whole_bytes += text.len;
	} else
		add_sample(sum, (const unsigned char *)text.p, text.len);
}

uint64_t
estimate_total(const struct estimate_sum *sum)
{
	return sum->tokens + part_tokens(sum);
}

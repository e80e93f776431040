/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * How many tokens a text is, without a tokenizer: hides the rule of thumb.
 * The plan holds its sum against a target's context before anything is sent.
 *
 * Tokenizers differ; the rule leans to the side of those that local models
 * use (one token per digit, few merges outside of English).  In eighths of a
 * token:
 *  a word of ASCII letters   1 token up to five letters, 1 more for each
 *                            further three; a capital after a small letter
 *                            begins a new word
 *  a digit                   1
 *  punctuation               1, and 1/2 for each that follows at once; a run
 *                            of one and the same: 1, and 1/4 for each further
 *  one space                 0; other white space 1 per run, and 1 for each
 *                            further 16
 *  Latin letters with marks  3/4 beside being a letter of their word
 *  other characters          by their script, see the table
 */
#include "config.h"

#include <stdint.h>

#include "policy/call.h"

#define TOKEN UINT64_C(8) /* the unit */

struct script {
	uint32_t first, last;
	unsigned units; /* of a character */
	bool letter; /* also a letter of the Latin word it stands in */
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

struct estimate {
	const unsigned char *p, *end;
	const struct script *script; /* of the last character */
	uint64_t units;
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

/* Texts stay in a script: the last one is tried first. */
static const struct script *
script_of(const struct script *last, uint32_t code)
{
	if (code < last->first || code > last->last)
		for (last = scripts; code > last->last; last++)
			continue;
	return last;
}

/* A character that is not ASCII; is it a letter of a Latin word? */
static bool
take_wide(struct estimate *e)
{
	size_t len;
	uint32_t code = decode(e, &len);

	e->script = script_of(e->script, code);
	e->units += e->script->units;
	e->p += len;
	return e->script->letter;
}

static bool
is_lower(unsigned char c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_upper(unsigned char c)
{
	return c >= 'A' && c <= 'Z';
}

static uint64_t
word_units(size_t letters)
{
	return letters <= 5 ? TOKEN : TOKEN * (1 + (letters - 3) / 3);
}

/* May begin a letter of Latin with marks (U+00C0.., U+1E00..). */
static bool
is_marked(unsigned char c)
{
	return (c >= 0xc3 && c <= 0xc9) || c == 0xe1;
}

/* Capitals, then small letters: "JSONObject" is one, "camelCase" two. */
static void
take_word(struct estimate *e)
{
	const unsigned char *start;
	size_t letters = 0;

	for (start = e->p; e->p < e->end && is_upper(*e->p);)
		e->p++;
	for (;;) {
		while (e->p < e->end && is_lower(*e->p))
			e->p++;
		letters += (size_t)(e->p - start);
		if (e->p == e->end || !is_marked(*e->p) || !take_wide(e))
			break;
		letters++;
		start = e->p;
	}
	if (letters > 0)
		e->units += word_units(letters);
}

static void
take_space(struct estimate *e)
{
	const unsigned char *start = e->p;
	size_t n;

	while (e->p < e->end && (*e->p <= ' ' || *e->p == 0x7f))
		e->p++;
	n = (size_t)(e->p - start);
	if (n > 1 || *start != ' ')
		e->units += TOKEN * (1 + n / 16);
}

static bool
is_punctuation(unsigned char c)
{
	return c > ' ' && c < 0x7f && !is_lower(c) && !is_upper(c) &&
	    (c < '0' || c > '9');
}

static void
take_punctuation(struct estimate *e)
{
	const unsigned char *start = e->p;

	for (; e->p < e->end && is_punctuation(*e->p); e->p++)
		if (e->p == start)
			e->units += TOKEN;
		else
			e->units += *e->p == e->p[-1] ? TOKEN / 4 : TOKEN / 2;
}

uint64_t
call_estimate(struct span text)
{
	const unsigned char *p = (const unsigned char *)text.p;
	struct estimate e = { .p = p, .end = p + text.len, .script = scripts };

	while (e.p < e.end) {
		if (is_lower(*e.p) || is_upper(*e.p) || is_marked(*e.p))
			take_word(&e);
		else if (*e.p <= ' ' || *e.p == 0x7f)
			take_space(&e);
		else if (*e.p >= 0x80)
			take_wide(&e);
		else if (*e.p <= '9' && *e.p >= '0') {
			e.units += TOKEN;
			e.p++;
		} else
			take_punctuation(&e);
	}
	return (e.units + TOKEN - 1) / TOKEN;
}

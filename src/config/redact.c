/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how providers print keys.  It searches views of the text (in lower
 * case, decoded up to LAYERS times), whose bytes know where they came from. It
 * reads errors, comments, single header values, and what sieve.c finds
 * suspicious, so it need not be fast.
 */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "base/utf8.h"
#include "config/redact.h"
#include "config/redact_view.h"
#include "config/secrets.h"

#define BLOCK 6 /* REDACT_PIECE_MIN bytes in a row have an aligned one */
#define BASE64_MIN 14 /* letters in a row that are looked at */
#define SHOWN_MIN 4 /* letters of a key that reveal something about it */
#define LAYERS 2 /* JSON within a string of JSON */
#define MASKS_INSIDE 32 /* how far masks within others are followed */
#define WORDS_BACK 32 /* "ending in" is so close before its letters */

/* Which keys are looked for. */
enum which { ALL, ONLY_LONG, ONLY_SHORT };

struct cover {
	struct span text; /* the original */
	char *out; /* the same; NULL: only search */
	const struct redact_view *view;
	enum which which;
	bool found;
};

static void
cover(struct cover *c, size_t at, size_t len)
{
	const struct redact_view *v = c->view;

	c->found = true;
	if (c->out != NULL)
		memset(
		    c->out + v->from[at], '*', v->from[at + len] - v->from[at]);
}

/* ---- what is looked for ----------------------------------------------- */

static bool
is_word(char c)
{
	return isalnum((unsigned char)c);
}

/* Whole, as a word of its own. */
static void
find_short(struct cover *c, struct span key)
{
	const struct redact_view *v = c->view;
	const char *end = v->p + v->len, *p = v->p;

	while ((p = memmem(p, (size_t)(end - p), key.p, key.len)) != NULL) {
		if ((p == v->p || !is_word(p[-1])) &&
		    (p + key.len == end || !is_word(p[key.len])))
			cover(c, (size_t)(p - v->p), key.len);
		p++;
	}
}

/* Any piece of it that is long enough: searched around each occurrence of
 * one of its blocks. */
static void
find_pieces(struct cover *c, struct span key, size_t least)
{
	const struct redact_view *v = c->view;
	const char *end = v->p + v->len, *p;

	for (size_t at = 0; at + BLOCK <= key.len; at += BLOCK) {
		for (p = v->p; (p = memmem(p, (size_t)(end - p), key.p + at,
				    BLOCK)) != NULL;
		     p++) {
			size_t left = 0, right = BLOCK;

			while (left < at && p - left > v->p &&
			    p[-1 - (ptrdiff_t)left] == key.p[at - left - 1])
				left++;
			while (at + right < key.len && p + right < end &&
			    p[right] == key.p[at + right])
				right++;
			if (left + right >= least)
				cover(
				    c, (size_t)(p - v->p) - left, left + right);
		}
	}
}

/* Brackets with little in them: their length, or 0. */
static size_t
bracket_length(const struct redact_view *v, size_t at)
{
	const char *p = v->p + at, *close;
	size_t n = v->len - at < 24 ? v->len - at : 24;

	if (*p != '[' && *p != '<' && *p != '(')
		return 0;
	close = memchr(p, *p == '[' ? ']' : *p == '<' ? '>' : ')', n);
	return close == NULL ? 0 : (size_t)(close - p + 1);
}

/* The length of a mask for hidden letters; 0: there is none.  Brackets, one
 * sign twice or more, or one character that is not ASCII. */
static size_t
mask_length(const struct redact_view *v, size_t at)
{
	const char *p = v->p + at, *end = v->p + v->len;
	size_t n, len;

	if ((len = bracket_length(v, at)) > 0)
		return len;
	if ((is_word(*p) && *p != 'x') ||
	    ((unsigned char)*p <= ' ' && *p != REDACT_MASK))
		return 0;
	n = utf8_length((const unsigned char *)p, (size_t)(end - p));
	if (n == 0)
		n = 1;
	for (len = n;
	     (size_t)(end - p) >= len + n && memcmp(p + len, p, n) == 0;)
		len += n;
	return n > 1 || len > 1 || *p == REDACT_MASK ? len : 0;
}

/* What comes after a mask: of another sign, or "xxxx-xxxx-". */
static size_t
next_mask(const struct redact_view *v, size_t at)
{
	size_t len = at < v->len ? mask_length(v, at) : 0;

	return len == 0 && at < v->len && v->p[at] == '-' ? 1 : len;
}

/* Dots, bullets, stars, blocks and other symbols, but no letters, quotes,
 * dashes or arrows. */
static bool
is_symbol(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = { { 0xb7, 0xb7 }, { 0x2020, 0x2026 }, { 0x2200, 0x2bff },
		{ 0xd83c, 0xd83e }, { 0xff0a, 0xff0a }, { 0xfffd, 0xfffd },
		{ 0x1f300, 0x1faff } };

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

/* The four digits in the original of what is REDACT_MASK in the view. */
static uint32_t
escaped_code(const struct cover *c, size_t at)
{
	size_t end = c->view->from[at + 1];
	uint32_t code = 0;

	for (size_t i = end < 4 ? 0 : end - 4; i < end; i++) {
		unsigned char digit = (unsigned char)c->text.p[i];

		if (!isxdigit(digit))
			return 0xfffd;
		code = code << 4 |
		    (uint32_t)(isdigit(digit) ? digit - '0'
					      : (digit | 32) - 'a' + 10);
	}
	return code;
}

/* What is written before words that are not a key, too: "//", quotes, and
 * letters beyond ASCII. */
static bool
is_weak(const struct cover *c, size_t at, size_t len)
{
	const unsigned char *p = (const unsigned char *)c->view->p + at;
	size_t n;

	if (*p == REDACT_MASK) {
		for (size_t i = 0; i < len; i++)
			if (is_symbol(escaped_code(c, at + i)))
				return false;
		return true;
	}
	n = utf8_length(p, len);
	if (n > 1)
		return !is_symbol(utf8_code(p, n));
	return len == 1 ||
	    (strchr("/=\":'`\\,;|&{}()[]<>", *p) != NULL &&
		bracket_length(c->view, at) == 0);
}

/* How many letters before `at` are the key's first ones. */
static size_t
first_shown(const struct redact_view *v, size_t at, struct span key)
{
	size_t n = at < key.len ? at : key.len;

	while (n > 0 &&
	    (v->p[at - n] != *key.p || memcmp(v->p + at - n, key.p, n) != 0))
		n--;
	return n;
}

static size_t
last_shown(const struct redact_view *v, size_t at, struct span key)
{
	size_t n = v->len - at < key.len ? v->len - at : key.len;

	while (n > 0 &&
	    (v->p[at] != key.p[key.len - n] ||
		memcmp(v->p + at, key.p + key.len - n, n) != 0))
		n--;
	return n;
}

/* Masks in a row: "...****", and the last letters after them. */
struct masks {
	size_t at; /* of one of them, as far as it was followed */
	size_t end; /* in front of the last letters */
	size_t last; /* how many are shown */
	bool weak; /* the last mask is */
};

/* Those from `at`; `first` is the length of the first one. */
static void
follow_masks(const struct cover *c, size_t at, size_t first, size_t most,
    struct span key, struct masks *out)
{
	const struct redact_view *v = c->view;
	size_t from = at, end = at + first, len = first, n;

	out->at = at;
	/* Of several kinds of signs: "sk-ab...****wxyz". */
	while ((out->last = last_shown(v, end, key)) == 0 && end - at <= most &&
	    (n = next_mask(v, end)) > 0) {
		from = end;
		len = n;
		end += n;
	}
	/* "**** wxyz" */
	if (out->last == 0 && end < v->len && v->p[end] == ' ' &&
	    (out->last = last_shown(v, end + 1, key)) > 0)
		end++;
	out->end = end;
	out->weak = is_weak(c, from, len);
}

/* The masks from `at`.  In brackets, or among masks, there are more places to
 * begin; what was followed once is not again, so it takes linear time. */
static void
masks_from(const struct cover *c, size_t at, size_t len, struct span key,
    struct masks *known, struct masks *out)
{
	size_t n;

	while (known->at < at && known->at < known->end &&
	    (n = next_mask(c->view, known->at)) > 0)
		known->at += n;
	if (at < known->end && at == known->at)
		*out = *known;
	else if (at < known->end)
		follow_masks(c, at, len, MASKS_INSIDE, key, out);
	else {
		follow_masks(c, at, len, SIZE_MAX, key, known);
		*out = *known;
	}
}

static void
find_masked(struct cover *c, struct span key)
{
	const struct redact_view *v = c->view;
	struct masks known = { 0 }, masks;
	size_t len, first, from;

	for (size_t at = 0; at < v->len; at += len == 0 ? 1 : len) {
		if ((len = mask_length(v, at)) == 0)
			continue;
		from = at;
		first = first_shown(v, from, key);
		/* "sk-ab ****" */
		if (first == 0 && at > 0 && v->p[at - 1] == ' ' &&
		    (first = first_shown(v, at - 1, key)) > 0)
			from--;
		masks_from(c, at, len, key, &known, &masks);
		if (first + masks.last >= SHOWN_MIN &&
		    ((first > 0 && masks.last > 0) || !masks.weak ||
			!is_weak(c, at, len))) {
			from -= first;
			cover(c, from, masks.end + masks.last - from);
			len = masks.end - at;
		} else if (bracket_length(v, at) > 0)
			len = 1; /* the mask may be inside the brackets */
	}
}

static bool
says_end(const struct redact_view *v, size_t at)
{
	static const char *const words[] = { "ending", "ends", "last", "suffix",
		"end in", "finishing", "tail", "hint" };
	size_t from = at > WORDS_BACK ? at - WORDS_BACK : 0;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (memmem(v->p + from, at - from, words[i],
			strlen(words[i])) != NULL)
			return true;
	return false;
}

/* "the key ending in wxyz" */
static void
find_endings(struct cover *c, struct span key)
{
	const struct redact_view *v = c->view;
	const char *end = v->p + v->len, *p = v->p;
	const char *tail = key.p + key.len - SHOWN_MIN;
	size_t at, more;

	while ((p = memmem(p, (size_t)(end - p), tail, SHOWN_MIN)) != NULL) {
		at = (size_t)(p - v->p);
		for (more = 0; more < at && more + SHOWN_MIN < key.len &&
		     p[-1 - (ptrdiff_t)more] == tail[-1 - (ptrdiff_t)more];)
			more++;
		if ((p + SHOWN_MIN == end || !is_word(p[SHOWN_MIN])) &&
		    (at == more || !is_word(p[-1 - (ptrdiff_t)more])) &&
		    says_end(v, at - more))
			cover(c, at - more, more + SHOWN_MIN);
		p++;
	}
}

/* The letters of base64 that depend on the key's bytes only, if it begins
 * `shift` bytes after a group. */
static size_t
base64_core(struct span key, unsigned shift, const char *letters, char *out)
{
	size_t n = 0, bit = shift == 0 ? 0 : shift == 1 ? 4 : 2, byte;

	for (; bit + 6 <= key.len * 8; bit += 6) {
		unsigned pair;

		byte = bit / 8;
		pair = (unsigned)(unsigned char)key.p[byte] << 8;
		if (byte + 1 < key.len)
			pair |= (unsigned char)key.p[byte + 1];
		out[n++] = letters[pair >> (10 - bit % 8) & 63];
	}
	return n;
}

static bool
may_be_base64(const struct redact_view *v)
{
	size_t run = 0;

	for (size_t i = 0; i < v->len && run < BASE64_MIN; i++)
		run = is_word(v->p[i]) ||
			(v->p[i] != '\0' && strchr("+/-_", v->p[i]) != NULL)
		    ? run + 1
		    : 0;
	return run >= BASE64_MIN;
}

/* In lower case, like the view: the difference of case is lost, but so many
 * letters are unambiguous without it. */
static void
find_base64(struct cover *c, struct span key, size_t least)
{
	char core[REDACT_BASE64_MAX];

	if (!may_be_base64(c->view))
		return;
	for (unsigned i = 0; i < REDACT_BASE64_FORMS; i++) {
		struct span text = { core, redact_base64(key, i, core) };

		if (text.len >= least)
			find_pieces(c, text, least);
	}
	explicit_bzero(core, sizeof(core));
}

/* Anywhere; too long for a text to contain it by chance. */
static void
find_long(struct cover *c, struct span key, struct span folded)
{
	if (redact_is_long(key)) {
		find_pieces(c, folded, REDACT_LONG_MIN);
		find_base64(c, key, REDACT_LONG_MIN);
	}
}

/* Of each length; with `shown`, also what is left of a key that is masked. */
static void
find_any(struct cover *c, struct span key, struct span folded, bool shown)
{
	if (key.len < REDACT_PIECE_MIN)
		find_short(c, folded);
	else
		find_pieces(c, folded, REDACT_PIECE_MIN);
	if (shown) {
		find_masked(c, folded);
		find_endings(c, folded);
	}
	find_base64(c, key, BASE64_MIN);
}

static void
find_key(void *ctx, struct span key)
{
	char folded[SECRET_MAX];
	struct span small = { folded, key.len };
	struct cover *c = ctx;

	if (key.len < REDACT_KEY_MIN || key.len > SECRET_MAX)
		return;
	redact_fold(key.p, key.len, folded);
	if (c->which == ONLY_LONG)
		find_long(c, key, small);
	else if (c->which == ALL || redact_is_short(key))
		find_any(c, key, small, c->which == ALL);
	explicit_bzero(folded, key.len);
}

/* ---- the keys --------------------------------------------------------- */

size_t
redact_base64(struct span key, unsigned form, char *out)
{
	static const char *const alphabets[] = {
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789+/",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789-_"
	};
	size_t n = base64_core(key, form / 2, alphabets[form % 2], out);

	redact_fold(out, n, out);
	return n;
}

/* ---- looking ---------------------------------------------------------- */

static bool
look(const struct redact_keys *keys, struct span text, char *out,
    enum which which)
{
	struct redact_view view;
	struct cover c = {
		.text = text, .out = out, .view = &view, .which = which
	};
	unsigned layer = 0;

	if (redact_view_init(&view, text) == -1) {
		/* What cannot be searched is not shown. */
		if (out != NULL)
			memset(out, '*', text.len);
		return true;
	}
	do
		redact_each_of(keys, find_key, &c);
	while (layer++ < LAYERS && redact_view_decode(&view));
	redact_view_free(&view);
	return c.found;
}

bool
redact(const struct redact_keys *keys, char *p, size_t len)
{
	return len > 0 && look(keys, (struct span){ p, len }, p, ALL);
}

bool
redact_long(const struct redact_keys *keys, char *p, size_t len)
{
	return len > 0 && look(keys, (struct span){ p, len }, p, ONLY_LONG);
}

bool
redact_short(const struct redact_keys *keys, char *p, size_t len)
{
	return len > 0 && look(keys, (struct span){ p, len }, p, ONLY_SHORT);
}

bool
redact_finds(const struct redact_keys *keys, struct span text)
{
	return text.len > 0 && look(keys, text, NULL, ALL);
}

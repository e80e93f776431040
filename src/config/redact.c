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
#include "config/redact_internal.h"
#include "config/redact_view.h"
#include "config/secrets.h"

#define BLOCK 6 /* REDACT_PIECE_MIN bytes in a row have an aligned one */
#define BASE64_MIN 14 /* letters in a row that are looked at */
#define LAYERS 2 /* JSON within a string of JSON */
#define WORDS_BACK 32 /* "ending in" is so close before its letters */

void
redact_cover(struct redact_cover *c, size_t at, size_t len)
{
	const struct redact_view *v = c->view;

	c->found = true;
	if (c->out != NULL)
		memset(
		    c->out + v->from[at], '*', v->from[at + len] - v->from[at]);
}

/* ---- what is looked for ----------------------------------------------- */

bool
redact_is_word(char c)
{
	return isalnum((unsigned char)c);
}

/* Whole, as a word of its own. */
static void
find_short(struct redact_cover *c, struct span key)
{
	const struct redact_view *v = c->view;
	const char *end = v->p + v->len, *p = v->p;

	while ((p = memmem(p, (size_t)(end - p), key.p, key.len)) != NULL) {
		if ((p == v->p || !redact_is_word(p[-1])) &&
		    (p + key.len == end || !redact_is_word(p[key.len])))
			redact_cover(c, (size_t)(p - v->p), key.len);
		p++;
	}
}

/* Any piece of it that is long enough: searched around each occurrence of
 * one of its blocks. */
static void
find_pieces(struct redact_cover *c, struct span key, size_t least)
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
				redact_cover(
				    c, (size_t)(p - v->p) - left, left + right);
		}
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
find_endings(struct redact_cover *c, struct span key)
{
	const struct redact_view *v = c->view;
	const char *end = v->p + v->len, *p = v->p;
	const char *tail = key.p + key.len - REDACT_SHOWN_MIN;
	size_t at, more;

	while ((p = memmem(p, (size_t)(end - p), tail, REDACT_SHOWN_MIN)) !=
	    NULL) {
		at = (size_t)(p - v->p);
		for (more = 0; more < at && more + REDACT_SHOWN_MIN < key.len &&
		     p[-1 - (ptrdiff_t)more] == tail[-1 - (ptrdiff_t)more];)
			more++;
		if ((p + REDACT_SHOWN_MIN == end ||
			!redact_is_word(p[REDACT_SHOWN_MIN])) &&
		    (at == more || !redact_is_word(p[-1 - (ptrdiff_t)more])) &&
		    says_end(v, at - more))
			redact_cover(c, at - more, more + REDACT_SHOWN_MIN);
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
		run = redact_is_word(v->p[i]) ||
			(v->p[i] != '\0' && strchr("+/-_", v->p[i]) != NULL)
		    ? run + 1
		    : 0;
	return run >= BASE64_MIN;
}

/* In lower case, like the view: the difference of case is lost, but so many
 * letters are unambiguous without it. */
static void
find_base64(struct redact_cover *c, struct span key, size_t least)
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
find_long(struct redact_cover *c, struct span key, struct span folded)
{
	if (redact_is_long(key)) {
		find_pieces(c, folded, REDACT_LONG_MIN);
		find_base64(c, key, REDACT_LONG_MIN);
	}
}

/* Of each length; with `shown`, also what is left of a key that is masked. */
static void
find_any(
    struct redact_cover *c, struct span key, struct span folded, bool shown)
{
	if (key.len < REDACT_PIECE_MIN)
		find_short(c, folded);
	else
		find_pieces(c, folded, REDACT_PIECE_MIN);
	if (shown) {
		redact_find_masked(c, folded);
		find_endings(c, folded);
	}
	find_base64(c, key, BASE64_MIN);
}

static void
find_key(void *ctx, struct span key)
{
	char folded[SECRET_MAX];
	struct span small = { folded, key.len };
	struct redact_cover *c = ctx;

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
	struct redact_cover c = {
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

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides what a mask is that a provider prints in place of a key's letters.
 */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "base/utf8.h"
#include "config/redact_internal.h"

#define INSIDE_MAX 32 /* how far masks within others are followed */

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
	if ((redact_is_word(*p) && *p != 'x') ||
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
escaped_code(const struct redact_cover *c, size_t at)
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
is_weak(const struct redact_cover *c, size_t at, size_t len)
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
follow_masks(const struct redact_cover *c, size_t at, size_t first, size_t most,
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
masks_from(const struct redact_cover *c, size_t at, size_t len, struct span key,
    struct masks *known, struct masks *out)
{
	size_t n;

	while (known->at < at && known->at < known->end &&
	    (n = next_mask(c->view, known->at)) > 0)
		known->at += n;
	if (at < known->end && at == known->at)
		*out = *known;
	else if (at < known->end)
		follow_masks(c, at, len, INSIDE_MAX, key, out);
	else {
		follow_masks(c, at, len, SIZE_MAX, key, known);
		*out = *known;
	}
}

void
redact_find_masked(struct redact_cover *c, struct span key)
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
		if (first + masks.last >= REDACT_SHOWN_MIN &&
		    ((first > 0 && masks.last > 0) || !masks.weak ||
			!is_weak(c, at, len))) {
			from -= first;
			redact_cover(c, from, masks.end + masks.last - from);
			len = masks.end - at;
		} else if (bracket_length(v, at) > 0)
			len = 1; /* the mask may be inside the brackets */
	}
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how providers print keys.  It looks at a decoded view of the text,
 * whose bytes know where they came from; only errors and single header values
 * come here, so it may take its time.
 */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "config/redact.h"
#include "config/secrets.h"

#define BLOCK 6 /* REDACT_PIECE_MIN bytes in a row hold an aligned one */
#define BASE64_MIN 14 /* letters in a row that are looked at */
#define SHOWN_MIN 4 /* letters of a key that tell something of it */
#define MASK 1 /* in a view: an ellipsis or a bullet that was escaped */
#define WORDS_BACK 32 /* "ending in" stands within these before its letters */

/* A text with what is encoded decoded: p[i] came from from[i] up to
 * from[i + 1]. */
struct view {
	char *p;
	size_t *from;
	size_t len;
};

struct cover {
	char *out; /* the original; NULL: only look */
	const struct view *view;
	bool found;
};

static void
cover(struct cover *c, size_t at, size_t len)
{
	const struct view *v = c->view;

	c->found = true;
	if (c->out != NULL)
		memset(
		    c->out + v->from[at], '*', v->from[at + len] - v->from[at]);
}

/* ---- the view --------------------------------------------------------- */

/* &#47; &#x2f; and the few that have names; 0: none. */
static size_t
entity(const char *p, const char *end, char *out)
{
	static const struct {
		const char *name;
		char c;
	} names[] = { { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' },
		{ "&quot;", '"' }, { "&apos;", '\'' } };
	const char *semicolon =
	    memchr(p, ';', end - p < 8 ? (size_t)(end - p) : 8);
	long code;

	if (semicolon == NULL)
		return 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(p, names[i].name, (size_t)(semicolon - p + 1)) ==
		    0) {
			*out = names[i].c;
			return (size_t)(semicolon - p + 1);
		}
	if (p[1] != '#')
		return 0;
	code = (p[2] | 0x20) == 'x'
	    ? hex_number(p + 3, semicolon, (size_t)(semicolon - p - 3))
	    : strtol(p + 2, NULL, 10);
	if (code <= 0x20 || code >= 0x7f)
		return 0;
	*out = (char)code;
	return (size_t)(semicolon - p + 1);
}

/* One character; how many bytes it takes. */
static size_t
decode(const char *p, const char *end, char *out)
{
	int code = -1;
	size_t n = 1;

	*out = *p;
	if (*p == '\\' && end - p >= 2) {
		if (p[1] == 'u' && (code = hex_number(p + 2, end, 4)) > 0x20)
			n = 6;
		else if (p[1] != 'u')
			return *out = p[1], 2;
	} else if (*p == '%' && (code = hex_number(p + 1, end, 2)) > 0x20)
		n = 3;
	else if (*p == '&' && end - p >= 4 && (n = entity(p, end, out)) > 0)
		return n;
	/* What stands for letters that are not shown. */
	if (code == 0x2026 || code == 0x2022 || code == 0x25cf)
		code = MASK;
	else if (code <= 0x20 || code >= 0x7f)
		return 1;
	*out = (char)code;
	return n;
}

static bool
view_init(struct view *v, struct span text, bool decoded)
{
	const char *p = text.p, *end = p + text.len;

	v->len = 0;
	v->p = malloc(text.len + 1);
	v->from = malloc((text.len + 1) * sizeof(*v->from));
	if (v->p == NULL || v->from == NULL)
		return false;
	while (p < end) {
		v->from[v->len] = (size_t)(p - text.p);
		if (decoded)
			p += decode(p, end, &v->p[v->len++]);
		else
			v->p[v->len++] = *p++;
	}
	v->from[v->len] = text.len;
	return true;
}

static void
view_free(struct view *v)
{
	free(v->p);
	free(v->from);
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
	const struct view *v = c->view;
	const char *end = v->p + v->len, *p = v->p;

	while ((p = memmem(p, (size_t)(end - p), key.p, key.len)) != NULL) {
		if ((p == v->p || !is_word(p[-1])) &&
		    (p + key.len == end || !is_word(p[key.len])))
			cover(c, (size_t)(p - v->p), key.len);
		p++;
	}
}

/* Any piece of it that is long enough: around each place where one of its
 * blocks stands. */
static void
find_pieces(struct cover *c, struct span key, size_t least)
{
	const struct view *v = c->view;
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

/* The length of what stands for letters that are not shown; 0: nothing. */
static size_t
mask_length(const struct view *v, size_t at)
{
	static const char *const signs[] = { "*", ".", "\xe2\x80\xa6",
		"\xe2\x80\xa2", "\xe2\x97\x8f", "\x01", "#", "x", "X", "_",
		"-" };
	const char *p = v->p + at, *end = v->p + v->len, *close;
	size_t n, len;

	if ((*p == '[' || *p == '<' || *p == '(') &&
	    (close = memchr(p,
		 *p == '['       ? ']'
		     : *p == '<' ? '>'
				 : ')',
		 end - p < 24 ? (size_t)(end - p) : 24)) != NULL)
		return (size_t)(close - p + 1);
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		n = strlen(signs[i]);
		for (len = 0; (size_t)(end - p) >= len + n &&
		     memcmp(p + len, signs[i], n) == 0;)
			len += n;
		if (len >= 2 || (len == 1 && *p == MASK))
			return len;
	}
	return 0;
}

/* How many letters before `at` are the key's first ones. */
static size_t
first_shown(const struct view *v, size_t at, struct span key)
{
	size_t n = at < key.len ? at : key.len;

	while (n > 0 && memcmp(v->p + at - n, key.p, n) != 0)
		n--;
	return n;
}

static size_t
last_shown(const struct view *v, size_t at, struct span key)
{
	size_t n = v->len - at < key.len ? v->len - at : key.len;

	while (n > 0 && memcmp(v->p + at, key.p + key.len - n, n) != 0)
		n--;
	return n;
}

static void
find_masked(struct cover *c, struct span key)
{
	const struct view *v = c->view;
	size_t len, first, last;

	for (size_t at = 0; at < v->len; at += len == 0 ? 1 : len) {
		if ((len = mask_length(v, at)) == 0)
			continue;
		first = first_shown(v, at, key);
		/* "sk-ab ****" and "**** wxyz" */
		if (first == 0 && at > 0 && v->p[at - 1] == ' ' &&
		    (first = first_shown(v, at - 1, key)) > 0) {
			at--;
			len++;
		}
		if (at + len < v->len && v->p[at + len] == ' ' &&
		    last_shown(v, at + len + 1, key) > 0)
			len++;
		last = last_shown(v, at + len, key);
		/* A mask of several kinds of signs: "sk-ab...****wxyz". */
		while (last == 0 && at + len < v->len &&
		    mask_length(v, at + len) > 0) {
			len += mask_length(v, at + len);
			last = last_shown(v, at + len, key);
		}
		if (first + last >= SHOWN_MIN)
			cover(c, at - first, first + len + last);
		else if (strchr("[<(", v->p[at]) != NULL)
			len = 1; /* the mask may stand in the brackets */
	}
}

static bool
says_end(const struct view *v, size_t at)
{
	static const char *const words[] = { "ending", "ends", "last", "suffix",
		"end in", "finishing" };
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
	const struct view *v = c->view;
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

/* The letters of base64 that only the key's bytes decide, where it stands
 * `shift` bytes after a group's beginning. */
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
may_be_base64(const struct view *v)
{
	size_t run = 0;

	for (size_t i = 0; i < v->len && run < BASE64_MIN; i++)
		run = is_word(v->p[i]) ||
			(v->p[i] != '\0' && strchr("+/-_", v->p[i]) != NULL)
		    ? run + 1
		    : 0;
	return run >= BASE64_MIN;
}

static void
find_base64(struct cover *c, struct span key)
{
	static const char *const alphabets[] = {
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789+/",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789-_"
	};
	char core[SECRET_MAX * 4 / 3 + 4];
	struct span text = { core, 0 };

	if (!may_be_base64(c->view))
		return;
	for (unsigned i = 0; i < 6; i++) {
		text.len = base64_core(key, i / 2, alphabets[i % 2], core);
		if (text.len >= BASE64_MIN)
			find_pieces(c, text, BASE64_MIN);
	}
	explicit_bzero(core, sizeof(core));
}

static void
find_key(struct cover *c, struct span key)
{
	if (key.len < REDACT_KEY_MIN || key.len > SECRET_MAX)
		return;
	if (key.len < REDACT_PIECE_MIN)
		find_short(c, key);
	else
		find_pieces(c, key, REDACT_PIECE_MIN);
	find_masked(c, key);
	find_endings(c, key);
	find_base64(c, key);
}

/* What of a provider's own headers is a key, too: the last word of one whose
 * name says so. */
static void
find_headers(struct cover *c, const struct provider *provider)
{
	static const char *const names[] = { "key", "auth", "token", "secret",
		"cookie", "password" };
	const char *blank;

	for (size_t i = 0; i < provider->nheaders; i++)
		for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
			const struct header *h = &provider->headers[i];

			if (strcasestr(h->name, names[j]) == NULL)
				continue;
			blank = strrchr(h->value, ' ');
			find_key(
			    c, span_of(blank == NULL ? h->value : blank + 1));
			break;
		}
}

static bool
look(const struct config *config, struct span text, char *out)
{
	bool encoded = false;
	struct view view;
	struct cover c = { .out = out, .view = &view };

	for (size_t i = 0; i < text.len && !encoded; i++)
		encoded =
		    text.p[i] == '\\' || text.p[i] == '%' || text.p[i] == '&';
	for (int pass = 0; pass < (encoded ? 2 : 1); pass++) {
		if (!view_init(&view, text, pass == 1)) {
			/* What cannot be looked at is not shown. */
			if (out != NULL)
				memset(out, '*', text.len);
			c.found = true;
		} else
			for (size_t i = 0; i < config->nproviders; i++) {
				const struct provider *p =
				    &config->providers[i];

				if (p->key != NULL)
					find_key(&c, span_of(p->key));
				find_headers(&c, p);
			}
		view_free(&view);
	}
	return c.found;
}

bool
redact(const struct config *config, char *p, size_t len)
{
	return len > 0 && look(config, (struct span){ p, len }, p);
}

bool
redact_finds(const struct config *config, struct span text)
{
	return text.len > 0 && look(config, text, NULL);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a key in the passing bytes is noticed at almost no cost: a Bloom
 * filter of every GRAM consecutive letters of the keys.  A piece of
 * REDACT_LONG_MIN letters, wherever it begins, has GRAM of them at a multiple
 * of STRIDE.  Only what the filter suspects is read by redact.c.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/task.h"
#include "config/redact.h"
#include "config/redact_view.h"
#include "config/secrets.h"
#include "config/sieve.h"

#define GRAM 8
#define STRIDE 8
#define BITS 18 /* of a hash */
#define LAYERS 2 /* of escapes, as redact.c decodes them */
#define SLICE_BYTES ((size_t)32 * 1024) /* searched at once */
#define ESCAPE_MAX 8 /* bytes of one: &#x0041; */

_Static_assert(STRIDE <= REDACT_LONG_MIN - GRAM + 1, "a piece has one");

struct sieve {
	struct redact_keys keys;
	struct secrets *secrets; /* what the needles are in; NULL: in `own` */
	char *own; /* room for those of a client's own key */
	size_t own_len;
	struct span *needles; /* keys and their base64, in small letters */
	size_t nneedles;
	bool has_slash; /* a key has it, so JSON may escape it */
	bool has[256]; /* a letter, in small ones */
	unsigned char grams[(1 << BITS) / 8];
};

/* ---- making it -------------------------------------------------------- */

/* Two hashes of the letters at p, whatever their case. */
static void
hash(const char *p, uint32_t out[2])
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	v |= UINT64_C(0x2020202020202020);
	v *= UINT64_C(0x9e3779b97f4a7c15);
	out[0] = (uint32_t)(v >> (64 - BITS));
	out[1] = (uint32_t)(v >> (64 - 2 * BITS)) & ((1u << BITS) - 1);
}

static const char *
keep_needle(struct sieve *s, struct span needle)
{
	char *copy = s->own + s->own_len;

	if (s->secrets != NULL)
		return secrets_add(s->secrets, needle);
	memcpy(copy, needle.p, needle.len);
	s->own_len += needle.len;
	return copy;
}

static void
add_needle(struct sieve *s, const char *p, size_t len)
{
	uint32_t h[2];

	s->needles =
	    memory_list(s->needles, s->nneedles + 1, sizeof(*s->needles));
	s->needles[s->nneedles++] =
	    (struct span){ keep_needle(s, (struct span){ p, len }), len };
	for (size_t i = 0; i < len; i++)
		s->has[(unsigned char)p[i]] = true;
	for (size_t i = 0; i + GRAM <= len; i++) {
		hash(p + i, h);
		for (int j = 0; j < 2; j++)
			s->grams[h[j] / 8] |= (unsigned char)(1u << h[j] % 8);
	}
}

static void
add_key(void *ctx, struct span key)
{
	char text[REDACT_BASE64_MAX];
	struct sieve *s = ctx;

	if (!redact_is_long(key))
		return;
	s->has_slash |= memchr(key.p, '/', key.len) != NULL;
	redact_fold(key.p, key.len, text);
	add_needle(s, text, key.len);
	for (unsigned i = 0; i < REDACT_BASE64_FORMS; i++)
		add_needle(s, text, redact_base64(key, i, text));
	explicit_bzero(text, sizeof(text));
}

struct sieve *
sieve_new(const struct config *config)
{
	struct sieve *s = calloc(1, sizeof(*s));

	if (s == NULL)
		fatal("out of memory");
	s->keys.config = config;
	s->secrets = secrets_new();
	redact_each_key(config, add_key, s);
	if (s->nneedles > 0)
		return s;
	sieve_free(s);
	return NULL;
}

/* Of the needles of the client's own keys. */
static size_t
own_bytes(const struct redact_keys *keys)
{
	size_t bytes = 0;

	for (size_t i = 0; i < REDACT_OWN; i++)
		if (keys->own[i].p != NULL && redact_is_long(keys->own[i]))
			bytes += keys->own[i].len +
			    REDACT_BASE64_FORMS *
				(keys->own[i].len * 4 / 3 + 4);
	return bytes;
}

size_t
sieve_own_bytes(const struct sieve *s)
{
	return sizeof(*s) + s->own_len;
}

struct sieve *
sieve_with(const struct sieve *base, const struct redact_keys *keys)
{
	struct sieve *s;

	if (own_bytes(keys) == 0)
		return NULL;
	s = memory_zero(sizeof(*s));
	s->keys = *keys;
	s->own = memory_alloc(own_bytes(keys));
	if (base != NULL) {
		s->nneedles = base->nneedles;
		s->needles =
		    memory_list(NULL, s->nneedles, sizeof(*s->needles));
		memcpy(s->needles, base->needles,
		    s->nneedles * sizeof(*s->needles));
		s->has_slash = base->has_slash;
		memcpy(s->has, base->has, sizeof(s->has));
		memcpy(s->grams, base->grams, sizeof(s->grams));
	}
	for (size_t i = 0; i < REDACT_OWN; i++)
		if (keys->own[i].p != NULL)
			add_key(s, keys->own[i]);
	return s;
}

void
sieve_free(struct sieve *s)
{
	if (s == NULL)
		return;
	secrets_free(s->secrets);
	if (s->own != NULL)
		freezero(s->own, s->own_len);
	free(s->needles);
	freezero(s, sizeof(*s));
}

/* ---- suspicion -------------------------------------------------------- */

static bool
has_gram(const struct sieve *s, struct span text)
{
	uint32_t h[2];

	for (size_t i = 0; i + GRAM <= text.len; i += STRIDE) {
		hash(text.p + i, h);
		if ((s->grams[h[0] / 8] >> h[0] % 8 & 1) != 0 &&
		    (s->grams[h[1] / 8] >> h[1] % 8 & 1) != 0)
			return true;
	}
	return false;
}

/* An escaped ASCII letter, which needs no escape. */
static bool
is_escaped(const struct sieve *s, const char *p, const char *end)
{
	int code = -1;

	if (*p == '%')
		code = hex_number(p + 1, end, 2);
	else if (*p == '&')
		return end - p > 2 && p[1] == '#';
	else if (end - p > 1 && (p[1] | 0x20) == 'u')
		code = hex_number(p + 2, end, 4);
	else
		return s->has_slash && end - p > 1 && p[1] == '/';
	return code > 0x20 && code < 0x7f;
}

static bool
has_escape(const struct sieve *s, struct span text)
{
	static const char signs[] = "\\%&";
	const char *end = text.p + text.len, *p;

	for (size_t i = 0; i < sizeof(signs) - 1; i++)
		for (p = text.p;
		     (p = memchr(p, signs[i], (size_t)(end - p))) != NULL; p++)
			if (is_escaped(s, p, end))
				return true;
	return false;
}

static bool
is_suspect(const struct sieve *s, struct span text)
{
	struct redact_view view;
	bool found;

	if (has_gram(s, text))
		return true;
	if (!has_escape(s, text))
		return false;
	if (redact_view_init(&view, text) == -1)
		return true;
	found = false;
	for (int i = 0; i < LAYERS && !found && redact_view_decode(&view); i++)
		found = has_gram(s, (struct span){ view.p, view.len });
	redact_view_free(&view);
	return found;
}

/* ---- an open end ------------------------------------------------------ */

/* How many letters at the end of a text (in lower case) occur in a row in a
 * needle; also a whole needle, because a shorter one could cut it. */
static size_t
open_letters(const struct sieve *s, struct span text)
{
	size_t most = 0, n;

	for (size_t i = 0; i < s->nneedles; i++) {
		const struct span *needle = &s->needles[i];

		for (size_t at = 1; at <= needle->len; at++) {
			for (n = 0; n < at && n < text.len &&
			     needle->p[at - 1 - n] == text.p[text.len - 1 - n];)
				n++;
			most = n > most ? n : most;
		}
	}
	return most;
}

/* How many bytes the escape takes that begins here; 0: none does. */
static size_t
escape_length(struct span rest)
{
	const char *p = rest.p;

	if (*p == '%')
		return 3;
	if (*p == '&')
		return memchr(p, ';', rest.len) != NULL ? 1 : ESCAPE_MAX;
	if (*p != '\\')
		return 0;
	return rest.len > 1 && (p[1] | 0x20) == 'u' ? 6 : 2;
}

/* Where an escape begins that the end of the text cuts; its length if there is
 * none. */
static size_t
cut_escape(struct span text)
{
	size_t at = text.len, least, need;

	least = at > ESCAPE_MAX ? at - ESCAPE_MAX : 0;
	while (at > least) {
		at--;
		need =
		    escape_length((struct span){ text.p + at, text.len - at });
		if (need == 0)
			continue;
		if (at + need <= text.len)
			return text.len;
		while (at > least && text.p[at - 1] == '\\')
			at--;
		return at;
	}
	return text.len;
}

/* Can a key's part end here at all? */
static bool
may_be_open(const struct sieve *s, struct span text)
{
	size_t n = text.len < ESCAPE_MAX ? text.len : ESCAPE_MAX;
	char last;

	if (text.len == 0 || (unsigned char)text.p[text.len - 1] <= ' ')
		return false;
	redact_fold(text.p + text.len - 1, 1, &last);
	text.p += text.len - n;
	return s->has[(unsigned char)last] || memchr(text.p, '%', n) != NULL ||
	    memchr(text.p, '\\', n) != NULL || memchr(text.p, '&', n) != NULL;
}

/* How many bytes at the end could begin a key that continues. */
static size_t
open_end(const struct sieve *s, struct span text)
{
	struct redact_view view;
	size_t keep, letters, from, whole;

	if (!may_be_open(s, text))
		return 0;
	from = text.len > SIEVE_HELD_MAX ? text.len - SIEVE_HELD_MAX : 0;
	text = (struct span){ text.p + from, text.len - from };
	whole = cut_escape(text);
	keep = text.len - whole;
	if (redact_view_init(&view, (struct span){ text.p, whole }) == -1)
		return 0;
	for (int i = 0; i <= LAYERS; i++) {
		letters = open_letters(s, (struct span){ view.p, view.len });
		if (text.len - view.from[view.len - letters] > keep)
			keep = text.len - view.from[view.len - letters];
		if (!redact_view_decode(&view))
			break;
	}
	redact_view_free(&view);
	/* It is longer than what can be held: the part that has come is
	 * covered. */
	return keep >= SIEVE_HELD_MAX ? 0 : keep;
}

/* ---- passing ---------------------------------------------------------- */

/* The text is the held bytes followed by the new ones; it is short enough that
 * there is memory for it and for a view of it (MEMORY_LITTLE_BYTES). */
static int
pass(const struct sieve *s, struct sieve_held *held, struct span bytes,
    bool last, int (*put)(void *ctx, struct span), void *ctx)
{
	struct span text = bytes;
	bool suspect;
	char *copy = NULL;
	size_t keep;
	int rc = 0;

	if (held->len > 0) {
		text.len += held->len;
		copy = memory_alloc(text.len);
		memcpy(copy, held->p, held->len);
		memcpy(copy + held->len, bytes.p, bytes.len);
		text.p = copy;
	}
	keep = last ? 0 : open_end(s, text);
	suspect = is_suspect(s, text);
	memcpy(held->p, text.p + text.len - keep, keep);
	held->len = keep;
	if (suspect && copy == NULL) {
		copy = memory_alloc(text.len);
		memcpy(copy, bytes.p, bytes.len);
	}
	if (suspect) {
		redact_long(&s->keys, copy, text.len);
		text.p = copy;
	}
	if (text.len > keep)
		rc = put(ctx, (struct span){ text.p, text.len - keep });
	free(copy);
	return rc;
}

int
sieve_push(const struct sieve *s, struct sieve_held *held, struct span bytes,
    int (*put)(void *ctx, struct span), void *ctx)
{
	bool more = bytes.len > SLICE_BYTES;
	int rc = 0;

	if (s == NULL)
		return put(ctx, bytes);
	while (rc == 0 && bytes.len > 0) {
		size_t n = bytes.len < SLICE_BYTES ? bytes.len : SLICE_BYTES;

		rc =
		    pass(s, held, (struct span){ bytes.p, n }, false, put, ctx);
		bytes = (struct span){ bytes.p + n, bytes.len - n };
		if (more)
			task_breathe();
	}
	return rc;
}

int
sieve_end(const struct sieve *s, struct sieve_held *held,
    int (*put)(void *ctx, struct span), void *ctx)
{
	static const struct span none = { "", 0 };

	return held->len == 0 ? 0 : pass(s, held, none, true, put, ctx);
}

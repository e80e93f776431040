/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What kind of text a run of bytes is, and its composed form (NFC, Unicode
 * Standard Annex 15): an "é" may be written as one character or as an "e" and
 * an accent, and both are the same to a reader.
 */
#ifndef BASE_UNICODE_H
#define BASE_UNICODE_H

#include <stdbool.h>

#include "base/span.h"

enum unicode_kind {
	UNICODE_ASCII,
	UNICODE_COMPOSED, /* UTF-8 that NFC would not change */
	UNICODE_LOOSE, /* UTF-8 that NFC may change */
	UNICODE_NONE, /* not UTF-8 */
};

enum unicode_kind unicode_kind(struct span text);

static inline bool
unicode_is_utf8(struct span text)
{
	return unicode_kind(text) != UNICODE_NONE;
}

/* The composed form of valid UTF-8; the caller frees.  p NULL: it cannot be
 * made (no memory). */
struct span unicode_nfc(struct span text);

/* Valid UTF-8 without the characters that nobody sees (soft hyphens, joiners,
 * NUL), and with plain blanks, hyphens and apostrophes for those of other
 * kinds.  out has room for text.len bytes; returns the length, 0: it was so
 * already, or nothing is left. */
size_t unicode_plain(struct span text, char *out);

/* Bytes as characters (Latin-1) in UTF-8: always valid.  out has room for
 * twice text.len; returns the length. */
size_t unicode_of_bytes(struct span text, char *out);

/* ASCII letters in lower case, and the two characters beyond ASCII that fold
 * to one: U+017F (s) and U+212A (k).  0 for any other character beyond ASCII.
 * *len is the length of the character at p, at least 1. */
char unicode_fold(const char *p, size_t n, size_t *len);

#endif

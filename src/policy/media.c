/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Files inside strings: hides data URLs, base64 and the first bytes by which
 * a format is known.  call.c asks it for the strings that may hold one.
 */
#include "config.h"

#include "base/utf8.h"
#include "policy/media.h"

#define BARE_MIN 256 /* shorter runs of base64 letters are taken for text */

/* How files begin, in base64. */
static const struct {
	const char *begin;
	enum media media;
} magic[] = {
	{ "iVBORw0KGgo", MEDIA_IMAGE }, /* PNG */
	{ "/9j/", MEDIA_IMAGE }, /* JPEG */
	{ "R0lGODlh", MEDIA_IMAGE }, /* GIF */
	{ "R0lGODdh", MEDIA_IMAGE },
	{ "UklGR", MEDIA_AUDIO }, /* RIFF: WAV, and WebP (see below) */
	{ "SUQz", MEDIA_AUDIO }, /* MP3 with a tag */
	{ "//uQ", MEDIA_AUDIO }, /* MP3 */
	{ "//vQ", MEDIA_AUDIO }, { "//NE", MEDIA_AUDIO },
	{ "T2dnUw", MEDIA_AUDIO }, /* Ogg */
	{ "ZkxhQw", MEDIA_AUDIO }, /* FLAC */
};

static bool
begins(struct span text, const char *word)
{
	size_t n = strlen(word);

	return text.len >= n && strncasecmp(text.p, word, n) == 0;
}

/* The value of a letter, 64 for padding, -1 for what is none. */
static int
letter(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return c == '=' ? 64 : -1;
}

static bool
is_base64(struct span text)
{
	size_t i;

	for (i = 0; i < text.len; i++)
		if (letter((unsigned char)text.p[i]) == -1)
			return false;
	return true;
}

static enum media
by_magic(struct span base64)
{
	size_t i, n;

	for (i = 0; i < sizeof(magic) / sizeof(magic[0]); i++) {
		n = strlen(magic[i].begin);
		if (base64.len < n || memcmp(base64.p, magic[i].begin, n) != 0)
			continue;
		/* "WEBP" at byte 8 of the file. */
		if (base64.len > 16 && memcmp(base64.p + 11, "XRUJQ", 5) == 0)
			return MEDIA_IMAGE;
		return magic[i].media;
	}
	return MEDIA_FILE;
}

static enum media
by_type(struct span url)
{
	/* A picture that is a text. */
	if (begins(url, "data:image/svg"))
		return MEDIA_FILE;
	if (begins(url, "data:image/") || begins(url, "data:video/"))
		return MEDIA_IMAGE;
	return begins(url, "data:audio/") ? MEDIA_AUDIO : MEDIA_FILE;
}

enum media
media_find(struct span text, bool may_be_bare, struct span *base64)
{
	const char *comma;

	*base64 = text;
	if (begins(text, "data:")) {
		comma = memchr(text.p, ',', text.len < 256 ? text.len : 256);
		if (comma == NULL || comma - text.p < 12 ||
		    strncasecmp(comma - 7, ";base64", 7) != 0)
			return MEDIA_NONE;
		base64->p = comma + 1;
		base64->len -= (size_t)(comma + 1 - text.p);
		return is_base64(*base64) ? by_type(text) : MEDIA_NONE;
	}
	if (!may_be_bare || text.len < BARE_MIN || !is_base64(text))
		return MEDIA_NONE;
	return by_magic(text);
}

static bool
is_text(const unsigned char *p, size_t n)
{
	size_t len;

	for (; n > 0; p += len, n -= len)
		if (*p == '\0' || (len = utf8_length(p, n)) == 0)
			return false;
	return true;
}

bool
media_text(struct span base64, char *out, size_t *len)
{
	unsigned bits = 0, held = 0;
	size_t i, n = 0;
	int value;

	for (i = 0; i < base64.len; i++) {
		value = letter((unsigned char)base64.p[i]);
		if (value < 0 || value > 63)
			break;
		bits = (bits << 6 | (unsigned)value) & 0xffff;
		held += 6;
		if (held >= 8) {
			held -= 8;
			out[n++] = (char)(bits >> held & 0xff);
		}
	}
	*len = n;
	return is_text((const unsigned char *)out, n);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides data URLs, base64 and the first bytes by which a format is known.
 * call.c asks it for the strings that may hold a file, form.c for files.
 */
#include "config.h"

#include <stdint.h>

#include "base/utf8.h"
#include "policy/media.h"

#define PEEK_BYTES 32 /* by which a format is known */
#define UTF8_MAX 4 /* bytes of a character */
#define MAY_LETTERS 12 /* by which a text is told from noise */

/* How files begin; a dot matches any byte. */
static const struct {
	const char *begin;
	size_t len;
	enum media media;
} magic[] = {
#define M(begin, media) begin, sizeof(begin) - 1, media
	{ M("\x89PNG\r\n\x1a\n", MEDIA_IMAGE) },
	{ M("\xff\xd8\xff", MEDIA_IMAGE) }, /* JPEG */
	{ M("GIF87a", MEDIA_IMAGE) }, { M("GIF89a", MEDIA_IMAGE) },
	{ M("RIFF....WEBP", MEDIA_IMAGE) }, { M("RIFF....AVI ", MEDIA_IMAGE) },
	{ M("II*\0", MEDIA_IMAGE) }, { M("MM\0*", MEDIA_IMAGE) }, /* TIFF */
	{ M("BM......\0\0", MEDIA_IMAGE) }, { M("....ftypavif", MEDIA_IMAGE) },
	{ M("....ftyphei", MEDIA_IMAGE) },
	{ M("....ftyp", MEDIA_AUDIO) }, /* MP4: sound or a film */
	{ M("\x1a\x45\xdf\xa3", MEDIA_AUDIO) }, /* WebM, Matroska */
	{ M("RIFF....WAVE", MEDIA_AUDIO) }, { M("RF64", MEDIA_AUDIO) },
	{ M("ID3", MEDIA_AUDIO) }, { M("OggS", MEDIA_AUDIO) },
	{ M("fLaC", MEDIA_AUDIO) }, { M("FORM....AIF", MEDIA_AUDIO) },
	{ M("#!AMR", MEDIA_AUDIO) }, { M("caff", MEDIA_AUDIO) },
	{ M("wvpk", MEDIA_AUDIO) }, { M("ADIF", MEDIA_AUDIO) },
	{ M(".snd", MEDIA_AUDIO) }, /* AU: its dot is one, too */
	{ M("\x30\x26\xb2\x75", MEDIA_AUDIO) }, /* WMA */
};

static const struct {
	const char *begin;
	size_t len;
} documents[] = {
#define D(begin) begin, sizeof(begin) - 1
	{ D("%PDF-") },
	{ D("PK\x03\x04") },
	{ D("\xd0\xcf\x11\xe0") },
	{ D("\x1f\x8b") },
	{ D("7z\xbc\xaf") },
	{ D("BZh") },
	{ D("\xfd"
	    "7zXZ") },
	{ D("\x28\xb5\x2f\xfd") },
	{ D("Rar!") },
	{ D("{\\rtf") },
	{ D("SQLite format 3") },
	{ D("\x7f"
	    "ELF") },
};

static bool
begins_with(struct span bytes, const char *begin, size_t len)
{
	if (bytes.len < len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (begin[i] != '.' && bytes.p[i] != begin[i])
			return false;
	return true;
}

static bool
begins(struct span text, const char *word)
{
	size_t n = strlen(word);

	return text.len >= n && strncasecmp(text.p, word, n) == 0;
}

static struct span
skip_blanks(struct span text)
{
	while (text.len > 0 && (unsigned char)*text.p <= ' ') {
		text.p++;
		text.len--;
	}
	return text;
}

/* The value of a letter + 1; 0: none. */
#define R8(n) n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7
static const uint8_t letters[256] = {
	['+'] = 63,
	['-'] = 63,
	['/'] = 64,
	['_'] = 64,
	['0'] = 53,
	54,
	55,
	56,
	57,
	58,
	59,
	60,
	61,
	62,
	['A'] = R8(1),
	R8(9),
	R8(17),
	25,
	26,
	['a'] = R8(27),
	R8(35),
	R8(43),
	51,
	52,
};

bool
media_is_letter(char c)
{
	return letters[(unsigned char)c] != 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool
media_is_base64(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!media_is_letter(text.p[i]) && text.p[i] != '=' &&
		    !is_blank(text.p[i]))
			return false;
	return true;
}

/* Decodes until `most` bytes are written or a byte is no letter; skips white
 * space. */
static size_t
decode(struct span base64, char *out, size_t most)
{
	unsigned bits = 0, held = 0, value;
	size_t n = 0;

	for (size_t i = 0; i < base64.len && n < most; i++) {
		value = letters[(unsigned char)base64.p[i]];
		if (value == 0 && is_blank(base64.p[i]))
			continue;
		if (value == 0)
			break;
		bits = (bits << 6 | (value - 1)) & 0xffff;
		held += 6;
		if (held >= 8) {
			held -= 8;
			out[n++] = (char)(bits >> held & 0xff);
		}
	}
	return n;
}

size_t
media_decode(struct span base64, char *out)
{
	return decode(base64, out, base64.len);
}

/* How many bytes from the beginning are text. */
static size_t
text_length(const char *bytes, size_t n)
{
	const unsigned char *p = (const unsigned char *)bytes;
	size_t at = 0, len;

	while (
	    at < n && p[at] != '\0' && (len = utf8_length(p + at, n - at)) > 0)
		at += len;
	return at;
}

size_t
media_text_prefix(struct span base64, char *out, size_t *all)
{
	size_t n;

	/* What only began like text ends soon. */
	*all = decode(base64, out, PEEK_BYTES);
	n = text_length(out, *all);
	if (n + UTF8_MAX <= *all)
		return n;
	*all = media_decode(base64, out);
	return text_length(out, *all);
}

bool
media_is_text(struct span bytes)
{
	return text_length(bytes.p, bytes.len) == bytes.len;
}

/* Are these n bytes of a text, whose last character may be cut? */
static bool
begins_text(const char *bytes, size_t n)
{
	size_t text = text_length(bytes, n);

	for (size_t i = 0; i < text; i++)
		if ((unsigned char)bytes[i] < ' ' && !is_blank(bytes[i]))
			return false;
	if (text == n)
		return true;
	for (size_t i = text + 1; i < n; i++)
		if ((bytes[i] & 0xc0) != 0x80)
			return false;
	return n - text < 4 && (unsigned char)bytes[text] >= 0xc2;
}

bool
media_may_be_text(struct span base64)
{
	char out[MAY_LETTERS];
	size_t n = decode(base64, out, 3);

	/* Noise is told by the first bytes already. */
	if (!begins_text(out, n))
		return false;
	n = decode(base64, out, sizeof(out) / 4 * 3);
	return begins_text(out, n);
}

enum media
media_of_bytes(struct span bytes)
{
	const unsigned char *p = (const unsigned char *)bytes.p;

	for (size_t i = 0; i < sizeof(magic) / sizeof(magic[0]); i++)
		if (begins_with(bytes, magic[i].begin, magic[i].len))
			return magic[i].media;
	/* A frame of MPEG audio or ADTS: 11 bits of sync, a layer, a rate.
	 * FF FE is how a text in UTF-16 begins (and layer I, of no use). */
	if (bytes.len >= 4 && p[0] == 0xff && (p[1] & 0xe0) == 0xe0 &&
	    p[1] != 0xfe && (p[1] & 0x18) != 0x08 && (p[2] & 0xf0) != 0xf0)
		return MEDIA_AUDIO;
	return MEDIA_FILE;
}

enum media
media_of_base64(struct span base64)
{
	char out[PEEK_BYTES];

	return media_of_bytes(
	    (struct span){ out, decode(base64, out, sizeof(out)) });
}

bool
media_is_document(struct span bytes)
{
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++)
		if (begins_with(bytes, documents[i].begin, documents[i].len))
			return true;
	return false;
}

/* Does the part before the comma end in ";base64", blanks apart? */
static bool
says_base64(struct span head)
{
	while (head.len > 0 && is_blank(head.p[head.len - 1]))
		head.len--;
	if (head.len < 6 ||
	    strncasecmp(head.p + head.len - 6, "base64", 6) != 0)
		return false;
	head.len -= 6;
	while (head.len > 0 && is_blank(head.p[head.len - 1]))
		head.len--;
	return head.len > 0 && head.p[head.len - 1] == ';';
}

bool
media_is_data_url(struct span text)
{
	text = skip_blanks(text);
	/* Checked for each string, and hardly any begins so. */
	return text.len > 0 && (*text.p | 0x20) == 'd' && begins(text, "data:");
}

enum media
media_of_type(struct span url)
{
	url = skip_blanks(url);
	/* A picture that is a text. */
	if (begins(url, "data:image/svg"))
		return MEDIA_FILE;
	if (begins(url, "data:image/") || begins(url, "data:video/"))
		return MEDIA_IMAGE;
	return begins(url, "data:audio/") ? MEDIA_AUDIO : MEDIA_FILE;
}

/* Nothing says that it is base64: words with spaces are not. */
static bool
is_bare(struct span text)
{
	return text.len >= MEDIA_BARE_MIN &&
	    memchr(text.p, ' ', text.len) == NULL && media_is_base64(text);
}

struct media_found
media_find(struct span text, bool may_be_bare)
{
	struct media_found found = { MEDIA_NONE, { text.p, 0 }, text };
	const char *comma;

	if (media_is_data_url(text)) {
		text = skip_blanks(text);
		comma = memchr(text.p, ',', text.len);
		if (comma == NULL)
			return found;
		found.head = (struct span){ text.p, (size_t)(comma - text.p) };
		found.base64 =
		    (struct span){ comma + 1, text.len - found.head.len - 1 };
		if (says_base64(found.head) && media_is_base64(found.base64))
			found.media = media_of_type(text);
		return found;
	}
	if (may_be_bare && is_bare(text))
		found.media = media_of_base64(text);
	return found;
}

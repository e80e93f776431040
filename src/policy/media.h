/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Files in a request: data URLs (RFC 2397) and bare base64 in strings, the
 * files of a form.  Their bytes decide what they are, more than their name:
 * text is searched as text; pictures and sound are not searched; any other file
 * cannot be read.
 */
#ifndef POLICY_MEDIA_H
#define POLICY_MEDIA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/* Shorter runs of base64 letters that are not text count as words. */
#define MEDIA_BARE_MIN 64

enum media {
	MEDIA_NONE, /* a text like any other */
	MEDIA_IMAGE, /* moving ones too */
	MEDIA_AUDIO,
	MEDIA_FILE,
};

struct media_found {
	enum media media; /* as its type says, or its first bytes */
	struct span head; /* of a data URL, up to its comma; else empty */
	struct span base64; /* the encoded part, perhaps with line breaks */
};

/* What a string of JSON is: by its form (a data URL) or, if it may be bare
 * base64, by its first bytes.  A string with a byte that base64 does not use
 * is a text. */
struct media_found media_find(struct span text, bool may_be_bare);
/* Does it begin like a data URL? */
bool media_is_data_url(struct span text);
/* What a data URL says it is. */
enum media media_of_type(struct span url);

bool media_is_letter(char);
/* Letters, padding and white space alone. */
bool media_is_base64(struct span text);

/* Decodes into out (at least base64.len bytes), as far as there are letters;
 * returns the length. */
size_t media_decode(struct span base64, char *out);
/* The same, but only as far as it is text (UTF-8 without NUL); *all is as
 * much if all of it is. */
size_t media_text_prefix(struct span base64, char *out, size_t *all);
/* By its first few bytes: could it be text?  Cheap. */
bool media_may_be_text(struct span base64);
/* UTF-8 without a NUL. */
bool media_is_text(struct span bytes);

/* By the first bytes: a picture, sound, or MEDIA_FILE. */
enum media media_of_bytes(struct span bytes);
enum media media_of_base64(struct span base64);
/* A document or an archive, whatever it is called. */
bool media_is_document(struct span bytes);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Files inside a JSON string: data URLs (RFC 2397) and bare base64, told apart
 * from text.  Pictures and sound are neither counted as text nor searched;
 * any other file is searched when it decodes to text, else it cannot be read.
 */
#ifndef POLICY_MEDIA_H
#define POLICY_MEDIA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

enum media {
	MEDIA_NONE, /* a text like any other */
	MEDIA_IMAGE, /* moving ones too */
	MEDIA_AUDIO,
	MEDIA_FILE,
};

/* What a string of JSON is, by itself (a data URL) or, where it may be bare
 * base64, by its first bytes.  *base64 is the encoded part.  Whatever holds a
 * byte that base64 has not is a text. */
enum media media_find(struct span text, bool may_be_bare, struct span *base64);

/* Decodes into out (at least base64.len bytes).  False where the result is no
 * text: not UTF-8, or with a NUL in it. */
bool media_text(struct span base64, char *out, size_t *len);

#endif

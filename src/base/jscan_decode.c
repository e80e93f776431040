/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The text of a JSON string: hides its escapes, which jscan.c has validated.
 */
#include "config.h"

#include <stdint.h>

#include "base/escape.h"
#include "base/jscan.h"
#include "base/lanes.h"
#include "base/utf8.h"

/* Copies up to the next backslash; out has room for all that is left. */
static const char *
copy_plain(const char *p, const char *end, char **out)
{
	const char *slash;
	size_t n;

#ifdef HAS_LANES
	while (end - p >= LANES) {
		static const lanes slashes = LANES_ALL('\\');
		lanes x;

		memcpy(&x, p, sizeof(x));
		memcpy(*out, &x, sizeof(x));
		n = lanes_first((lanes)(x == slashes));
		p += n;
		*out += n;
		if (n < LANES)
			return p;
	}
#endif
	slash = memchr(p, '\\', (size_t)(end - p));
	n = (size_t)((slash == NULL ? end : slash) - p);
	memcpy(*out, p, n);
	*out += n;
	return p + n;
}

size_t
jscan_decode(struct span raw, char *out)
{
	const char *p = raw.p, *end;
	char *o = out;
	int32_t code;
	size_t used;

	if (raw.len == 0)
		return 0;
	end = p + raw.len;
	for (;;) {
		p = copy_plain(p, end, &o);
		if (end - p < 2)
			break;
		if (p[1] == 'u' && (code = escape_code(p, end, &used)) >= 0) {
			/* The result is never longer than its escape. */
			o += utf8_put(o, (uint32_t)code);
			p += used;
		} else {
			code = escape_letter(p[1]);
			*o++ = code >= 0 ? (char)code : p[1];
			p += 2;
		}
	}
	return (size_t)(o - out);
}

bool
jscan_escaped_key_is(const struct jscan_step *step, const char *name)
{
	char decoded[256];
	struct span key = step->key;

	if (key.len > sizeof(decoded))
		return false;
	return span_is(
	    (struct span){ decoded, jscan_decode(key, decoded) }, name);
}

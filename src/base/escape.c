/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how an escape is spelled.  The scanner has validated the escapes of a
 * body; other texts that are searched for private data may contain any bytes.
 */
#include "config.h"

#include "base/escape.h"
#include "base/hex.h"

/* The half that "\uXXXX" at p spells; -1: none. */
static int32_t
unit_at(const char *p, const char *end)
{
	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	return hex_number(p + 2, end, 4);
}

int32_t
escape_code(const char *p, const char *end, size_t *used)
{
	int32_t code = unit_at(p, end), low;

	*used = 6;
	if (code < 0xd800 || code > 0xdfff)
		return code;
	if (code < 0xdc00 && (low = unit_at(p + 6, end)) >= 0xdc00 &&
	    low <= 0xdfff) {
		*used = 12;
		return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	return 0xfffd;
}

int
escape_letter(char c)
{
	static const char says[128] = { ['n'] = '\n',
		['r'] = '\r',
		['t'] = '\t',
		['b'] = '\b',
		['f'] = '\f',
		['"'] = '"',
		['\\'] = '\\',
		['/'] = '/' };
	unsigned char i = (unsigned char)c;

	return i < sizeof(says) && says[i] != '\0' ? says[i] : -1;
}

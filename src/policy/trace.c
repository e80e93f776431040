/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the form of a traceparent.  A later version may have more after what
 * the first has, which is not handed on: we speak the first.
 */
#include "config.h"

#include <string.h>

#include "base/hex.h"
#include "policy/trace.h"

#define ID 3
#define SPAN 36
#define FLAGS 53
#define LENGTH 55

static bool
is_digits(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((p[i] < '0' || p[i] > '9') && (p[i] < 'a' || p[i] > 'f'))
			return false;
	return true;
}

static bool
is_zero(const char *p, size_t n)
{
	return strspn(p, "0") >= n;
}

bool
trace_parse(const char *value, const unsigned char span[TRACE_SPAN_BYTES],
    char out[TRACE_SIZE])
{
	size_t len = value == NULL ? 0 : strlen(value);
	bool first, sampled;

	if (len < LENGTH || value[ID - 1] != '-' || value[SPAN - 1] != '-' ||
	    value[FLAGS - 1] != '-')
		return false;
	first = strncmp(value, "00", 2) == 0;
	if (first ? len != LENGTH : len > LENGTH && value[LENGTH] != '-')
		return false;
	if (!is_digits(value, 2) || strncmp(value, "ff", 2) == 0 ||
	    !is_digits(value + ID, 32) || is_zero(value + ID, 32) ||
	    !is_digits(value + SPAN, 16) || is_zero(value + SPAN, 16) ||
	    !is_digits(value + FLAGS, 2))
		return false;
	memcpy(out, value, LENGTH);
	memcpy(out, "00", 2);
	hex_text(span, TRACE_SPAN_BYTES, out + SPAN);
	/* Of the flags the first version knows one: sampled. */
	sampled = hex_number(value + FLAGS, value + LENGTH, 2) & 1;
	memcpy(out + FLAGS, sampled ? "01" : "00", 3);
	return true;
}

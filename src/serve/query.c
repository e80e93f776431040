/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how QUERY_STRING is read.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "serve/query.h"

const char *
query_find(struct io *io, const char *name)
{
	const char *p = io_param(io, "QUERY_STRING");
	size_t len = strlen(name);

	while (p != NULL) {
		if (strncmp(p, name, len) == 0 &&
		    (p[len] == '=' || p[len] == '&' || p[len] == '\0'))
			return p + len;
		p = strchr(p, '&');
		p = p == NULL ? NULL : p + 1;
	}
	return NULL;
}

unsigned
query_number(struct io *io, const char *name, unsigned most, unsigned otherwise)
{
	const char *p = query_find(io, name);
	unsigned long n;

	if (p == NULL || *p != '=')
		return otherwise;
	n = strtoul(p + 1, NULL, 10);
	return n > most ? most : (unsigned)n;
}

const char *
query_decode(struct span raw, struct arena *arena)
{
	char *out = arena_alloc(arena, raw.len + 1), *p = out;

	for (size_t i = 0; i < raw.len; i++) {
		int high, low;

		if (raw.p[i] != '%') {
			*p++ = raw.p[i];
			continue;
		}
		if (i + 2 >= raw.len ||
		    (high = hex_value(raw.p[i + 1])) == -1 ||
		    (low = hex_value(raw.p[i + 2])) == -1 || high + low == 0)
			return NULL;
		*p++ = (char)(high << 4 | low);
		i += 2;
	}
	return out;
}

const char *
query_text(struct io *io, const char *name, struct arena *arena)
{
	const char *p = query_find(io, name);

	return p == NULL || *p != '='
	    ? NULL
	    : query_decode((struct span){ p + 1, strcspn(p + 1, "&") }, arena);
}

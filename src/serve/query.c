/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how QUERY_STRING is read: our names and small numbers, nothing that
 * needs decoding.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

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

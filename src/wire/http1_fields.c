/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Fields of a head by their names.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "wire/http1.h"

#define RETRY_SECONDS_MAX 86400

struct span
http1_find(const struct http1_field *fields, size_t nfields, const char *name)
{
	for (size_t i = 0; i < nfields; i++) {
		if (span_is_nocase(fields[i].name, name))
			return fields[i].value;
	}
	return (struct span){ NULL, 0 };
}

int64_t
http1_retry_after_ms(const struct http1_field *fields, size_t nfields)
{
	struct span value = http1_find(fields, nfields, "retry-after");
	struct tm tm;
	const char *error;
	long long n;

	if (value.len == 0)
		return 0;
	n = strtonum(value.p, 0, RETRY_SECONDS_MAX, &error);
	if (error == NULL)
		return n * 1000;
	memset(&tm, 0, sizeof(tm));
	if (strptime(value.p, "%a, %d %b %Y %H:%M:%S GMT", &tm) == NULL)
		return 0;
	n = (long long)timegm(&tm) * 1000 - clock_wall_ms();
	if (n > RETRY_SECONDS_MAX * 1000LL)
		return RETRY_SECONDS_MAX * 1000LL;
	return n < 0 ? 0 : n;
}

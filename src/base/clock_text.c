/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Time as people read and write it: RFC 3339, and ages.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"

void
clock_text(int64_t wall_ms, char out[CLOCK_TEXT_SIZE])
{
	int64_t ms = wall_ms % 1000;
	time_t seconds;
	struct tm tm;

	if (ms < 0)
		ms += 1000;
	seconds = (time_t)((wall_ms - ms) / 1000);
	if (gmtime_r(&seconds, &tm) == NULL ||
	    strftime(out, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm) != 19) {
		snprintf(out, CLOCK_TEXT_SIZE, "%lld", (long long)wall_ms);
		return;
	}
	snprintf(out + 19, CLOCK_TEXT_SIZE - 19, ".%03dZ", (int)ms);
}

/* Exactly n digits at *text, which moves on; -1 if there are none. */
static int
clock_digits(const char **text, int n)
{
	int value = 0;

	for (; n > 0; n--, (*text)++) {
		if (**text < '0' || **text > '9')
			return -1;
		value = value * 10 + (**text - '0');
	}
	return value;
}

static int
clock_parse_day(const char **text, struct tm *tm)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };
	int year, month, day, leap;

	if ((year = clock_digits(text, 4)) < 1970 || *(*text)++ != '-' ||
	    (month = clock_digits(text, 2)) < 1 || month > 12 ||
	    *(*text)++ != '-' || (day = clock_digits(text, 2)) < 1)
		return -1;
	leap = month == 2 &&
	    ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0);
	if (day > days[month - 1] + leap)
		return -1;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	tm->tm_mday = day;
	return 0;
}

/* "T18:47Z", "T18:47:00Z", "T18:47:00.123Z" */
static int
clock_parse_time(const char **text, struct tm *tm, int *ms)
{
	int scale = 100;

	if (*(*text)++ != 'T' || (tm->tm_hour = clock_digits(text, 2)) < 0 ||
	    tm->tm_hour > 23 || *(*text)++ != ':' ||
	    (tm->tm_min = clock_digits(text, 2)) < 0 || tm->tm_min > 59)
		return -1;
	if (**text == ':') {
		(*text)++;
		if ((tm->tm_sec = clock_digits(text, 2)) < 0 || tm->tm_sec > 59)
			return -1;
		if (**text == '.') {
			(*text)++;
			if (**text < '0' || **text > '9')
				return -1;
			for (; **text >= '0' && **text <= '9'; (*text)++) {
				*ms += (**text - '0') * scale;
				scale /= 10;
			}
		}
	}
	return *(*text)++ == 'Z' ? 0 : -1;
}

void
clock_age(int64_t ms, char out[CLOCK_AGE_SIZE])
{
	const size_t size = CLOCK_AGE_SIZE;
	long long s = ms / 1000;

	if (ms < 0)
		*out = '\0';
	else if (ms < 1000)
		snprintf(out, size, "%lldms", (long long)ms);
	else if (s < 60)
		snprintf(out, size, "%llds", s);
	else if (s < 3600)
		snprintf(out, size, "%lldm%02llds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(out, size, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else
		snprintf(out, size, "%lldd%02lldh", s / 86400, s / 3600 % 24);
}

int64_t
clock_parse(const char *text)
{
	struct tm tm = { .tm_isdst = 0 };
	int ms = 0;

	if (clock_parse_day(&text, &tm) == -1 ||
	    (*text != '\0' &&
		(clock_parse_time(&text, &tm, &ms) == -1 || *text != '\0'))) {
		errno = EINVAL;
		return -1;
	}
	return (int64_t)timegm(&tm) * 1000 + ms;
}

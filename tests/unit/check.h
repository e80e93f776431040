/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What a unit test needs: TAP lines and an exit status.  Include it in one file
 * per program; end main with `return check_done();`.
 */
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int check_count, check_failures;

/* One assertion; the text says what should hold. */
#define CHECK(cond, ...)                                                       \
	do {                                                                   \
		bool check_ok = (cond);                                        \
		printf("%s %d - ", check_ok ? "ok" : "not ok", ++check_count); \
		printf(__VA_ARGS__);                                           \
		if (!check_ok) {                                               \
			check_failures++;                                      \
			printf(" # %s:%d: %s", __FILE__, __LINE__, #cond);     \
		}                                                              \
		putchar('\n');                                                 \
	} while (0)

#define CHECK_STR(got, want, ...)                                              \
	do {                                                                   \
		const char *check_got = (got), *check_want = (want);           \
		bool check_same = check_got != NULL && check_want != NULL      \
		    ? strcmp(check_got, check_want) == 0                       \
		    : check_got == check_want;                                 \
		CHECK(check_same, __VA_ARGS__);                                \
		if (!check_same)                                               \
			printf("#  got: %s\n# want: %s\n",                     \
			    check_got ? check_got : "(null)",                  \
			    check_want ? check_want : "(null)");               \
	} while (0)

static inline int
check_done(void)
{
	printf("1..%d\n", check_count);
	return check_failures == 0 ? 0 : 1;
}

#endif

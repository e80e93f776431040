/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Compares the table in tailgate.fcgi(8) with the one in policy/refusal.c: each
 * refusal has its row with status, type and code, and the right retry advice;
 * no row is left over.
 */
#include "config.h"

#include <stdlib.h>

#include "check.h"
#include "policy/refusal.h"

#define MANUAL_MAX 65536

/* The page, from the source tree that automake names; NULL: it is not there. */
static char *
read_manual(void)
{
	const char *srcdir = getenv("abs_srcdir");
	char path[4096];
	char *text;
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "%s/man/tailgate.fcgi.8",
	    srcdir != NULL ? srcdir : ".");
	file = fopen(path, "r");
	text = malloc(MANUAL_MAX);
	if (file == NULL || text == NULL) {
		perror(path);
		exit(99);
	}
	n = fread(text, 1, MANUAL_MAX - 1, file);
	text[n] = '\0';
	fclose(file);
	return text;
}

static size_t
count_rows(const char *text)
{
	size_t n = 0;

	while ((text = strstr(text, "\n.It ")) != NULL) {
		text += strlen("\n.It ");
		n += strspn(text, "0123456789") == 3 &&
		    strncmp(text + 3, " Ta ", 4) == 0;
	}
	return n;
}

/* The advice in the row's last column; "": there is no such row. */
static const char *
advice(const char *text, const struct refusal_spec *spec)
{
	static char word[64];
	char row[256];
	const char *at;

	snprintf(row, sizeof(row), "\n.It %d Ta %s Ta %s Ta ", spec->status,
	    spec->type, spec->code);
	at = strstr(text, row);
	if (at == NULL)
		return "";
	at += strlen(row);
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(at, "\n"), at);
	return word;
}

/* Two refusals may look the same to a client: then one row is for both. */
static bool
is_repeated(enum refusal id)
{
	const struct refusal_spec *spec = refusal_spec(id);

	for (int i = REFUSE_NONE + 1; i < (int)id; i++) {
		const struct refusal_spec *other = refusal_spec(i);

		if (other->status == spec->status &&
		    strcmp(other->code, spec->code) == 0)
			return true;
	}
	return false;
}

int
main(void)
{
	char *text = read_manual();
	size_t rows = 0;

	for (int i = REFUSE_NONE + 1; i < REFUSE_CLIENT_GONE; i++) {
		const struct refusal_spec *spec = refusal_spec(i);
		const char *says = advice(text, spec);

		rows += !is_repeated(i);
		CHECK(*says != '\0', "%d %s has its row", spec->status,
		    spec->code);
		CHECK((strcmp(says, "Retry-After") == 0) == spec->retry_after,
		    "Retry-After is told where %s has it", spec->code);
		CHECK((strcmp(says, "x-should-retry: false") == 0) ==
			spec->should_not_retry,
		    "x-should-retry is told where %s has it", spec->code);
	}
	CHECK(count_rows(text) == rows, "no row is left over");
	free(text);
	return check_done();
}

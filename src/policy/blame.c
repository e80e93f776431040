/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how an error's status and words decide whose fault it is.
 */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "policy/blame.h"
#include "policy/complaint.h"
#include "policy/wording.h"

/* How many numbers of a message are looked at. */
#define NUMBERS 8

/* By status, if no wording says otherwise. */
static const struct {
	int status;
	enum blame blame;
} statuses[] = {
	{ 401, BLAME_KEY },
	{ 402, BLAME_ACCOUNT },
	{ 403, BLAME_CONFLICT },
	{ 404, BLAME_REFUSED },
	{ 405, BLAME_REFUSED },
	{ 407, BLAME_KEY },
	{ 408, BLAME_TIME },
	{ 409, BLAME_CONFLICT },
	{ 413, BLAME_LENGTH },
	{ 425, BLAME_CONFLICT },
	{ 429, BLAME_RATE },
	{ 451, BLAME_REFUSED },
	{ 504, BLAME_TIME },
};

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static enum blame
by_status(int status)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i].status == status)
			return statuses[i].blame;
	return status == 0 || status >= 500 ? BLAME_PROVIDER : BLAME_REQUEST;
}

/* The next number of at least three digits; it may contain commas. */
static uint64_t
next_number(const char **at)
{
	const char *p = *at;
	uint64_t n = 0;
	size_t digits = 0;

	for (; *p != '\0'; p++) {
		if (isdigit((unsigned char)*p) &&
		    (digits > 0 || p == *at || !is_word(p[-1]))) {
			n = n < UINT64_MAX / 100 ? n * 10 + (*p - '0') : n;
			digits++;
		} else if (*p == ',' && digits > 0 &&
		    isdigit((unsigned char)p[1])) {
			continue;
		} else if (digits >= 3 && !is_word(*p)) {
			break;
		} else {
			n = 0;
			digits = 0;
		}
	}
	*at = p;
	return digits >= 3 ? n : 0;
}

/* The numbers in the words, up to NUMBERS of them: the length and the limit
 * are among them. */
struct numbers {
	uint64_t list[NUMBERS];
	size_t n;
};

static struct numbers
numbers_of(const char *at)
{
	struct numbers all = { .n = 0 };
	uint64_t number;

	while (all.n < NUMBERS && (number = next_number(&at)) > 0)
		all.list[all.n++] = number;
	return all;
}

/* The words name the limit; the length is a number above it, or the sum of
 * two numbers below it (a prompt and its max_tokens). */
static void
read_by_limit(const struct numbers *all, uint64_t limit, struct blamed *b)
{
	uint64_t most = 0, sum = 0, last = 0;

	for (size_t i = 0; i < all->n; i++) {
		uint64_t number = all->list[i];

		if (number > most)
			most = number;
		if (number != limit && number != last && last == 0)
			sum = last = number;
		else if (number != limit && number != last && sum == last)
			sum += number;
	}
	if (most <= limit)
		most = sum;
	if (most > limit) {
		b->tokens = most;
		b->limit = limit;
	}
}

/* Other wordings begin with the limit and the length, in either order; if
 * they give a sum, the limit comes last. */
static void
read_length(const char *words, struct span body, struct blamed *b)
{
	struct numbers all = numbers_of(words);
	const char *limit = strstr(words, "length is ");
	uint64_t first = all.list[0], second = all.list[1];

	if (limit != NULL) {
		read_by_limit(&all, next_number(&limit), b);
		return;
	}
	if (all.n > 2 && strstr(words, " + ") != NULL) {
		first += second;
		second = all.list[2];
	}
	if (all.n == 0) {
		first = complaint_count(body, "n_prompt_tokens");
		second = complaint_count(body, "n_ctx");
	}
	if (first == 0 || second == 0 || first == second)
		return;
	b->tokens = first > second ? first : second;
	b->limit = first > second ? second : first;
}

struct blamed
blame_of(int status, struct span body)
{
	struct blamed b = { .blame = BLAME_PROVIDER };
	struct buf words;

	if (status != 0 && (status < 400 || status > 599))
		status = 500;
	complaint_words(body, &words);
	if (!wording_find(status, buf_span(&words), &b.blame))
		b.blame = by_status(status);
	if (b.blame == BLAME_LENGTH)
		read_length(words.p, body, &b);
	buf_free(&words);
	return b;
}

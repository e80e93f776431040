/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The ledger's reader: lines that anybody may have written, their tries, their
 * sums, and the chain computed from the end of a file.  Input: a ledger.
 */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "ledger/chain.h"
#include "ledger/usage_sum.h"

static void
look_inside(const struct span s, const char *from, const char *to)
{
	MUST(s.p == NULL || (s.p >= from && s.p + s.len <= to));
}

static void
read_tries(const struct ledger_line *l, const char *from, const char *to)
{
	struct ledger_tries tries = { .begun = false };
	struct ledger_try t;
	size_t n = 0;

	while (ledger_try_next(&tries, l, &t)) {
		look_inside(t.provider, from, to);
		look_inside(t.host, from, to);
		look_inside(t.outcome, from, to);
		MUST(t.bytes_sent >= 0 && t.input >= 0 && t.output >= 0);
		MUST(t.cost_nanousd >= -1 && t.ms >= -1);
		MUST(++n <= (size_t)(to - from));
	}
}

/* In memory of exactly its size. */
static void
read_line(struct span text, struct usage_sum *sum, struct ledger_tail *tail)
{
	char *copy = malloc(text.len + 1);
	struct span line = { copy, text.len }, prev;
	struct ledger_line l;
	uint64_t n;

	memcpy(copy, text.p, text.len);
	copy = realloc(copy, text.len);
	line.p = copy;
	ledger_line_time(line);
	if (ledger_line_end(line, &n, &prev))
		look_inside(prev, line.p, line.p + line.len);
	if (ledger_line_parse(line, &l)) {
		look_inside(l.model, line.p, line.p + line.len);
		look_inside(l.more_tries, line.p, line.p + line.len);
		read_tries(&l, line.p, line.p + line.len);
		usage_sum_add(sum, &l);
	}
	ledger_tail_push(tail, line);
	free(copy);
}

/* However the file is read, its end is the same. */
static void
read_file(const uint8_t *data, size_t size, const struct ledger_tail *pushed)
{
	struct ledger_tail tail;
	FILE *f = tmpfile();

	MUST(f != NULL && fwrite(data, 1, size, f) == size && fflush(f) == 0);
	ledger_tail_init(&tail);
	MUST(ledger_tail_follow(fileno(f), &tail) == 0);
	MUST(tail.size == (int64_t)size && tail.n == pushed->n);
	MUST(memcmp(tail.hash, pushed->hash, LEDGER_HASH_LEN) == 0);
	MUST(ledger_tail_derive(fileno(f), &tail) == 0);
	MUST(tail.size == (int64_t)size);
	fclose(f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum usage_by by[] = { USAGE_BY_MODEL, USAGE_BY_HOST,
		USAGE_BY_DAY };
	static struct usage_sum *sum;
	const char *p = (const char *)data, *end = p + size;
	struct ledger_tail tail;
	struct usage_group **groups;

	if (sum == NULL)
		sum = usage_sum_new(by, 3);
	ledger_tail_init(&tail);
	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		const char *stop = newline == NULL ? end : newline;

		if (stop > p)
			read_line(
			    (struct span){ p, (size_t)(stop - p) }, sum, &tail);
		p = stop + 1;
	}
	read_file(data, size, &tail);
	for (size_t i = usage_sum_groups(sum, &groups); i > 0; i--)
		MUST(strlen(groups[i - 1]->names[0]) <= size);
	usage_sum_reset(sum);
	return 0;
}

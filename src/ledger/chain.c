/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The hash chain of the ledger and the record of its tail.  Hides the record's
 * form and how a lost one is rebuilt; used by the writer of each request's line
 * and by `tailgate usage --verify`.
 */
#include "config.h"

#include <sys/stat.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/hash.h"
#include "ledger/chain.h"

#define TAIL_MAGIC UINT64_C(0x3130464c45444754) /* "TGDELF01" */
/* How many lines are searched from the end before the whole file is read. */
#define DERIVE_BYTES (1024 * 1024)
#define FOLLOW_BYTES (64 * 1024)

void
ledger_tail_init(struct ledger_tail *t)
{
	memset(t, 0, sizeof(*t));
	memset(t->hash, '0', LEDGER_HASH_LEN);
}

/* Half a SHA-256 of both texts together, in hex. */
static void
half_hash(struct span first, struct span second, char out[LEDGER_HASH_LEN])
{
	unsigned char digest[DIGEST_BYTES];
	char text[DIGEST_TEXT_SIZE];

	digest_pair(first.p, first.len, second.p, second.len, digest);
	digest_text(digest, text);
	memcpy(out, text, LEDGER_HASH_LEN);
}

/* Not a secret: detects a record that was written in part. */
static void
record_check(const struct ledger_record *r, unsigned char out[8])
{
	uint64_t h =
	    hash_more(HASH_SEED, r, offsetof(struct ledger_record, check));

	memcpy(out, &h, 8);
}

static void
ledger_tail_pack(const struct ledger_tail *t, struct ledger_record *r)
{
	r->magic = TAIL_MAGIC;
	r->n = t->n;
	r->dev = t->dev;
	r->ino = t->ino;
	r->size = t->size;
	memcpy(r->hash, t->hash, LEDGER_HASH_LEN);
	record_check(r, r->check);
}

/* -1 if it is not a record, or damaged. */
static int
ledger_tail_unpack(const struct ledger_record *r, struct ledger_tail *t)
{
	unsigned char check[8];

	record_check(r, check);
	if (r->magic != TAIL_MAGIC || memcmp(check, r->check, 8) != 0)
		return -1;
	t->n = r->n;
	t->dev = r->dev;
	t->ino = r->ino;
	t->size = r->size;
	memcpy(t->hash, r->hash, LEDGER_HASH_LEN);
	t->hash[LEDGER_HASH_LEN] = '\0';
	return 0;
}

int
ledger_tail_read(int fd, struct ledger_tail *t)
{
	struct ledger_record r;

	if (pread(fd, &r, sizeof(r), 0) != sizeof(r))
		return -1;
	return ledger_tail_unpack(&r, t);
}

int
ledger_tail_write(int fd, const struct ledger_tail *t)
{
	struct ledger_record r;

	ledger_tail_pack(t, &r);
	return pwrite(fd, &r, sizeof(r), 0) == sizeof(r) ? 0 : -1;
}

static bool
is_hash(const char *p)
{
	for (size_t i = 0; i < LEDGER_HASH_LEN; i++)
		if (!((p[i] >= '0' && p[i] <= '9') ||
			(p[i] >= 'a' && p[i] <= 'f')))
			return false;
	return true;
}

/* The digits that end before p[end], and the text that must precede them;
 * returns where that begins, or 0. */
static size_t
number_before(const char *p, size_t end, uint64_t *n)
{
	static const char before[] = ",\"n\":";
	const size_t len = sizeof(before) - 1;
	uint64_t value = 0, unit = 1;
	size_t i = end;

	for (; i > 0 && end - i < 18 && p[i - 1] >= '0' && p[i - 1] <= '9';
	     i--) {
		value += (uint64_t)(p[i - 1] - '0') * unit;
		unit *= 10;
	}
	if (i == end || i < len + 1 || memcmp(p + i - len, before, len) != 0)
		return 0;
	*n = value;
	return i - len;
}

bool
ledger_line_end(struct span line, uint64_t *n, struct span *prev)
{
	static const char before[] = ",\"prev\":\"", behind[] = "\"}";
	const size_t len = sizeof(before) - 1;
	size_t hash;

	if (line.len < LEDGER_HASH_LEN + 2 + len || line.p[0] != '{')
		return false;
	hash = line.len - 2 - LEDGER_HASH_LEN;
	if (memcmp(line.p + hash + LEDGER_HASH_LEN, behind, 2) != 0 ||
	    memcmp(line.p + hash - len, before, len) != 0 ||
	    !is_hash(line.p + hash))
		return false;
	*prev = (struct span){ line.p + hash, LEDGER_HASH_LEN };
	return number_before(line.p, hash - len, n) != 0;
}

void
ledger_tail_push(struct ledger_tail *t, struct span line)
{
	struct span prev;
	uint64_t n;

	if (ledger_line_end(line, &n, &prev)) {
		t->n = n;
		half_hash(line, (struct span){ NULL, 0 }, t->hash);
		return;
	}
	/* Torn: it has no prev, so its hash includes the one before it. */
	t->n++;
	half_hash((struct span){ t->hash, LEDGER_HASH_LEN }, line, t->hash);
}

/* Reads [from, to) whole; NULL with errno. */
static char *
read_range(int fd, int64_t from, int64_t to)
{
	size_t len = (size_t)(to - from), done = 0;
	char *p = malloc(len + 1);

	if (p == NULL)
		return NULL;
	while (done < len) {
		ssize_t n = pread(
		    fd, p + done, len - done, (off_t)(from + (int64_t)done));

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			free(p);
			if (n == 0)
				errno = EIO;
			return NULL;
		}
		done += (size_t)n;
	}
	return p;
}

/* Goes on over the lines of one piece of the file.  Returns the bytes taken;
 * at the file's end a rest without a newline is a line too. */
static size_t
push_lines(struct ledger_tail *t, const char *p, size_t len, bool last)
{
	size_t i = 0;

	while (i < len) {
		const char *newline = memchr(p + i, '\n', len - i);
		size_t n =
		    newline == NULL ? len - i : (size_t)(newline - (p + i));

		/* A longer line is not ours: it is read in pieces. */
		if (newline == NULL && !last && n < LEDGER_LINE_MAX)
			break;
		if (n > 0)
			ledger_tail_push(t, (struct span){ p + i, n });
		i += n + (newline != NULL);
	}
	return i;
}

int
ledger_tail_follow(int fd, struct ledger_tail *t)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -1;
	t->dev = (uint64_t)st.st_dev;
	t->ino = (uint64_t)st.st_ino;
	while (t->size < st.st_size) {
		int64_t to = t->size + FOLLOW_BYTES + LEDGER_LINE_MAX;
		bool last = to >= st.st_size;
		char *p = read_range(fd, t->size, last ? st.st_size : to);

		if (p == NULL)
			return -1;
		t->size += (int64_t)push_lines(
		    t, p, (size_t)((last ? st.st_size : to) - t->size), last);
		free(p);
	}
	return 0;
}

/* The last whole line of p whose newline is there; its offset, or -1. */
static ssize_t
last_whole_line(const char *p, size_t len, bool from_start)
{
	struct span prev;
	uint64_t n;

	while (len > 0) {
		const char *end = memrchr(p, '\n', len);
		const char *begin;
		size_t at;

		if (end == NULL)
			return -1;
		begin = memrchr(p, '\n', (size_t)(end - p));
		if (begin == NULL && !from_start)
			return -1;
		at = begin == NULL ? 0 : (size_t)(begin - p) + 1;
		if (ledger_line_end(
			(struct span){ p + at, (size_t)(end - p) - at }, &n,
			&prev))
			return (ssize_t)at;
		len = (size_t)(end - p);
		if (len == 0)
			break;
	}
	return -1;
}

int
ledger_tail_derive(int fd, struct ledger_tail *t)
{
	struct stat st;
	int64_t from;
	ssize_t at;
	char *p;

	ledger_tail_init(t);
	if (fstat(fd, &st) == -1)
		return -1;
	from = st.st_size > DERIVE_BYTES ? st.st_size - DERIVE_BYTES : 0;
	if ((p = read_range(fd, from, st.st_size)) == NULL)
		return -1;
	at = last_whole_line(p, (size_t)(st.st_size - from), from == 0);
	free(p);
	if (at >= 0)
		t->size = from + at;
	return ledger_tail_follow(fd, t);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The spool, fed by a struct io that gives bytes in pieces, gives too few or
 * too many, or fails.
 */
#include "config.h"

#include <stdlib.h>

#include "check.h"
#include "wire/spool.h"

struct feed {
	struct io io;
	size_t total, given, piece;
	bool breaks;
};

static char
pattern(size_t i)
{
	return (char)(i * 31 + i / 251);
}

static ssize_t
feed_read(struct io *io, void *p, size_t len)
{
	struct feed *f = (struct feed *)io;
	size_t n = f->total - f->given;

	if (n == 0)
		return f->breaks ? -1 : 0;
	if (n > f->piece)
		n = f->piece;
	if (n > len)
		n = len;
	for (size_t i = 0; i < n; i++)
		((char *)p)[i] = pattern(f->given + i);
	f->given += n;
	return (ssize_t)n;
}

static const struct io_ops feed_ops = { .read = feed_read };

static struct feed
feed_of(size_t total, size_t piece)
{
	return (struct feed){ .io = { .ops = &feed_ops, .fd = -1 },
		.total = total,
		.piece = piece };
}

static bool
is_whole(const struct spool *s, size_t total)
{
	struct span got = spool_span(s);

	if (got.len != total)
		return false;
	for (size_t i = 0; i < total; i++)
		if (got.p[i] != pattern(i))
			return false;
	return true;
}

static void
try_ok(size_t total, size_t piece, bool announced, size_t memory_max)
{
	struct feed f = feed_of(total, piece);
	struct spool s;
	enum spool_result r;

	spool_init(&s, "/tmp", memory_max, NULL);
	r = spool_read(&s, &f.io, announced ? (long long)total : -1, 10000000);
	CHECK(r == SPOOL_OK && is_whole(&s, total),
	    "%zu bytes in pieces of %zu, %s, are whole", total, piece,
	    announced ? "announced" : "unannounced");
	CHECK((s.fd != -1) == (total > memory_max), "%zu bytes lie in %s",
	    total, total > memory_max ? "a file" : "memory");
	spool_free(&s);
	spool_free(&s);
}

static void
try_bad(const char *what, struct feed f, long long length, size_t max,
    const char *dir, enum spool_result want)
{
	struct spool s;
	enum spool_result r;

	spool_init(&s, dir, 1000, NULL);
	r = spool_read(&s, &f.io, length, max);
	CHECK(r == want, "%s: result %d", what, (int)r);
	CHECK(
	    spool_span(&s).len == 0 && s.fd == -1, "%s: nothing is kept", what);
	spool_free(&s);
}

int
main(void)
{
	static const size_t sizes[] = { 0, 1, 999, 1000, 1001, 16384, 70000,
		300000, 1000000 };
	struct feed f;
	struct spool s;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		try_ok(sizes[i], 1 << 20, true, 1000);
		try_ok(sizes[i], 777, false, 1000);
		try_ok(sizes[i], 4096, true, 1 << 22);
		try_ok(sizes[i], 4096, false, 1 << 22);
	}
	try_ok(5, 1, true, 0);

	f = feed_of(10, 10);
	try_bad("announced too large", f, 2001, 2000, "/tmp", SPOOL_TOO_LARGE);
	try_bad("unannounced, too large in memory", feed_of(600, 100), -1, 500,
	    "/tmp", SPOOL_TOO_LARGE);
	try_bad("unannounced, too large in a file", feed_of(9000, 100), -1,
	    8999, "/tmp", SPOOL_TOO_LARGE);
	try_bad("short of its length", feed_of(10, 10), 11, 2000, "/tmp",
	    SPOOL_CUT);
	try_bad("longer than its length", feed_of(12, 10), 11, 2000, "/tmp",
	    SPOOL_CUT);
	f = feed_of(10, 3);
	f.breaks = true;
	try_bad("broken in memory", f, -1, 2000, "/tmp", SPOOL_CUT);
	f = feed_of(5000, 3000);
	f.breaks = true;
	try_bad("broken in a file", f, -1, 9000, "/tmp", SPOOL_CUT);
	try_bad("no directory", feed_of(5000, 3000), -1, 9000,
	    "/nonexistent/dir", SPOOL_ERROR);

	f = feed_of(10, 10);
	spool_init(&s, "/tmp", 1 << 30, NULL);
	CHECK(spool_read(&s, &f.io, 1LL << 30, (size_t)1 << 31) == SPOOL_CUT,
	    "a gigabyte announced and ten bytes sent is cut");
	f = feed_of(10, 10);
	CHECK(spool_read(&s, &f.io, 2000, 1000) == SPOOL_TOO_LARGE &&
		f.given == 0,
	    "a length over the cap is refused before a byte is read");
	spool_free(&s);
	return check_done();
}

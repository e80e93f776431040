/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Finds the ledger's files and reads them, line by line.
 */
#include "config.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ledger/read.h"

#define READ_BYTES ((size_t)1 << 20)

/* ---- A file ---- */

/* Reads on after what is kept at the buffer's beginning. */
static ssize_t
read_more(int fd, char *p, size_t len, int64_t offset)
{
	ssize_t n;

	do
		n = pread(fd, p, len, (off_t)offset);
	while (n == -1 && errno == EINTR);
	return n;
}

struct pass {
	int (*line)(
	    void *ctx, struct span line, int64_t offset, uint64_t number);
	void *ctx;
	uint64_t number;
};

/* Hands on the lines of p; returns the bytes taken, or what line() said. */
static ssize_t
pass_lines(
    struct pass *pass, const char *p, size_t len, int64_t offset, bool all)
{
	size_t i = 0;

	while (i < len) {
		const char *newline = memchr(p + i, '\n', len - i);
		size_t n =
		    newline == NULL ? len - i : (size_t)(newline - (p + i));
		int rc;

		if (newline == NULL && !all)
			break;
		pass->number++;
		rc = n == 0 ? 0
			    : pass->line(pass->ctx, (struct span){ p + i, n },
				  offset + (int64_t)i, pass->number);
		if (rc != 0)
			return rc;
		i += n + (newline != NULL);
	}
	return (ssize_t)i;
}

static int64_t
each_of_fd(
    int fd, int64_t at, int64_t to, bool rest, struct pass *pass, char *buffer)
{
	while (at < to) {
		size_t want = to - at < (int64_t)READ_BYTES ? (size_t)(to - at)
							    : READ_BYTES;
		ssize_t n = read_more(fd, buffer, want, at), taken;
		bool last;

		if (n <= 0)
			return n == 0 ? at : -1;
		last = at + n >= to;
		/* A line longer than the buffer is none of ours. */
		taken = pass_lines(pass, buffer, (size_t)n, at,
		    (last && rest) ||
			((size_t)n == READ_BYTES &&
			    memchr(buffer, '\n', READ_BYTES) == NULL));
		if (taken < 0)
			return taken;
		if (taken == 0)
			return at;
		at += taken;
	}
	return at;
}

int64_t
ledger_part_each(const struct ledger_part *file, int64_t from, int64_t to,
    bool rest,
    int (*line)(void *ctx, struct span line, int64_t offset, uint64_t number),
    void *ctx)
{
	struct pass pass = { line, ctx, 0 };
	char *buffer;
	int64_t rc;
	int fd;

	if ((fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) == -1)
		return -1;
	if ((buffer = malloc(READ_BYTES)) == NULL)
		fatal("out of memory");
	rc = each_of_fd(fd, from, to, rest, &pass, buffer);
	free(buffer);
	close(fd);
	return rc;
}

/* ---- The files ---- */

static int
first_number(void *ctx, struct span line, int64_t offset, uint64_t number)
{
	struct span prev;

	(void)offset;
	(void)number;
	return ledger_line_end(line, ctx, &prev) ? -2 : 0;
}

/* "ledger.jsonl", ".1", ".12", "-20261122": only digits after the name, of
 * which the last `cut` bytes are not looked at. */
static bool
is_part_but(const char *name, const char *base, size_t cut)
{
	size_t len = strlen(base), all = strlen(name) - cut;

	if (all < len || strncmp(name, base, len) != 0)
		return false;
	if (all == len)
		return true;
	if (name[len] != '.' && name[len] != '-')
		return false;
	return all > len + 1 &&
	    strspn(name + len + 1, "0123456789-") >= all - len - 1;
}

static bool
is_part(const char *name, const char *base)
{
	return is_part_but(name, base, 0);
}

static bool
is_packed_part(const char *name, const char *base)
{
	static const char *const ends[] = { ".gz", ".zst", ".xz", ".bz2",
		".lz4" };
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t n = strlen(ends[i]);

		if (len > n && strcmp(name + len - n, ends[i]) == 0)
			return is_part_but(name, base, n);
	}
	return false;
}

static bool
look_at(const char *dir, const char *name, struct ledger_part *f)
{
	struct stat st;

	memset(f, 0, sizeof(*f));
	if (asprintf(&f->path, "%s/%s", dir, name) == -1)
		fatal("out of memory");
	if (lstat(f->path, &st) == -1 || !S_ISREG(st.st_mode)) {
		free(f->path);
		return false;
	}
	f->size = st.st_size;
	f->modified_ms =
	    (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
	f->dev = (uint64_t)st.st_dev;
	f->ino = (uint64_t)st.st_ino;
	f->first_n = UINT64_MAX; /* an empty one comes last */
	ledger_part_each(f, 0,
	    f->size < 2 * LEDGER_LINE_MAX ? f->size : 2 * LEDGER_LINE_MAX,
	    false, first_number, &f->first_n);
	return true;
}

static int
by_number(const void *a, const void *b)
{
	const struct ledger_part *x = a, *y = b;

	if (x->first_n != y->first_n)
		return x->first_n < y->first_n ? -1 : 1;
	/* Of two empty ones, "ledger.jsonl" before "ledger.jsonl.1" is the
	 * wrong way round. */
	return strcmp(y->path, x->path);
}

/* Its files whose names are right. */
static size_t
parts(const char *path, bool (*right)(const char *name, const char *base),
    struct ledger_part **out)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash == NULL ? path : slash + 1;
	char *dir =
	    slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path));
	struct dirent *entry;
	size_t n = 0;
	DIR *d;

	*out = NULL;
	if (dir == NULL)
		fatal("out of memory");
	if ((d = opendir(*dir == '\0' ? "/" : dir)) != NULL) {
		while ((entry = readdir(d)) != NULL) {
			if (!right(entry->d_name, base))
				continue;
			*out = reallocarray(*out, n + 1, sizeof(**out));
			if (*out == NULL)
				fatal("out of memory");
			n += look_at(dir, entry->d_name, &(*out)[n]);
		}
		closedir(d);
	}
	free(dir);
	if (n > 1)
		qsort(*out, n, sizeof(**out), by_number);
	return n;
}

size_t
ledger_parts(const char *path, struct ledger_part **out)
{
	return parts(path, is_part, out);
}

size_t
ledger_packed_parts(const char *path, struct ledger_part **out)
{
	return parts(path, is_packed_part, out);
}

void
ledger_parts_free(struct ledger_part *files, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(files[i].path);
	free(files);
}

/* ---- All lines ---- */

struct each {
	int64_t since_ms;
	int (*line)(void *ctx, const struct ledger_line *);
	void *ctx;
	int rc;
};

static int
each_line(void *ctx, struct span text, int64_t offset, uint64_t number)
{
	struct each *e = ctx;
	struct ledger_line line;

	(void)offset;
	(void)number;
	if (ledger_line_time(text) < e->since_ms ||
	    !ledger_line_parse(text, &line))
		return 0;
	e->rc = e->line(e->ctx, &line);
	return e->rc == 0 ? 0 : -2;
}

int
ledger_each(const char *path, int64_t since_ms,
    int (*line)(void *ctx, const struct ledger_line *), void *ctx)
{
	struct each e = { since_ms, line, ctx, 0 };
	struct ledger_part *files;
	size_t n = ledger_parts(path, &files);

	for (size_t i = 0; i < n && e.rc == 0; i++) {
		if (files[i].modified_ms < since_ms)
			continue;
		if (ledger_part_each(&files[i], 0, files[i].size, false,
			each_line, &e) == -1)
			log_warn("%s: %s", files[i].path, strerror(errno));
	}
	ledger_parts_free(files, n);
	return e.rc;
}

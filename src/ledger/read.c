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
#include "base/memory.h"
#include "ledger/read.h"

#define READ_BYTES ((size_t)1 << 20)
/* Enough to find the first line of a compressed file. */
#define FIRST_BYTES ((size_t)64 * 1024)

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
		/* A line longer than the buffer is not ours. */
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

/* Over what was read before. */
static int
unpack_skip(struct unpack *u, int64_t bytes, char *buffer)
{
	while (bytes > 0) {
		size_t want =
		    bytes < (int64_t)READ_BYTES ? (size_t)bytes : READ_BYTES;
		ssize_t n = unpack_read(u, buffer, want);

		if (n <= 0)
			return (int)n;
		bytes -= n;
	}
	return 0;
}

static int64_t
each_of_packed(
    struct unpack *u, int64_t at, bool rest, struct pass *pass, char *buffer)
{
	size_t kept = 0, want = FIRST_BYTES;
	ssize_t n, taken;

	if (unpack_skip(u, at, buffer) == -1)
		return -1;
	while ((n = unpack_read(u, buffer + kept, want)) > 0) {
		size_t len = kept + (size_t)n;

		/* A line longer than the buffer is none of ours. */
		taken = pass_lines(pass, buffer, len, at,
		    len == READ_BYTES &&
			memchr(buffer, '\n', READ_BYTES) == NULL);
		if (taken < 0)
			return taken;
		at += taken;
		kept = len - (size_t)taken;
		memmove(buffer, buffer + taken, kept);
		want = READ_BYTES - kept;
	}
	if (n == 0 && rest && kept > 0) {
		taken = pass_lines(pass, buffer, kept, at, true);
		return taken < 0 ? taken : at + taken;
	}
	return n == 0 ? at : -1;
}

static int64_t
each_packed(int fd, enum unpack_form form, int64_t from, bool rest,
    struct pass *pass, char *buffer)
{
	struct unpack *u = unpack_open(fd, form);
	int64_t rc;
	int error;

	if (u == NULL)
		return -1;
	rc = each_of_packed(u, from, rest, pass, buffer);
	error = errno;
	unpack_close(u);
	errno = error;
	return rc;
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
	buffer = memory_alloc(READ_BYTES);
	if (file->form == UNPACK_NONE) {
		rc = each_of_fd(fd, from, to, rest, &pass, buffer);
		close(fd);
	} else
		rc = each_packed(fd, file->form, from, rest, &pass, buffer);
	free(buffer);
	return rc;
}

const char *
ledger_part_error(int error)
{
	return error == EBADMSG ? "damaged: it can't be decompressed to its end"
				: strerror(error);
}

/* ---- The files ---- */

static int
first_number(void *ctx, struct span line, int64_t offset, uint64_t number)
{
	struct span prev;

	(void)number;
	/* The first whole line is near the beginning, or it is not a ledger. */
	return ledger_line_end(line, ctx, &prev) || offset > 2 * LEDGER_LINE_MAX
	    ? -2
	    : 0;
}

/* "ledger.jsonl", ".1", ".12", "-20261122": only digits after the name, in the
 * first `len` bytes. */
static bool
is_part(const char *name, size_t len, const char *base)
{
	size_t n = strlen(base);

	if (len < n || strncmp(name, base, n) != 0)
		return false;
	if (len == n)
		return true;
	if (name[n] != '.' && name[n] != '-')
		return false;
	return len > n + 1 &&
	    strspn(name + n + 1, "0123456789-") >= len - n - 1;
}

static int
look(const char *path, enum unpack_form form, struct ledger_part *f)
{
	struct stat st;

	memset(f, 0, sizeof(*f));
	f->form = form;
	if (lstat(path, &st) == -1)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	f->path = memory_text(span_of(path));
	f->size = st.st_size;
	f->modified_ms =
	    (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
	f->dev = (uint64_t)st.st_dev;
	f->ino = (uint64_t)st.st_ino;
	f->first_n = UINT64_MAX; /* an empty one comes last */
	if (form != UNPACK_OTHER)
		ledger_part_each(f, 0,
		    f->size < 2 * LEDGER_LINE_MAX ? f->size
						  : 2 * LEDGER_LINE_MAX,
		    false, first_number, &f->first_n);
	return 0;
}

static bool
look_at(const char *dir, const char *name, enum unpack_form form,
    struct ledger_part *f)
{
	unsigned tries = 0;
	char *path;
	bool is;

	while (asprintf(&path, "%s/%s", dir, name) == -1)
		memory_wait(&tries);
	is = look(path, form, f) == 0;
	free(path);
	return is;
}

int
ledger_part_look(const char *path, struct ledger_part *f)
{
	size_t len;
	enum unpack_form form = unpack_form(path, &len);

	if (form == UNPACK_OTHER) {
		errno = ENOTSUP;
		return -1;
	}
	return look(path, form, f);
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

/* The files that can be read, or the others. */
static size_t
parts(const char *path, bool readable, struct ledger_part **out)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash == NULL ? path : slash + 1;
	char *dir = memory_text(slash == NULL
		? span_of(".")
		: (struct span){ path, (size_t)(slash - path) });
	struct dirent *entry;
	size_t n = 0;
	DIR *d;

	*out = NULL;
	if ((d = opendir(*dir == '\0' ? "/" : dir)) != NULL) {
		while ((entry = readdir(d)) != NULL) {
			size_t len;
			enum unpack_form form =
			    unpack_form(entry->d_name, &len);

			if ((form != UNPACK_OTHER) != readable ||
			    !is_part(entry->d_name, len, base))
				continue;
			*out = memory_list(*out, n + 1, sizeof(**out));
			n += look_at(dir, entry->d_name, form, &(*out)[n]);
		}
		closedir(d);
	}
	free(dir);
	if (n > 1)
		qsort(*out, n, sizeof(**out), by_number);
	return n;
}

/* Does `other` have the same content as the compressed one, or will it when
 * that is complete? */
static bool
is_copy(const struct ledger_part *packed, const struct ledger_part *other)
{
	size_t len;

	unpack_form(packed->path, &len);
	return other->form == UNPACK_NONE &&
	    ((packed->first_n != UINT64_MAX &&
		 other->first_n == packed->first_n) ||
		(strlen(other->path) == len &&
		    strncmp(other->path, packed->path, len) == 0));
}

static bool
has_plain(const struct ledger_part *files, size_t n, size_t i)
{
	for (size_t k = 0; k < n && files[i].form != UNPACK_NONE; k++)
		if (is_copy(&files[i], &files[k]))
			return true;
	return false;
}

size_t
ledger_parts(const char *path, struct ledger_part **out)
{
	size_t n = parts(path, true, out), kept = 0;
	bool *drop = memory_zero((n + 1) * sizeof(*drop));

	for (size_t i = 0; i < n; i++)
		drop[i] = has_plain(*out, n, i);
	for (size_t i = 0; i < n; i++)
		if (drop[i])
			free((*out)[i].path);
		else
			(*out)[kept++] = (*out)[i];
	free(drop);
	return kept;
}

size_t
ledger_unread_parts(const char *path, struct ledger_part **out)
{
	return parts(path, false, out);
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
ledger_each_of(const struct ledger_part *files, size_t n, int64_t since_ms,
    int (*line)(void *ctx, const struct ledger_line *), void *ctx)
{
	struct each e = { since_ms, line, ctx, 0 };

	for (size_t i = 0; i < n && e.rc == 0; i++) {
		if (files[i].modified_ms < since_ms)
			continue;
		if (ledger_part_each(&files[i], 0, files[i].size, false,
			each_line, &e) == -1)
			log_warn(
			    "%s: %s", files[i].path, ledger_part_error(errno));
	}
	return e.rc;
}

int
ledger_each(const char *path, int64_t since_ms,
    int (*line)(void *ctx, const struct ledger_line *), void *ctx)
{
	struct ledger_part *files;
	size_t n = ledger_parts(path, &files);
	int rc = ledger_each_of(files, n, since_ms, line, ctx);

	ledger_parts_free(files, n);
	return rc;
}

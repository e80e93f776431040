/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The text of a configuration file, checked before libconfig reads it.
 *
 * libconfig 1.5 ends the process when an @include names a directory, waits
 * endlessly at a FIFO, stops silently at a NUL, and wraps an integer that does
 * not fit 32 bits (99999999999 becomes 1215752191).  All of that is refused
 * here, before it sees the text.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "config/load.h"

#define TEXT_MAX_BYTES (16 * 1024 * 1024)
#define TEXT_INCLUDES_MAX 9 /* libconfig's own bound is 10 */

struct text {
	struct load *load;
	const char *file;
	const char *dir;
	const char *p;
	unsigned line;
	unsigned depth; /* of includes */
};

static bool text_prove(struct text *);

/* The whole file, or NULL with errno. */
static char *
read_file(struct load *load, const char *path, size_t *len)
{
	char *text = NULL;
	struct stat st;
	ssize_t n;
	/* O_NONBLOCK: opening a FIFO must not wait for its writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	*len = 0;
	if (fd == -1)
		return NULL;
	if (fstat(fd, &st) == -1)
		goto out;
	if (!S_ISREG(st.st_mode) || st.st_size > TEXT_MAX_BYTES) {
		errno = S_ISDIR(st.st_mode) ? EISDIR
		    : S_ISREG(st.st_mode)   ? EFBIG
					    : EINVAL;
		goto out;
	}
	text = arena_alloc(load->arena, (size_t)st.st_size + 1);
	while (*len < (size_t)st.st_size &&
	    (n = read(fd, text + *len, (size_t)st.st_size - *len)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			text = NULL;
			break;
		}
		*len += (size_t)n;
	}
out:
	close(fd);
	return text;
}

static void
skip_comment(struct text *t)
{
	if (t->p[0] == '/' && t->p[1] == '*') {
		for (t->p += 2; *t->p != '\0'; t->p++) {
			if (t->p[0] == '*' && t->p[1] == '/') {
				t->p += 2;
				return;
			}
			t->line += *t->p == '\n';
		}
		return;
	}
	t->p += strcspn(t->p, "\n");
}

static void
skip_string(struct text *t)
{
	for (t->p++; *t->p != '\0' && *t->p != '"'; t->p++) {
		if (t->p[0] == '\\' && t->p[1] != '\0')
			t->p++;
		t->line += *t->p == '\n';
	}
	if (*t->p == '"')
		t->p++;
}

/* A number: an integer without the suffix L has 32 bits in libconfig. */
static bool
prove_number(struct text *t)
{
	const char *digits = t->p;
	bool hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
	unsigned long long value;
	size_t len;
	char *end;

	errno = 0;
	value = strtoull(digits, &end, hex ? 16 : 10);
	len = strspn(digits, "0123456789abcdefxABCDEFX.+-_");
	if (*end == 'L' && end[1] == 'L')
		len += 2;
	else if (*end == 'L')
		len += 1;
	t->p += len;
	if (*end == '.' || (!hex && (*end == 'e' || *end == 'E')))
		return true;
	if (errno == 0 && value <= (*end == 'L' ? INT64_MAX : INT32_MAX))
		return true;
	mistake_in(t->load, t->file, t->line,
	    "the number %.*s is too large; %s", len > 40 ? 40 : (int)len,
	    digits,
	    errno == 0 && value <= INT64_MAX && *end != 'L'
		? "write an L after a whole number above 2147483647"
		: "no setting takes it");
	return false;
}

/* At "@include": the file is opened here first. */
static bool
prove_include(struct text *t)
{
	struct text inner = { t->load, NULL, t->dir, NULL, 1, t->depth + 1 };
	struct buf name;
	const char *full;
	size_t len;
	bool ok = false;

	t->p += strlen("@include");
	t->p += strspn(t->p, " \t");
	if (*t->p != '"')
		return true; /* libconfig reports the mistake */
	buf_init(&name, 4096);
	buf_puts(&name, "");
	for (t->p++; *t->p != '\0' && *t->p != '"' && *t->p != '\n'; t->p++) {
		if (t->p[0] == '\\' && t->p[1] != '\0')
			t->p++;
		buf_add(&name, t->p, 1);
	}
	if (*t->p == '"')
		t->p++;
	full = arena_printf(t->load->arena, "%s/%s", t->dir, name.p);
	inner.file = full;
	if (name.p[0] == '/')
		mistake_in(t->load, t->file, t->line,
		    "@include: give a path relative to %s", t->dir);
	else if (inner.depth > TEXT_INCLUDES_MAX)
		mistake_in(t->load, t->file, t->line,
		    "@include: too many files include each other");
	else if ((inner.p = read_file(t->load, full, &len)) == NULL)
		mistake_in(t->load, t->file, t->line, "@include: %s: %s",
		    mistake_quote(t->load, name.p), strerror(errno));
	else if (strlen(inner.p) != len)
		mistake_in(t->load, full, 0, "holds a NUL byte");
	else
		ok = text_prove(&inner);
	buf_free(&name);
	return ok;
}

static bool
text_prove(struct text *t)
{
	bool line_begins = true, word = false, ok = true;

	while (*t->p != '\0' && t->load->nerrors < 100) {
		char c = *t->p;

		if (c == '"') {
			skip_string(t);
		} else if (c == '#' ||
		    (c == '/' && (t->p[1] == '/' || t->p[1] == '*'))) {
			skip_comment(t);
		} else if (line_begins &&
		    strncmp(t->p, "@include", strlen("@include")) == 0) {
			ok = prove_include(t) && ok;
		} else if (!word && c >= '0' && c <= '9') {
			ok = prove_number(t) && ok;
		} else {
			t->line += c == '\n';
			t->p++;
			line_begins = c == '\n' ||
			    (line_begins && (c == ' ' || c == '\t'));
			/* Digits in a name are not a number. */
			word = isalpha((unsigned char)c) || c == '*' ||
			    (word &&
				(isdigit((unsigned char)c) || c == '_' ||
				    c == '-'));
			continue;
		}
		line_begins = word = false;
	}
	return ok;
}

char *
text_read(struct load *load, const char *path, const char *dir)
{
	struct text t = { load, path, dir, NULL, 1, 0 };
	size_t len;
	char *text = read_file(load, path, &len);

	if (text == NULL) {
		mistake_in(load, path, 0, "%s%s",
		    errno == EINVAL ? "not a regular file" : strerror(errno),
		    errno == EACCES
			? "; run this as root, or as the gateway's user "
			  "(`tailgate check --user NAME` says what that user "
			  "can't read)"
			: errno == ENOENT &&
			    strcmp(path, load->files[0].path) == 0
			? "; `tailgate init` writes one, -f FILE names another"
			: "");
		return NULL;
	}
	if (strlen(text) != len) {
		mistake_in(load, path, 0, "holds a NUL byte");
		return NULL;
	}
	t.p = text;
	return text_prove(&t) ? text : NULL;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides where the files of tools lie and how they are replaced: the new file is
 * written beside the old one, synced and renamed.  A symbolic link is followed.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/replace.h"
#include "ctl/setup_internal.h"
#include "ctl/setup_files.h"

static char *
print(const char *fmt, const char *a, const char *b)
{
	size_t size = strlen(fmt) + strlen(a) + strlen(b);
	char *text = malloc(size);

	if (text == NULL)
		fatal("out of memory");
	snprintf(text, size, fmt, a, b);
	return text;
}

static const char *
home(void)
{
	const char *dir = getenv("HOME");
	const struct passwd *pw;

	if (dir != NULL && *dir == '/')
		return dir;
	pw = getpwuid(getuid());
	if (pw == NULL || pw->pw_dir == NULL)
		fatal("HOME is not set");
	return pw->pw_dir;
}

/* "~/x", "${VAR:-~/x}/y", or a path as it is. */
static char *
expand(const char *spec)
{
	char *name, *fall, *end, *copy, *path;
	const char *value;

	if (strncmp(spec, "~/", 2) == 0)
		return print("%s/%s", home(), spec + 2);
	if (strncmp(spec, "${", 2) != 0)
		return print("%s%s", spec, "");
	copy = print("%s%s", spec + 2, "");
	name = copy;
	fall = strstr(copy, ":-");
	end = strchr(copy, '}');
	*fall = *end = '\0';
	value = getenv(name);
	if (value != NULL && *value == '/')
		path = print("%s%s", value, end + 1);
	else {
		fall = expand(fall + 2);
		path = print("%s%s", fall, end + 1);
		free(fall);
	}
	free(copy);
	return path;
}

char *
setup_path(const char *spec)
{
	char *first = NULL;

	while (*spec != '\0') {
		size_t n = strcspn(spec, "|");
		char *one = strndup(spec, n), *path;

		if (one == NULL)
			fatal("out of memory");
		path = expand(one);
		free(one);
		if (access(path, F_OK) == 0) {
			free(first);
			return path;
		}
		if (first == NULL)
			first = path;
		else
			free(path);
		spec += spec[n] == '|' ? n + 1 : n;
	}
	return first;
}

char *
setup_key_path(const char *tool)
{
	char *dir = expand("${XDG_CONFIG_HOME:-~/.config}/tailgate");
	char *path = print("%s/%s.key", dir, tool);

	free(dir);
	return path;
}

char *
setup_state_path(const char *tool)
{
	char *dir = expand("${XDG_STATE_HOME:-~/.local/state}/tailgate/setup");
	char *path = print("%s/%s", dir, tool);

	free(dir);
	return path;
}

int
setup_complain(const char *path)
{
	fprintf(stderr, "tailgate setup: %s: %s\n", path, strerror(errno));
	return -1;
}

int
setup_file_read(
    const char *path, struct buf *text, bool *exists, unsigned *mode)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char piece[16384];
	struct stat st;
	ssize_t n = 0;

	*exists = fd != -1;
	*mode = 0666;
	buf_puts(text, "");
	if (fd == -1)
		return errno == ENOENT ? 0 : setup_complain(path);
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		fprintf(stderr, "tailgate setup: %s: it is not a file\n", path);
		close(fd);
		return -1;
	}
	*mode = st.st_mode & 0777;
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		buf_add(text, piece, (size_t)n);
	if (n == -1)
		setup_complain(path);
	close(fd);
	if (buf_failed(text)) {
		fprintf(stderr, "tailgate setup: %s: it is too long\n", path);
		return -1;
	}
	return n == -1 ? -1 : 0;
}

int
setup_text_read(struct setup_text *t)
{
	char *real = realpath(t->path, NULL);

	if (real != NULL) {
		free(t->path);
		t->path = real;
	}
	buf_init(&t->before, SETUP_TEXT_MAX);
	buf_init(&t->after, SETUP_TEXT_MAX);
	return setup_file_read(t->path, &t->before, &t->exists, &t->mode);
}

void
setup_text_free(struct setup_text *t)
{
	free(t->path);
	if (t->before.p != NULL)
		explicit_bzero(t->before.p, t->before.len);
	if (t->after.p != NULL)
		explicit_bzero(t->after.p, t->after.len);
	buf_free(&t->before);
	buf_free(&t->after);
}

/* ---- writing ---------------------------------------------------------- */

int
setup_dirs_make(const char *path, char **made)
{
	char *dir = print("%s%s", path, "");
	int status = 0;

	for (char *p = dir + 1; status == 0 && (p = strchr(p, '/')) != NULL;
	     p++) {
		*p = '\0';
		if (mkdir(dir, 0700) == 0) {
			if (made != NULL && *made == NULL)
				*made = print("%s%s", dir, "");
		} else if (errno != EEXIST)
			status = setup_complain(dir);
		*p = '/';
	}
	free(dir);
	return status;
}

void
setup_dirs_remove(const char *path, const char *made)
{
	char *dir = print("%s%s", path, ""), *slash;

	while ((slash = strrchr(dir, '/')) != NULL && slash != dir) {
		*slash = '\0';
		if (strlen(dir) < strlen(made) || rmdir(dir) == -1)
			break;
	}
	free(dir);
}

int
setup_file_write(const char *path, const struct buf *text, unsigned mode)
{
	return replace_file(path, text, mode) == 0 ? 0 : setup_complain(path);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a set-up is remembered, so that it can be taken back.  A tool's
 * directory holds three files for each file that was changed, N from 0 on:
 *
 *	N.path		its path; "new" or its mode in octal; the first
 *			directory that was made for it, or "-": a line each;
 *			in 0.path a fourth, if a client was made: its name
 *	N.before	the file as it was
 *	N.after		the file as it was written
 *
 * A file that still is as it was written becomes what it was before.  If it was
 * changed since, only the lines of the set-up are removed.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl/diff.h"
#include "ctl/setup_internal.h"
#include "ctl/setup_files.h"

struct record {
	char *dir;
	char *path, *made; /* made NULL: no directory was made */
	char *client; /* that was made for it, or NULL */
	bool existed;
	unsigned mode;
	struct buf head, before, after;
};

static char *
part(const char *dir, unsigned i, const char *name)
{
	char *path = NULL;

	if (asprintf(&path, "%s/%u.%s", dir, i, name) == -1)
		fatal("out of memory");
	return path;
}

static int
part_read(const char *dir, unsigned i, const char *name, struct buf *text)
{
	char *path = part(dir, i, name);
	unsigned mode;
	bool exists;
	int status;

	buf_init(text, SETUP_TEXT_MAX);
	status = setup_file_read(path, text, &exists, &mode);
	free(path);
	return status == 0 && exists ? 0 : -1;
}

static int
part_write(
    const char *dir, unsigned i, const char *name, const struct buf *text)
{
	char *path = part(dir, i, name);
	int status = setup_dirs_make(path, NULL) == 0
	    ? setup_file_write(path, text, 0600)
	    : -1;

	free(path);
	return status;
}

static void
record_free(struct record *r)
{
	free(r->dir);
	buf_free(&r->head);
	buf_free(&r->before);
	buf_free(&r->after);
}

/* Reads the record's file i.  -1: there is none. */
static int
record_read(struct record *r, const char *tool, unsigned i)
{
	char *p, *mode;

	*r = (struct record){ .dir = setup_state_path(tool) };
	if (part_read(r->dir, i, "path", &r->head) == 0 &&
	    part_read(r->dir, i, "before", &r->before) == 0 &&
	    part_read(r->dir, i, "after", &r->after) == 0) {
		p = r->head.p;
		r->path = strsep(&p, "\n");
		mode = strsep(&p, "\n");
		r->made = strsep(&p, "\n");
		if (mode != NULL && r->made != NULL) {
			r->existed = strcmp(mode, "new") != 0;
			r->mode = (unsigned)strtoul(mode, NULL, 8) & 0777;
			if (strcmp(r->made, "-") == 0)
				r->made = NULL;
			r->client = strsep(&p, "\n");
			if (r->client != NULL && *r->client == '\0')
				r->client = NULL;
			return 0;
		}
	}
	record_free(r);
	return -1;
}

int
setup_record_path(const char *tool, unsigned i, char **path, char **made)
{
	struct record r;

	if (record_read(&r, tool, i) == -1)
		return -1;
	*path = strdup(r.path);
	*made = r.made == NULL ? NULL : strdup(r.made);
	if (*path == NULL || (r.made != NULL && *made == NULL))
		fatal("out of memory");
	record_free(&r);
	return 0;
}

/* Adds the text without the set-up to out.  -1: it cannot be determined. */
static int
take_back(const struct record *r, const struct buf *now, struct buf *out)
{
	bool back = span_eq(buf_span(now), buf_span(&r->before));

	buf_puts(out, "");
	if (back || span_eq(buf_span(now), buf_span(&r->after))) {
		buf_add(out, r->before.p, r->before.len);
		return 0;
	}
	return diff_take_back(
	    buf_span(&r->before), buf_span(&r->after), buf_span(now), out);
}

int
setup_record_undo_in(const char *tool, struct setup_text *t)
{
	struct record r;
	struct buf text;
	int status = 0;

	for (unsigned i = 0; record_read(&r, tool, i) == 0; i++) {
		if (strcmp(r.path, t->path) == 0 && t->exists) {
			buf_init(&text, SETUP_TEXT_MAX);
			status = take_back(&r, &t->before, &text);
			if (status == 0) {
				buf_reset(&t->before);
				buf_add(&t->before, text.p, text.len);
				t->exists = r.existed || text.len > 0;
				if (r.existed)
					t->mode = r.mode;
			}
			buf_free(&text);
		}
		record_free(&r);
	}
	if (status == -1)
		fprintf(stderr,
		    "tailgate setup: %s: what an earlier set-up wrote was "
		    "changed since; it is taken as yours\n",
		    t->path);
	return 0;
}

/* ---- putting back ----------------------------------------------------- */

/* Returns 1 if there was nothing to do. */
static int
put_back(const struct record *r, bool dry, FILE *out)
{
	struct buf now, text;
	bool exists;
	unsigned mode;
	int status = -1;

	buf_init(&now, SETUP_TEXT_MAX);
	buf_init(&text, SETUP_TEXT_MAX);
	if (setup_file_read(r->path, &now, &exists, &mode) == -1)
		goto out;
	if (!exists)
		status = 1;
	else if (take_back(r, &now, &text) == -1)
		fprintf(stderr,
		    "tailgate setup: %s was changed since, at the same lines; "
		    "it stays as it is.  As it was before: %s\n",
		    r->path, r->dir);
	else {
		bool gone = !r->existed && text.len == 0;

		fprintf(out, "%s %s\n", gone ? "remove" : "restore", r->path);
		if (dry)
			status = 0;
		else if (gone)
			status =
			    unlink(r->path) == -1 ? setup_complain(r->path) : 0;
		else
			status = setup_file_write(
			    r->path, &text, r->existed ? r->mode : mode);
		if (status == 0 && gone && !dry && r->made != NULL)
			setup_dirs_remove(r->path, r->made);
	}
out:
	buf_free(&now);
	buf_free(&text);
	return status;
}

static void
part_remove(const char *dir, unsigned i)
{
	const char *const names[] = { "path", "before", "after" };

	for (size_t k = 0; k < 3; k++) {
		char *path = part(dir, i, names[k]);

		unlink(path);
		free(path);
	}
}

char *
setup_record_client(const char *tool)
{
	struct record r;
	char *client = NULL;

	if (record_read(&r, tool, 0) == -1)
		return NULL;
	if (r.client != NULL && (client = strdup(r.client)) == NULL)
		fatal("out of memory");
	record_free(&r);
	return client;
}

int
setup_record_undo(const char *tool, bool dry, FILE *out)
{
	char *dir = setup_state_path(tool);
	struct record r;
	unsigned n = 0;
	int failed = 0;

	for (; record_read(&r, tool, n) == 0; n++) {
		failed += put_back(&r, dry, out) == -1;
		record_free(&r);
	}
	if (n > 0 && failed == 0 && !dry) {
		for (unsigned i = 0; i < n; i++)
			part_remove(dir, i);
		rmdir(dir);
		*strrchr(dir, '/') = '\0';
		rmdir(dir);
		*strrchr(dir, '/') = '\0';
		rmdir(dir);
	}
	free(dir);
	return n == 0 ? -1 : failed;
}

/* ---- committing ------------------------------------------------------- */

static int
record_write(const char *dir, unsigned i, const struct setup_text *t,
    const char *made, const char *client)
{
	struct buf head;
	int status;

	buf_init(&head, 65536);
	buf_printf(&head, "%s\n", t->path);
	if (t->exists)
		buf_printf(&head, "%o\n", t->mode);
	else
		buf_puts(&head, "new\n");
	buf_printf(&head, "%s\n", made == NULL ? "-" : made);
	if (i == 0 && client != NULL)
		buf_printf(&head, "%s\n", client);
	status = part_write(dir, i, "before", &t->before) == 0 &&
		part_write(dir, i, "after", &t->after) == 0
	    ? part_write(dir, i, "path", &head)
	    : -1;
	buf_free(&head);
	return status;
}

/* The first directory that an earlier set-up made for this file. */
static char *
made_before(const char *tool, const char *path)
{
	char *made = NULL;
	struct record r;

	for (unsigned i = 0; record_read(&r, tool, i) == 0; i++) {
		if (strcmp(r.path, path) == 0 && r.made != NULL &&
		    made == NULL && (made = strdup(r.made)) == NULL)
			fatal("out of memory");
		record_free(&r);
	}
	return made;
}

static int
commit_one(const char *tool, const struct setup_cage *cage, const char *dir,
    unsigned i, struct setup_text *t, const char *client)
{
	char *before = made_before(tool, t->path);
	const char *made =
	    before != NULL ? before : setup_cage_made(cage, t->path);
	unsigned mode = t->exists ? t->mode : t->mode & 0644;
	int status;

	if (t->secret)
		mode &= 0600;
	status = record_write(dir, i, t, made, client);
	if (status == 0)
		status = setup_file_write(t->path, &t->after, mode);
	free(before);
	return status;
}

int
setup_record_commit(const char *tool, const struct setup_cage *cage,
    const char *client, struct setup_text *texts, size_t n)
{
	char *dir = setup_state_path(tool),
	     *earlier = setup_record_client(tool);
	int status = 0;

	for (size_t i = 0; i < n && status == 0; i++)
		status = commit_one(tool, cage, dir, (unsigned)i, &texts[i],
		    client != NULL ? client : earlier);
	free(earlier);
	/* Removes what an earlier set-up recorded beyond these. */
	for (size_t i = n; i < SETUP_FILES_MAX + 1 && status == 0; i++)
		part_remove(dir, (unsigned)i);
	free(dir);
	if (status == -1)
		setup_record_undo(tool, false, stderr);
	return status;
}

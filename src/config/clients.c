/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Editing the clients file: its text is changed in place (splice.h), checked by
 * the same schema as at a load, and the result replaces the file as a whole.
 * Never on a request's way: the responder reads the result at its next reload.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/replace.h"
#include "config/clients.h"
#include "config/load.h"
#include "config/splice.h"

#define CLIENTS_MODE 0640
#define CLIENTS_TEXT_MAX (64 * 1024 * 1024)
#define LIST "clients"

/* The file while it is edited: locked, read and parsed. */
struct edit {
	struct load load;
	const char *path;
	int dir_fd; /* locked; the file itself is replaced */
	config_setting_t *root;
	config_setting_t *list; /* NULL: there is none */
	struct buf text;
	/* The names that messages use for the changed settings. */
	const struct clients_change *changes;
	size_t nchanges;
};

static void
edit_end(struct edit *e)
{
	load_end(&e->load);
	buf_free(&e->text);
	secrets_free(e->load.secrets);
	arena_free(e->load.arena);
	if (e->dir_fd != -1)
		close(e->dir_fd);
}

/* Reads the tree by the schema; false: mistakes were added. */
static bool
edit_prove(struct edit *e, struct config *out)
{
	memset(out, 0, sizeof(*out));
	load_group(&e->load, SCHEMA_CLIENTS_FILE, e->root, out);
	return e->load.nerrors == 0;
}

/* A file that does not exist yet counts as empty. */
static int
edit_read(struct edit *e)
{
	struct load *load = &e->load;

	if (access(e->path, F_OK) == -1 && errno == ENOENT) {
		load->files[0].path = e->path;
		load->files[0].dir = "/";
		load->nfiles = 1;
		config_init(&load->files[0].config);
		e->root = config_root_setting(&load->files[0].config);
	} else if ((e->root = load_file(load, e->path)) == NULL)
		return -1;
	e->list = config_setting_get_member(e->root, LIST);
	if (load->files[0].text != NULL)
		buf_puts(&e->text, load->files[0].text);
	return 0;
}

/* Ends the edit itself if it fails. */
static int
edit_begin(struct edit *e, const char *path, bool lock, FILE *err)
{
	struct config config;
	const char *slash = strrchr(path, '/'), *dir;

	memset(e, 0, sizeof(*e));
	load_begin(&e->load, 0);
	buf_init(&e->text, CLIENTS_TEXT_MAX);
	e->path = arena_strdup(e->load.arena, path);
	dir = slash == NULL
	    ? "."
	    : arena_text(e->load.arena,
		  (struct span){
		      path, slash == path ? 1 : (size_t)(slash - path) });
	e->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (e->dir_fd == -1 || (lock && flock(e->dir_fd, LOCK_EX) == -1)) {
		fprintf(err, "%s: %s\n", dir, strerror(errno));
		edit_end(e);
		return -1;
	}
	if (edit_read(e) == -1 || !edit_prove(e, &config)) {
		mistakes_write(&e->load, err);
		edit_end(e);
		return -1;
	}
	return 0;
}

static int
file_fill(struct edit *e, int fd)
{
	const char *p = e->text.p;
	size_t left = e->text.len;
	unsigned mode = CLIENTS_MODE;
	struct stat st;

	while (left > 0) {
		ssize_t n = write(fd, p, left);

		if (n == -1)
			return -1;
		p += n;
		left -= (size_t)n;
	}
	/* A new one belongs to its directory's group, of which the responder is
	 * a member. */
	if (stat(e->path, &st) == 0)
		mode = st.st_mode & 0777;
	return replace_own(fd, e->path, mode) == 0 ? fsync(fd) : -1;
}

/* "clients[3].budget.usd_per_day: must be ..." under the option's name. */
static const char *
in_own_words(const struct edit *e, const char *text, const char **option)
{
	const char *path = strchr(text, '.');
	size_t len;

	*option = NULL;
	if (path == NULL || strncmp(text, LIST "[", sizeof(LIST)) != 0)
		return text;
	path++;
	len = strcspn(path, ":[");
	for (size_t i = 0; i < e->nchanges; i++) {
		const char *setting = e->changes[i].setting;

		if (strlen(setting) != len ||
		    strncmp(setting, path, len) != 0 ||
		    strstr(path, ": ") == NULL)
			continue;
		*option = e->changes[i].option;
		return strstr(path, ": ") + 2;
	}
	return text;
}

/* The mistakes in what would be written; the file is unchanged. */
static void
mistakes_say(const struct edit *e, const struct load *load, FILE *err)
{
	for (size_t i = 0; i < load->nmistakes; i++) {
		const struct load_mistake *m = &load->mistakes[i];
		const char *option, *text = in_own_words(e, m->text, &option);

		if (option != NULL)
			fprintf(err, "%s: %s\n", option, text);
		else
			fprintf(err, "%s: %s\n", e->path, text);
	}
}

/* Is the new file a good one? */
static bool
file_prove(const struct edit *e, const char *temp, FILE *err)
{
	struct config config = { .path = NULL };
	config_setting_t *root;
	struct load load;

	load_begin(&load, 0);
	if ((root = load_file(&load, temp)) != NULL)
		load_group(&load, SCHEMA_CLIENTS_FILE, root, &config);
	mistakes_say(e, &load, err);
	load_end(&load);
	secrets_free(load.secrets);
	arena_free(load.arena);
	return load.nerrors == 0;
}

/* Written beside the old file, checked, synced, renamed: a reader sees the
 * old file or the new one. */
static int
edit_write(struct edit *e, FILE *err)
{
	char *temp = arena_printf(e->load.arena, "%s.XXXXXX", e->path);
	int fd = mkostemp(temp, O_CLOEXEC), status = -1;

	if (fd != -1 && file_fill(e, fd) == 0) {
		if (!file_prove(e, temp, err))
			goto out;
		status = rename(temp, e->path);
	}
	if (status == -1)
		fprintf(err, "%s: %s\n", e->path, strerror(errno));
	/* The rename has happened: a directory that cannot be synced (some
	 * network file systems) does not undo it. */
	if (status == 0)
		(void)fsync(e->dir_fd);
out:
	if (status == -1 && fd != -1)
		unlink(temp);
	if (fd != -1)
		close(fd);
	return status;
}

/* Its index, or -1. */
static int
client_find(const struct edit *e, const char *name)
{
	int n = e->list == NULL ? 0 : config_setting_length(e->list);

	for (int i = 0; i < n; i++) {
		const char *other;

		if (config_setting_lookup_string(
			config_setting_get_elem(e->list, (unsigned)i), "name",
			&other) == CONFIG_TRUE &&
		    strcmp(other, name) == 0)
			return i;
	}
	return -1;
}

/* For a splice that reads the text differently than libconfig did. */
static int
say_by_hand(const struct edit *e, FILE *err)
{
	fprintf(err,
	    "%s: this can't be changed in the file as it is written (is the "
	    "client in an included file?); edit it by hand\n",
	    e->path);
	return -1;
}

static int
edit_change(struct edit *e, size_t at, FILE *err)
{
	for (size_t i = 0; i < e->nchanges; i++) {
		const struct clients_change *c = &e->changes[i];

		if (splice_set(&e->text, LIST, at, c->setting, c->value) == -1)
			return say_by_hand(e, err);
	}
	return edit_write(e, err);
}

static void
key_make(char key[CLIENTS_KEY_SIZE])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz0123456789";

	memcpy(key, "tg-", 3);
	for (size_t i = 3; i < CLIENTS_KEY_SIZE - 1; i++)
		key[i] = letters[arc4random_uniform(sizeof(letters) - 1)];
	key[CLIENTS_KEY_SIZE - 1] = '\0';
}

static void
key_digest(const char key[CLIENTS_KEY_SIZE], char text[DIGEST_TEXT_SIZE])
{
	unsigned char digest[DIGEST_BYTES];

	digest_make(key, CLIENTS_KEY_SIZE - 1, digest);
	digest_text(digest, text);
}

static bool
has_key(const struct clients_change *changes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(changes[i].setting, "key_sha256") == 0)
			return true;
	return false;
}

/* name = "..."; key_sha256 = "..."; */
static void
body_make(struct buf *out, const char *name, const char *key)
{
	char text[DIGEST_TEXT_SIZE];

	buf_init(out, 4096);
	buf_puts(out, "name = ");
	splice_quote(out, name);
	buf_puts(out, ";");
	if (*key == '\0')
		return;
	key_digest(key, text);
	buf_printf(out, " key_sha256 = \"%s\";", text);
}

int
clients_add(const char *file, const char *name,
    const struct clients_change *changes, size_t n, char key[CLIENTS_KEY_SIZE],
    FILE *err)
{
	struct buf body;
	struct edit e;
	int status = -1;
	size_t at;

	*key = '\0';
	if (edit_begin(&e, file, true, err) == -1)
		return -1;
	e.changes = changes;
	e.nchanges = n;
	at = e.list == NULL ? 0 : (size_t)config_setting_length(e.list);
	if (client_find(&e, name) != -1) {
		fprintf(err,
		    "%s: client %s exists already; remove it first, use "
		    "another name, or change it with `tailgate client set`\n",
		    file, mistake_quote(&e.load, name));
		edit_end(&e);
		return -1;
	}
	if (!has_key(changes, n))
		key_make(key);
	body_make(&body, name, key);
	if (buf_failed(&body) || splice_add(&e.text, LIST, body.p) == -1)
		say_by_hand(&e, err);
	else
		status = edit_change(&e, at, err);
	if (status == -1)
		explicit_bzero(key, CLIENTS_KEY_SIZE);
	buf_free(&body);
	edit_end(&e);
	return status;
}

/* Its index; -1: reported, and the edit is over. */
static int
begin_client(struct edit *e, const char *file, const char *name, FILE *err)
{
	int at;

	if (edit_begin(e, file, true, err) == -1)
		return -1;
	if ((at = client_find(e, name)) != -1)
		return at;
	fprintf(err,
	    "%s: there is no client %s; `tailgate client list` names them\n",
	    file, mistake_quote(&e->load, name));
	edit_end(e);
	return -1;
}

int
clients_set(const char *file, const char *name,
    const struct clients_change *changes, size_t n, FILE *err)
{
	struct edit e;
	int at = begin_client(&e, file, name, err), status;

	if (at == -1)
		return -1;
	e.changes = changes;
	e.nchanges = n;
	status = edit_change(&e, (size_t)at, err);
	edit_end(&e);
	return status;
}

/* The digest of its key as written; NULL: it has none. */
static const char *
old_digest(const struct edit *e, int at)
{
	const char *digest = NULL;

	config_setting_lookup_string(
	    config_setting_get_elem(e->list, (unsigned)at), "key_sha256",
	    &digest);
	return digest;
}

int
clients_rotate(const char *file, const char *name, int64_t overlap_ms,
    char key[CLIENTS_KEY_SIZE], FILE *err)
{
	char digest[DIGEST_TEXT_SIZE], until[CLOCK_TEXT_SIZE];
	struct clients_change changes[3] = {
		{ "key_sha256", NULL, "the key" },
		{ "old_key_sha256", NULL, "the old key" },
		{ "old_key_expires", NULL, "--overlap" },
	};
	const char *old;
	struct edit e;
	int at = begin_client(&e, file, name, err), status;

	if (at == -1)
		return -1;
	key_make(key);
	key_digest(key, digest);
	changes[0].value = arena_printf(e.load.arena, "\"%s\"", digest);
	old = old_digest(&e, at);
	if (old != NULL && overlap_ms > 0) {
		clock_text(clock_wall_ms() + overlap_ms, until);
		changes[1].value = arena_printf(e.load.arena, "\"%s\"", old);
		changes[2].value = arena_printf(e.load.arena, "\"%s\"", until);
	}
	e.changes = changes;
	e.nchanges = 3;
	status = edit_change(&e, (size_t)at, err);
	if (status == -1)
		explicit_bzero(key, CLIENTS_KEY_SIZE);
	edit_end(&e);
	return status;
}

int
clients_remove(const char *file, const char *name, FILE *err)
{
	struct edit e;
	int at = begin_client(&e, file, name, err), status;

	if (at == -1)
		return -1;
	status = splice_remove(&e.text, LIST, (size_t)at) == -1
	    ? say_by_hand(&e, err)
	    : edit_write(&e, err);
	edit_end(&e);
	return status;
}

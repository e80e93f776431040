/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Editing the clients file: libconfig's tree is changed, proved by the same
 * schema as at a load, and replaces the file whole.  Never on a request's
 * way: the responder reads what is left here at its next reload.
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
#include "config/clients.h"
#include "config/load.h"

#define CLIENTS_MODE 0640
#define CLIENTS_TAKES_MAX 65536

/* The file while it is edited: locked, read, and its tree at hand. */
struct edit {
	struct load load;
	const char *path;
	int dir_fd; /* locked; the file itself is replaced */
	config_setting_t *root;
	config_setting_t *list;
};

static void
edit_end(struct edit *e)
{
	load_end(&e->load);
	secrets_free(e->load.secrets);
	arena_free(e->load.arena);
	if (e->dir_fd != -1)
		close(e->dir_fd);
}

/* The tree by the schema; false: mistakes were added. */
static bool
edit_prove(struct edit *e, struct config *out)
{
	memset(out, 0, sizeof(*out));
	load_group(&e->load, SCHEMA_CLIENTS_FILE, e->root, out);
	return e->load.nerrors == 0;
}

/* A file that is not there yet is an empty one. */
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
	e->list = config_setting_get_member(e->root, "clients");
	if (e->list == NULL)
		e->list =
		    config_setting_add(e->root, "clients", CONFIG_TYPE_LIST);
	return 0;
}

/* Ends the edit itself where it fails. */
static int
edit_begin(struct edit *e, const char *path, bool lock, FILE *err)
{
	struct config config;
	const char *slash = strrchr(path, '/'), *dir;

	load_begin(&e->load, 0);
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

/* As the old file; a new one belongs to its directory's group, which the
 * responder is a member of. */
static int
file_owner(const struct edit *e, int fd)
{
	struct stat st;

	if (stat(e->path, &st) == 0) {
		if (fchown(fd, st.st_uid, st.st_gid) == -1 && errno != EPERM)
			return -1;
		return fchmod(fd, st.st_mode & 0777);
	}
	if (fstat(e->dir_fd, &st) == -1 ||
	    (fchown(fd, (uid_t)-1, st.st_gid) == -1 && errno != EPERM))
		return -1;
	return fchmod(fd, CLIENTS_MODE);
}

static int
file_fill(struct edit *e, int fd)
{
	FILE *out = fdopen(fd, "w");
	int status = -1;

	if (out == NULL) {
		close(fd);
		return -1;
	}
	fputs("# Managed by `tailgate client`: comments are not kept.\n", out);
	config_write(&e->load.files[0].config, out);
	if (fflush(out) == 0 && !ferror(out) && file_owner(e, fd) == 0 &&
	    fsync(fd) == 0)
		status = 0;
	if (fclose(out) == EOF)
		status = -1;
	return status;
}

/* Beside, synced, renamed: a reader sees the old file or the new one. */
static int
edit_write(struct edit *e, FILE *err)
{
	char *temp = arena_printf(e->load.arena, "%s.XXXXXX", e->path);
	int fd = mkostemp(temp, O_CLOEXEC);

	if (fd == -1 || file_fill(e, fd) == -1 || rename(temp, e->path) == -1) {
		fprintf(err, "%s: %s\n", e->path, strerror(errno));
		if (fd != -1)
			unlink(temp);
		return -1;
	}
	/* The rename has happened: a directory that cannot be synced (some
	 * network file systems) takes nothing back. */
	(void)fsync(e->dir_fd);
	return 0;
}

/* Its index, or -1. */
static int
client_find(const struct edit *e, const char *name)
{
	int n = config_setting_length(e->list);

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

static void
set_string(config_setting_t *group, const char *name, const char *value)
{
	if (value != NULL)
		config_setting_set_string(
		    config_setting_add(group, name, CONFIG_TYPE_STRING), value);
}

static void
set_true(config_setting_t *group, const char *name, bool value)
{
	if (value)
		config_setting_set_bool(
		    config_setting_add(group, name, CONFIG_TYPE_BOOL), 1);
}

static void
client_write(config_setting_t *list, const struct clients_entry *entry,
    const char *digest)
{
	config_setting_t *group =
	    config_setting_add(list, NULL, CONFIG_TYPE_GROUP);

	set_string(group, "name", entry->name);
	set_string(group, "key_sha256", digest);
	if (entry->nmodels > 0) {
		config_setting_t *models =
		    config_setting_add(group, "models", CONFIG_TYPE_ARRAY);

		for (size_t i = 0; i < entry->nmodels; i++)
			config_setting_set_string_elem(
			    models, -1, entry->models[i]);
	}
	set_string(group, "place", entry->place);
	set_string(group, "expires", entry->expires);
	set_true(group, "operator", entry->operator);
	set_true(group, "explain", entry->explain);
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

int
clients_add(const char *file, const struct clients_entry *entry,
    char key[CLIENTS_KEY_SIZE], FILE *err)
{
	unsigned char digest[DIGEST_BYTES];
	char text[DIGEST_TEXT_SIZE];
	struct config config;
	struct edit e;
	int status = -1;

	if (edit_begin(&e, file, true, err) == -1)
		return -1;
	if (client_find(&e, entry->name) != -1) {
		fprintf(err,
		    "%s: there is a client %s already; remove it "
		    "first, or take another name\n",
		    file, mistake_quote(&e.load, entry->name));
		goto out;
	}
	key_make(key);
	digest_make(key, CLIENTS_KEY_SIZE - 1, digest);
	digest_text(digest, text);
	client_write(e.list, entry, text);
	if (!edit_prove(&e, &config))
		mistakes_write(&e.load, err);
	else
		status = edit_write(&e, err);
	if (status == -1)
		explicit_bzero(key, CLIENTS_KEY_SIZE);
out:
	edit_end(&e);
	return status;
}

int
clients_remove(const char *file, const char *name, FILE *err)
{
	struct edit e;
	int status = -1, at;

	if (edit_begin(&e, file, true, err) == -1)
		return -1;
	if ((at = client_find(&e, name)) == -1)
		fprintf(err, "%s: there is no client %s\n", file,
		    mistake_quote(&e.load, name));
	else {
		config_setting_remove_elem(e.list, (unsigned)at);
		status = edit_write(&e, err);
	}
	edit_end(&e);
	return status;
}

static void
client_line(struct load *load, const struct client *c, int width, FILE *out)
{
	char when[CLOCK_TEXT_SIZE] = "never", digest[DIGEST_TEXT_SIZE];
	const char *models = "";

	for (size_t i = 0; i < c->nmodels; i++)
		models = arena_printf(load->arena, "%s%s%s", models,
		    i > 0 ? "," : "", c->models[i]);
	if (c->expires_wall_ms != CLOCK_NEVER)
		clock_text(c->expires_wall_ms, when);
	digest_text(c->key_digest, digest);
	fprintf(out, "%-*s  %-8s  %-10.10s  %-8.8s  %-8s  %s\n", width, c->name,
	    place_name(c->place), when, c->has_key ? digest : "-",
	    c->operator? "operator" : "-", *models != '\0' ? models : "-");
}

int
clients_list(const char *file, FILE *out, FILE *err)
{
	struct config config;
	struct edit e;
	int width = 4;

	if (edit_begin(&e, file, false, err) == -1)
		return -1;
	edit_prove(&e, &config);
	for (size_t i = 0; i < config.nclients; i++)
		if ((int)strlen(config.clients[i].name) > width)
			width = (int)strlen(config.clients[i].name);
	fprintf(out, "%-*s  %-8s  %-10s  %-8s  %-8s  %s\n", width, "name",
	    "place", "expires", "digest", "role", "models");
	for (size_t i = 0; i < config.nclients; i++)
		client_line(&e.load, &config.clients[i], width, out);
	edit_end(&e);
	return 0;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The providers' keys and the store's password: read from a file, a systemd
 * credential or the environment into locked memory, at a load and in each
 * worker.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/load.h"

/* The key in a line of text, without the line end.  NULL: it is not a key. */
static const char *
key_take(struct load *load, const struct key_source *source, const char *name,
    struct span text)
{
	while (text.len > 0 &&
	    (text.p[text.len - 1] == '\n' || text.p[text.len - 1] == '\r'))
		text.len--;
	if (text.len == 0) {
		mistake_of(load, source, "key", name,
		    "holds no key; write it there, on one line");
		return NULL;
	}
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] <= 0x20 || text.p[i] >= 0x7f) {
			mistake_of(load, source, "key", name,
			    "holds a byte that cannot be part of a key (a "
			    "space, "
			    "a second line, a control or non-ASCII character)");
			return NULL;
		}
	return secrets_add(load->secrets, text);
}

/* -1: reported.  It checks the descriptor, not the name, so that nobody can
 * change the file in between. */
static int
key_open(struct load *load, const struct key_source *source, const char *name,
    const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), why = errno;

	if (fd == -1) {
		mistake_of(load, source, "key", name, "cannot read %s: %s%s",
		    mistake_quote(load, path), strerror(why),
		    why == ENOENT && strcmp(name, "file") == 0
			? "; put the key into it, on one line, and let the "
			  "service alone read it: chown root:tailgate, chmod "
			  "640"
			: "");
		return -1;
	}
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		mistake_of(load, source, "key", name,
		    "%s is not a regular file", mistake_quote(load, path));
	else if (st.st_mode & 007)
		mistake_of(load, source, "key", name,
		    "every user can reach %s (mode %03o); chmod %03o %s",
		    mistake_quote(load, path), (unsigned)st.st_mode & 0777,
		    (unsigned)st.st_mode & 0770, mistake_quote(load, path));
	else
		return fd;
	close(fd);
	return -1;
}

static const char *
key_from_file(struct load *load, const struct key_source *source,
    const char *name, const char *path)
{
	char text[SECRET_MAX + 3];
	const char *key = NULL;
	ssize_t n;
	int fd = key_open(load, source, name, path);

	if (fd == -1)
		return NULL;
	n = read(fd, text, sizeof(text));
	close(fd);
	if (n == -1)
		mistake_of(load, source, "key", name, "cannot read %s: %s",
		    mistake_quote(load, path), strerror(errno));
	else if (n > SECRET_MAX + 2)
		mistake_of(load, source, "key", name,
		    "a key has at most %d bytes", SECRET_MAX);
	else
		key = key_take(
		    load, source, name, (struct span){ text, (size_t)n });
	explicit_bzero(text, sizeof(text));
	return key;
}

static const char *
key_from_credential(struct load *load, const struct key_source *source)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	if (dir == NULL || *dir == '\0') {
		mistake_of(load, source, "key", "credential",
		    "there are no credentials: CREDENTIALS_DIRECTORY is not "
		    "set (LoadCredential= of the systemd unit sets it)");
		return NULL;
	}
	return key_from_file(load, source, "credential",
	    arena_printf(load->arena, "%s/%s", dir, source->credential));
}

static const char *
key_from_env(struct load *load, const struct key_source *source)
{
	const char *value = getenv(source->env);

	if (value == NULL) {
		mistake_of(load, source, "key", "env",
		    "the environment variable is not set");
		return NULL;
	}
	if (strlen(value) > SECRET_MAX) {
		mistake_of(load, source, "key", "env",
		    "a key has at most %d bytes", SECRET_MAX);
		return NULL;
	}
	return key_take(load, source, "env", span_of(value));
}

const struct key_source *
config_key_source(const struct provider *p, size_t i)
{
	return p->nkey_sources > 0 ? &p->key_sources[i] : &p->key_source;
}

void
keys_make(struct load *load, struct provider *p)
{
	const struct key_source *one = &p->key_source;

	p->nkeys = p->nkey_sources;
	if (p->nkeys == 0 &&
	    (one->file != NULL || one->credential != NULL || one->env != NULL))
		p->nkeys = 1;
	p->keys = arena_alloc(load->arena, (p->nkeys + 1) * sizeof(*p->keys));
}

static const char *
key_from(struct load *load, const struct key_source *source)
{
	if (source->file != NULL)
		return key_from_file(load, source, "file", source->file);
	if (source->credential != NULL)
		return key_from_credential(load, source);
	return source->env != NULL ? key_from_env(load, source) : NULL;
}

/* A repeated key would be tried twice for nothing. */
static void
prove_different(struct load *load, const struct provider *p, size_t i)
{
	for (size_t j = 0; j < i && p->keys[i] != NULL; j++)
		if (p->keys[j] != NULL && strcmp(p->keys[i], p->keys[j]) == 0)
			mistake_of(load, config_key_source(p, i), "key", NULL,
			    "is the same key as keys[%zu]; remove one of them",
			    j);
}

static void
keys_of(struct load *load, const struct provider *p)
{
	for (size_t k = 0; k < p->nkeys; k++) {
		p->keys[k] = key_from(load, config_key_source(p, k));
		prove_different(load, p, k);
	}
}

void
keys_load(struct load *load)
{
	for (size_t i = 0; i < load->config->nproviders; i++)
		keys_of(load, &load->config->providers[i]);
	keys_of(load, &load->config->store.link);
}

static void
forget(const struct provider *p)
{
	for (size_t k = 0; k < p->nkeys; k++)
		p->keys[k] = NULL;
}

void
config_keys_forget(struct config *config)
{
	for (size_t i = 0; i < config->nproviders; i++)
		forget(&config->providers[i]);
	forget(&config->store.link);
	secrets_free(config->memory->secrets);
	config->memory->secrets = NULL;
}

int
config_keys_read(struct config *config, FILE *err)
{
	struct load load = { .arena = config->memory->arena,
		.config = config,
		.files = { { .path = config->path } } };
	int rc;

	secrets_free(config->memory->secrets);
	config->memory->secrets = load.secrets = secrets_new();
	keys_load(&load);
	mistakes_write(&load, err);
	rc = load.nerrors > 0 ? -1 : 0;
	load_end(&load);
	return rc;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The providers' keys and the store's password: read from a file, a systemd
 * credential or the environment into memory of their own, at a load and in each
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

/* The key in a line's text: its end cut off.  NULL: it is none. */
static const char *
key_take(struct load *load, const struct provider *provider, const char *name,
    struct span text)
{
	while (text.len > 0 &&
	    (text.p[text.len - 1] == '\n' || text.p[text.len - 1] == '\r'))
		text.len--;
	if (text.len == 0) {
		mistake_of(
		    load, &provider->key_source, "key", name, "holds no key");
		return NULL;
	}
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] <= 0x20 || text.p[i] >= 0x7f) {
			mistake_of(load, &provider->key_source, "key", name,
			    "holds a byte that cannot be part of a key (a "
			    "space, "
			    "a second line, a control or non-ASCII character)");
			return NULL;
		}
	return secrets_add(load->secrets, text);
}

/* -1: reported.  The descriptor and not the name is looked at, so that
 * nobody can change the file in between. */
static int
key_open(struct load *load, const struct provider *provider, const char *name,
    const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd == -1) {
		mistake_of(load, &provider->key_source, "key", name,
		    "cannot read %s: %s", mistake_quote(load, path),
		    strerror(errno));
		return -1;
	}
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		mistake_of(load, &provider->key_source, "key", name,
		    "%s is not a regular file", mistake_quote(load, path));
	else if (st.st_mode & 007)
		mistake_of(load, &provider->key_source, "key", name,
		    "every user can reach %s (mode %03o); chmod o= it",
		    mistake_quote(load, path), (unsigned)st.st_mode & 0777);
	else
		return fd;
	close(fd);
	return -1;
}

static const char *
key_from_file(struct load *load, const struct provider *provider,
    const char *name, const char *path)
{
	char text[SECRET_MAX + 3];
	const char *key = NULL;
	ssize_t n;
	int fd = key_open(load, provider, name, path);

	if (fd == -1)
		return NULL;
	n = read(fd, text, sizeof(text));
	close(fd);
	if (n == -1)
		mistake_of(load, &provider->key_source, "key", name,
		    "cannot read %s: %s", mistake_quote(load, path),
		    strerror(errno));
	else if (n > SECRET_MAX + 2)
		mistake_of(load, &provider->key_source, "key", name,
		    "a key has at most %d bytes", SECRET_MAX);
	else
		key = key_take(
		    load, provider, name, (struct span){ text, (size_t)n });
	explicit_bzero(text, sizeof(text));
	return key;
}

static const char *
key_from_credential(struct load *load, const struct provider *provider)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	if (dir == NULL || *dir == '\0') {
		mistake_of(load, &provider->key_source, "key", "credential",
		    "there are no credentials: CREDENTIALS_DIRECTORY is not "
		    "set (LoadCredential= of the systemd unit sets it)");
		return NULL;
	}
	return key_from_file(load, provider, "credential",
	    arena_printf(
		load->arena, "%s/%s", dir, provider->key_source.credential));
}

static const char *
key_from_env(struct load *load, const struct provider *provider)
{
	const char *value = getenv(provider->key_source.env);

	if (value == NULL) {
		mistake_of(load, &provider->key_source, "key", "env",
		    "the environment variable is not set");
		return NULL;
	}
	if (strlen(value) > SECRET_MAX) {
		mistake_of(load, &provider->key_source, "key", "env",
		    "a key has at most %d bytes", SECRET_MAX);
		return NULL;
	}
	return key_take(load, provider, "env", span_of(value));
}

static void
key_load(struct load *load, struct provider *p)
{
	if (p->key_source.file != NULL)
		p->key = key_from_file(load, p, "file", p->key_source.file);
	else if (p->key_source.credential != NULL)
		p->key = key_from_credential(load, p);
	else if (p->key_source.env != NULL)
		p->key = key_from_env(load, p);
}

void
keys_load(struct load *load)
{
	struct provider *providers = (struct provider *)load->config->providers;

	for (size_t i = 0; i < load->config->nproviders; i++)
		key_load(load, &providers[i]);
	key_load(load, &load->config->store.link);
}

void
config_keys_forget(struct config *config)
{
	struct provider *providers = (struct provider *)config->providers;

	for (size_t i = 0; i < config->nproviders; i++)
		providers[i].key = NULL;
	config->store.link.key = NULL;
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

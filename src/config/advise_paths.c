/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Warnings about where files and directories are: the sandbox is only as good
 * as the directories that it opens.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/load.h"

/* Resolves the path; if it does not exist, its directory.  False: the
 * directory does not exist either. */
static bool
resolve(const char *path, char out[PATH_MAX])
{
	char dir[PATH_MAX], *slash;

	if (path == NULL || *path != '/')
		return false;
	if (realpath(path, out) != NULL)
		return true;
	if (strlcpy(dir, path, sizeof(dir)) >= sizeof(dir))
		return false;
	while ((slash = strrchr(dir, '/')) != NULL && slash != dir) {
		*slash = '\0';
		if (realpath(dir, out) != NULL)
			return strlcat(out, path + (slash - dir), PATH_MAX) <
			    PATH_MAX;
	}
	return false;
}

/* Both are resolved; a directory contains itself. */
static bool
lies_in(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (n == 1)
		return true;
	return strncmp(path, dir, n) == 0 &&
	    (path[n] == '/' || path[n] == '\0');
}

/* ---- files that no worker may have -------------------------------------- */

/* A directory that the sandbox opens to a process that parses foreign bytes. */
struct open_dir {
	const char *setting, *path, *whose;
	char real[PATH_MAX];
};

static void
advise_file(struct load *load, const struct open_dir *dirs, size_t n,
    const void *element, const char *group, const char *name, const char *path)
{
	char real[PATH_MAX];

	if (!resolve(path, real))
		return;
	for (size_t i = 0; i < n; i++)
		if (*dirs[i].real != '\0' && lies_in(real, dirs[i].real)) {
			warning_of(load, element, group, name,
			    "%s is in %s (%s), which %s; keep it in a "
			    "directory of its own",
			    mistake_quote(load, path), dirs[i].setting,
			    dirs[i].path, dirs[i].whose);
			return;
		}
}

static void
advise_files(struct load *load)
{
	static const char writes[] = "workers may write",
			  reads[] = "workers may read, and the ledger's "
				    "process may write";
	const struct config *c = load->config;
	struct open_dir dirs[] = {
		{ "runtime_dir", c->runtime_dir, writes, "" },
		{ "body.spool_dir", c->spool_dir, writes, "" },
		{ "state_dir", c->state_dir, reads, "" },
	};
	const size_t n = sizeof(dirs) / sizeof(dirs[0]);

	for (size_t i = 0; i < n; i++)
		if (!resolve(dirs[i].path, dirs[i].real))
			*dirs[i].real = '\0';
	advise_file(load, dirs, n, c, "", NULL, c->path);
	if (*c->clients_file != '\0')
		advise_file(
		    load, dirs, n, c, "", "clients_file", c->clients_file);
	advise_file(load, dirs, n, c, "", "price_file", c->price_file);
	for (size_t i = 0; i < c->nproviders; i++) {
		const struct provider *p = &c->providers[i];

		for (size_t k = 0; k < p->nkeys; k++)
			advise_file(load, dirs, n, p, "providers",
			    p->nkey_sources > 0 ? "keys" : "key",
			    config_key_source(p, k)->file);
		advise_file(
		    load, dirs, n, p, "providers", "ca_file", p->ca_file);
	}
	if (c->ledger)
		/* Only for the first two: the others may contain it. */
		advise_file(load, dirs, 2, c, "ledger", "file", c->ledger_file);
}

/* ---- directories that others have too ----------------------------------- */

/* Whoever may write to a directory can replace its entries, unless it is
 * sticky.  Returns who may; NULL: only root and us. */
static const char *
replaced_by(const struct stat *st)
{
	if (st->st_uid != 0 && st->st_uid != geteuid() && geteuid() != 0)
		return "belongs to another user";
	if ((st->st_mode & S_ISVTX) != 0)
		return NULL;
	if ((st->st_mode & S_IWOTH) != 0)
		return "can be written by everybody";
	return NULL;
}

/* The directories above it, from the nearest on. */
static void
advise_above(struct load *load, const char *setting, const char *real)
{
	char dir[PATH_MAX], *slash;
	const char *why;
	struct stat st;

	strlcpy(dir, real, sizeof(dir));
	while ((slash = strrchr(dir, '/')) != NULL && slash != dir) {
		*slash = '\0';
		if (stat(dir, &st) == -1 || (why = replaced_by(&st)) == NULL)
			continue;
		warning_of(load, load->config, "", setting,
		    "is in %s, which %s: whoever can write there can replace "
		    "the directory",
		    mistake_quote(load, dir), why);
		return;
	}
}

static void
advise_dir(struct load *load, const char *setting, const char *path)
{
	static const char *const shared[] = { "/", "/dev/shm", "/home", "/root",
		"/run", "/run/lock", "/srv", "/tmp", "/usr", "/var", "/var/lib",
		"/var/run", "/var/tmp" };
	char real[PATH_MAX];
	struct stat st;
	bool others = false;

	if (!resolve(path, real))
		return;
	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
		others |= strcmp(real, shared[i]) == 0;
	if (stat(real, &st) == 0)
		others |= (st.st_mode & (S_IWOTH | S_ISVTX)) != 0;
	if (others)
		warning_of(load, load->config, "", setting,
		    "%s is shared with other programs, which could read or "
		    "replace its files; give tailgate a directory of "
		    "its own",
		    mistake_quote(load, path));
	advise_above(load, setting, real);
}

void
advise_paths(struct load *load)
{
	const struct config *c = load->config;

	/* Without a sandbox they may do anything anyway. */
	if (c->sandbox != CONFINE_OFF)
		advise_files(load);
	advise_dir(load, "runtime_dir", c->runtime_dir);
	advise_dir(load, "state_dir", c->state_dir);
}

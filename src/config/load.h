/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What the files of the loader share: one load in progress.  Included only in
 * src/config.
 */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include <libconfig.h>

#include "base/arena.h"
#include "base/buf.h"
#include "config/settings.h"
#include "config/schema.h"
#include "config/secrets.h"

/* One file: tailgate.conf, the clients', the prices'. */
struct load_file {
	config_t config;
	const char *path; /* as given: for messages */
	const char *dir; /* for includes and relative paths; absolute */
	const char *text; /* NULL: not read */
};

#define LOAD_FILES_MAX 3

/* Where an element of the configuration was written. */
struct load_origin {
	const void *element;
	const char *group;
	config_setting_t *setting; /* NULL: not written at all */
};

struct load_mistake {
	const char *file;
	unsigned line, number;
	bool warning;
	const char *text;
};

struct load {
	unsigned flags;
	config_pattern_check *pattern_check; /* or NULL */
	struct arena *arena;
	struct secrets *secrets;
	struct config *config;
	struct load_file files[LOAD_FILES_MAX];
	size_t nfiles;
	/* Where the group that is read next finds settings that it does not
	 * give, in this order; NULL: nowhere. */
	config_setting_t *inherit[2];
	struct load_origin *origins;
	size_t norigins, origins_size;
	struct load_mistake *mistakes;
	size_t nmistakes, mistakes_size, nerrors;
};

/* --- mistakes.c: what is wrong, where ----------------------------------- */

/* Reports a mistake at a setting as it was written. */
void mistake(struct load *, const config_setting_t *, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* At the setting `name` of an element of the configuration (of the group),
 * or at the element if it was not written; name NULL: the element. */
void mistake_of(struct load *, const void *element, const char *group,
    const char *name, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
void warning_of(struct load *, const void *element, const char *group,
    const char *name, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* At a line of a file; line 0: the file as a whole. */
void mistake_in(struct load *, const char *file, unsigned line, const char *fmt,
    ...) __attribute__((format(printf, 4, 5)));
void origin_add(
    struct load *, const void *element, const char *group, config_setting_t *);
/* The elements of an array have moved. */
void origins_move(struct load *, const void *from, size_t bytes, void *to);
/* Warns of a url that ends in an endpoint's path or lacks a known server's
 * /v1 (prove_path.c). */
void prove_url_path(struct load *, const struct provider *);
/* Reports what is wrong with models and their targets (prove_models.c). */
void prove_models(struct load *);
/* The same of clients (prove_clients.c). */
void prove_clients(struct load *);
/* Checks the store and what is shared through it (store.c). */
void prove_store(struct load *);
void finish_store(struct load *);
/* The same for how providers are woken (wake.c). */
void prove_wake(struct load *, const struct provider *);
void finish_wake(struct provider *);
/* Reports paths and names that the start would refuse (prove_start.c). */
void prove_start(struct load *);
/* Was the element's setting written, correctly or not? */
bool origin_has(const struct load *, const void *element, const char *group,
    const char *name);
/* "tailgate.conf:41: private[0].pattern" */
const char *origin_where(struct load *, const void *element, const char *group,
    const char *name);
/* Sorted by file and line. */
void mistakes_write(const struct load *, FILE *);
/* A foreign string for a message: escaped, cut. */
const char *mistake_quote(struct load *, const char *);

/* --- text.c: a file's text, proved fit for libconfig -------------------- */

/* NULL: reported. */
char *text_read(struct load *, const char *path, const char *dir);

/* --- value.c: from what is written to what is kept ----------------------- */

/* Fills base + row->offset from the setting, or from the row's preset if the
 * setting is NULL or wrong. */
void value_load(
    struct load *, const struct schema *, config_setting_t *, void *base);

/* --- url.c --------------------------------------------------------------- */

/* NULL, or what is wrong with it. */
const char *url_check(const char *url, const char *schemes);
/* The host of a checked URL, without port and brackets. */
const char *url_host(struct arena *, const char *url);
/* Is it on this host or in a private network, judging by its name? */
bool url_is_near(const char *host);
/* Its port, or its scheme's. */
uint16_t url_port(const char *url);

/* --- load.c, finish.c, prove.c, keys.c ----------------------------------- */

/* A load begins and ends; the arena and the secrets are the caller's. */
void load_begin(struct load *, unsigned flags);
void load_end(struct load *);
/* Parses a file into a tree that lives until load_end; NULL: reported. */
config_setting_t *load_file(struct load *, const char *path);
/* Reads one group: its own settings in the schema's order. */
void
load_group(struct load *, const char *group, config_setting_t *, void *base);
/* Fills what follows from other settings. */
void finish(struct load *);
/* Reports what contradicts itself. */
void prove(struct load *);
/* Warns of settings that will surprise (advise.c). */
void advise(struct load *);
/* Warns of files that a worker could read or write, and of directories that
 * others use too (advise_paths.c). */
void advise_paths(struct load *);
/* Counts a provider's keys and allocates them. */
void keys_make(struct load *, struct provider *);
/* Reads the providers' keys. */
void keys_load(struct load *);

struct config_memory {
	struct arena *arena;
	struct secrets *secrets;
};

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The clients file as `tailgate client` edits it: add, list, remove.
 *
 * The file has the syntax of tailgate.conf and one setting, `clients`.  It is
 * replaced whole (written beside, synced, renamed) under a lock, so that a
 * reader sees the old one or the new one; comments are not kept, and its
 * first line says so.
 */
#ifndef CONFIG_CLIENTS_H
#define CONFIG_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* "tg-" and 43 characters of [A-Za-z0-9]: 256 bits of arc4random. */
#define CLIENTS_KEY_SIZE 47

struct clients_entry {
	const char *name;
	const char *const *models;	/* globs; none: "*" */
	size_t nmodels;
	const char *place;		/* "local", "external"; NULL: local */
	const char *expires;		/* a date, or NULL */
	bool operator, explain;
};

/* Adds the client and makes its key.  -1 where the name is taken or a value
 * is wrong; err says which and what to do. */
int clients_add(const char *file, const struct clients_entry *,
    char key[CLIENTS_KEY_SIZE], FILE *err);
int clients_remove(const char *file, const char *name, FILE *err);
/* A table: name, place, models, expires, first digits of the digest. */
int clients_list(const char *file, FILE *out, FILE *err);

#endif

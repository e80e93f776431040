/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The clients file as `tailgate client` edits it.
 *
 * The file has the syntax of tailgate.conf and one setting, `clients`.
 * Unchanged parts keep their bytes, comments included.  The file is replaced as
 * a whole (written beside, checked, synced, renamed) under a lock, so that a
 * reader sees the old one or the new one.
 *
 * All functions return -1 if they fail; err says what is wrong and what to do.
 */
#ifndef CONFIG_CLIENTS_H
#define CONFIG_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* "tg-" and 43 characters of [A-Za-z0-9]: 256 bits of arc4random. */
#define CLIENTS_KEY_SIZE 47

/* One setting of a client. */
struct clients_change {
	const char *setting; /* "place", "budget.usd_per_day" */
	const char *value; /* as written in the file; NULL: none */
	const char *option; /* its name in messages, "--usd-per-day" */
};

/* Adds a client, and makes a key for it unless key_sha256 is among the
 * changes; then *key is "". */
int clients_add(const char *file, const char *name,
    const struct clients_change *, size_t n, char key[CLIENTS_KEY_SIZE],
    FILE *err);
int clients_set(const char *file, const char *name,
    const struct clients_change *, size_t n, FILE *err);
/* Gives it a new key.  The present one is accepted for so long still. */
int clients_rotate(const char *file, const char *name, int64_t overlap_ms,
    char key[CLIENTS_KEY_SIZE], FILE *err);
int clients_remove(const char *file, const char *name, FILE *err);

#endif

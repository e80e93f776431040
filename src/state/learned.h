/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What `tailgate probe` learned of the upstreams' models: context sizes and
 * abilities.  It is kept in runtime_dir/learned.json, which is replaced whole.
 */
#ifndef STATE_LEARNED_H
#define STATE_LEARNED_H

#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"
#include "policy/facts.h"

/* --- the file (learned_file.c) -------------------------------------------- */

/* Returns how many rows there are.  *out is malloc'ed (NULL if there are
 * none); its strings are the config's or inside the same block.  Rows are
 * skipped that are not well formed, of no provider of this config, or of one
 * with learn = false. */
size_t learned_load(const struct config *, struct facts_learned **out);
/* -1 with errno. */
int learned_store(
    const struct config *, const struct facts_learned *, size_t n);
/* Changes whenever the file has been replaced; 0: there is none. */
uint64_t learned_stamp(const struct config *);

/* --- a copy of it that is kept fresh, shared by all threads --------------- */

struct learned;

struct learned *learned_new(const struct config *);
void learned_free(struct learned *);
/* The rows, read again first if the file has changed and the copy is older
 * than a few seconds.  They are valid until learned_release() of *out. */
const struct facts_learned *
learned_take(struct learned *, size_t *n, void **out);
void learned_release(struct learned *, void *set);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Shared by value.c (settings by type, presets, groups) and value_text.c
 * (settings written as strings).
 */
#ifndef CONFIG_VALUE_INTERNAL_H
#define CONFIG_VALUE_INTERNAL_H

#include "config/load.h"

/* --- value.c: keeps a value at the row's place in base -------------------- */

void value_put_number(const struct schema *, void *base, int64_t value);
void value_put_pointer(const struct schema *, void *base, const void *value);
void value_put_many(
    const struct schema *, void *base, const void *array, size_t n);

/* Reports a setting of another type than `wanted`. */
void value_wrong_type(
    struct load *, const config_setting_t *, const char *wanted);

/* --- value_text.c: readers by type ---------------------------------------- */

void value_read_ref(struct load *, const struct schema *,
    config_setting_t *, void *base);
void value_read_url(struct load *, const struct schema *,
    config_setting_t *, void *base);
void value_read_string(struct load *, const struct schema *,
    config_setting_t *, void *base);
void value_read_date(struct load *, const struct schema *,
    config_setting_t *, void *base);
void value_read_digest(struct load *, const struct schema *,
    config_setting_t *, void *base);
void value_read_strings(struct load *, const struct schema *,
    config_setting_t *, void *base);
void value_read_nets(struct load *, const struct schema *,
    config_setting_t *, void *base);
void value_read_word(struct load *, const struct schema *,
    config_setting_t *, void *base);
void value_read_words(struct load *, const struct schema *,
    config_setting_t *, void *base);

/* The bit or number of a word; -1: it is not one of the row's. */
int64_t value_of_word(const struct schema *, const char *word);
/* A path as it is kept: absolute, resolved from the file's directory. */
const char *value_path(struct load *, const char *text);

#endif

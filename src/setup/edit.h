/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Sets one value in a configuration file that somebody else wrote, and leaves
 * every other byte as it is: comments, order, indentation, line ends.  Pure:
 * text in, text out.
 *
 * JSON may have comments and trailing commas, as editors' settings do.  What
 * these readers do not understand they refuse; they never guess.
 */
#ifndef SETUP_EDIT_H
#define SETUP_EDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

#define EDIT_KEYS_MAX 8

struct edit {
	const char *keys[EDIT_KEYS_MAX]; /* the way to it, from the top */
	size_t nkeys;
	/* In the file's language.  JSON: compact; it is laid out as the file
	 * is.  A YAML list: its items, each line ended by a newline.  TOML:
	 * NULL takes the pair out. */
	const char *value;
	bool keep; /* what is there already stays */
};

/* Adds the text with the edit made to out.  -1: *why says what is in its
 * way, and what is in out means nothing. */
typedef int edit_function(
    struct span text, const struct edit *, struct buf *out, const char **why);

edit_function edit_json, edit_toml, edit_yaml;
/* The value becomes a part of the list at keys, between two comments, which
 * are found again the next time. */
edit_function edit_yaml_list;
/* NAME=value, a line each. */
edit_function edit_env;

/* "\r\n" if the text's first line ends so, else "\n". */
const char *edit_newline(struct span text);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Sets one value in a configuration file of another program, and leaves every
 * other byte as it is: comments, order, indentation, line ends.  Pure: text in,
 * text out.
 *
 * JSON may have comments and trailing commas, as editors' settings do.  The
 * editors refuse what they do not understand; they never guess.
 */
#ifndef SETUP_EDIT_H
#define SETUP_EDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

#define EDIT_KEYS_MAX 8

struct edit {
	const char *keys[EDIT_KEYS_MAX]; /* the path to it, from the top */
	size_t nkeys;
	/* In the file's language.  JSON: compact; it is laid out as the file
	 * is.  A YAML list: its items, each on lines that end with a newline.
	 * TOML: NULL removes the pair. */
	const char *value;
	bool keep; /* a value that is there already stays */
};

/* Makes the edit and adds the resulting text to out.  -1: *why says what
 * prevents it, and the content of out is undefined. */
typedef int edit_function(
    struct span text, const struct edit *, struct buf *out, const char **why);

edit_function edit_json, edit_toml, edit_yaml;
/* Makes the value a part of the list at keys, between two comments, by which
 * the next edit finds it again. */
edit_function edit_yaml_list;
/* A file of NAME=value lines. */
edit_function edit_env;

/* "\r\n" if the text's first line ends so, else "\n". */
const char *edit_newline(struct span text);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What the tools of a gateway's users need in their settings.  Used by the
 * command that writes these (ctl/setup.c) and by the maker of a script.
 *
 *	tools.c		the table of tools: their files, and what goes into them
 *	models.c	the models of a client, and which is picked
 *	fill.c		templates of the table become edits, edits become texts
 *	edit_*.c	one edit of a text in JSON, TOML, YAML or NAME=value
 *	script.c	all of that as a shell script for another machine, by
 *			the texts script.sh and *.awk
 *
 * A template is text with fields between angle brackets:
 *
 *	<url> <v1>	the gateway without and with /v1
 *	<key> <keyfile>	the client's key, and the file that holds it
 *	<model> <small>	the names of the models that were picked
 *	<context> <window> <output> <images> <tools>	of the model; <window>
 *			is <context>, or a guess
 *	<now>		the time, as 2027-01-31T12:00:00Z
 *	<?context>...<.>	only if it is known (images, tools: true)
 *	<[>...<]>	once for each model, with a comma between two
 *	<{>...<}>	the same without commas; <id> is the model's name
 *
 * Fields are escaped for a string in double quotes (JSON, TOML, YAML).  A
 * template is left out as a whole if a field outside of <?...> is not known.
 */
#ifndef SETUP_SETUP_H
#define SETUP_SETUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "setup/edit.h"

#define SETUP_MODELS_MAX 256
#define SETUP_FILES_MAX 4
#define SETUP_EDITS_MAX 16
#define SETUP_TEXT_MAX (4 * 1024 * 1024)

/* ---- models ----------------------------------------------------------- */

struct setup_model {
	const char *id;
	uint64_t context, output; /* 0: not known */
	bool images, tools;
	bool talks;
};

struct setup_models {
	struct setup_model list[SETUP_MODELS_MAX];
	size_t n;
};

/* Adds a model.  NULL: there is no room, or the name is not plain. */
struct setup_model *
setup_model_add(struct setup_models *, const char *id, struct arena *);
/* The first model that talks and can use tools, else the first that talks, or
 * NULL. */
const struct setup_model *setup_model_pick(const struct setup_models *);
/* The model of this name, or NULL. */
const struct setup_model *setup_model_known(
    const struct setup_models *, const char *id);
/* Adds a model of which only the name is known, as it matches a pattern. */
void setup_model_assume(struct setup_models *, const char *id);
/* Is the text made of letters, digits and marks that are not special in a shell
 * or in a quoted string?  All names, URLs and keys must be. */
bool setup_is_plain(const char *);

/* ---- tools ------------------------------------------------------------ */

struct setup_edit {
	edit_function *edit;
	const char *way; /* keys, each a template, separated by '|' */
	const char *value; /* a template; NULL removes it (TOML) */
	bool keep;
};

struct setup_file {
	/* "~/x", "${VAR:-~/x}/y"; several, separated by '|': the first that
	 * exists, or else the first. */
	const char *path;
	bool secret; /* the key is in it: nobody else may read it */
	const char *whole; /* the text of a file that is ours alone; or: */
	struct setup_edit edits[SETUP_EDITS_MAX];
};

struct setup_tool {
	const char *name, *title;
	const char *run; /* the command that starts it, or NULL */
	const char *show; /* a tool without a file: its settings, a template */
	const char *note; /* printed afterwards, a template, or NULL */
	struct setup_file files[SETUP_FILES_MAX];
};

extern const struct setup_tool setup_tools[];
const struct setup_tool *setup_tool_find(const char *name);
/* Do its settings have the size of the model's context? */
bool setup_tool_wants_context(const struct setup_tool *);
/* For spelling_nearest() and lists. */
const char *setup_tool_name(const void *ctx, size_t i);

/* ---- filling ---------------------------------------------------------- */

struct setup_values {
	const char *url; /* "https://ai.example", no slash at its end */
	const char *key, *key_file;
	const char *model, *small;
	const struct setup_models *models;
	char now[32];
};

/* Adds the filled template to out.  False: a field is not known. */
bool
setup_fill(const struct setup_values *, const char *template, struct buf *out);

/* Makes the new text of a tool's file from the old one.  -1: *why says which
 * edit cannot be made, and why. */
int setup_text_make(const struct setup_values *, const struct setup_file *,
    struct span before, struct buf *after, const char **why);

/* ---- as a script ------------------------------------------------------ */

/* A POSIX shell script that does to a user's files on another machine what
 * setup_text_make() does to these; the key is asked for there.  Of the values
 * it uses url, model, small and models; the size is bounded by SETUP_TEXT_MAX.
 * False: out is full. */
bool setup_script(
    const struct setup_values *, const struct setup_tool *, struct buf *out);

#endif

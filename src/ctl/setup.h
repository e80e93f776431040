/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * tailgate setup: what its files share.
 *
 *	setup.c		the command
 *	setup_ask.c	the URL, the key and the models of a call
 *	setup_texts.c	the files of a call: made, then written or shown
 *	setup_tools.c	the table of tools: their files, and what goes into them
 *	setup_models.c	the models, asked of the gateway or of the configuration
 *	setup_fill.c	templates of the table become edits, edits become texts
 *	setup_files.c	reading and writing
 *	setup_record.c	what was changed, and taking it back
 *	setup_cage.c	what the processes of a set-up may do
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
 * template with a field outside of <?...> that is not known is left out whole.
 */
#ifndef CTL_SETUP_H
#define CTL_SETUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "ctl/edit.h"

#define SETUP_KEY_MAX 512
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

/* NULL: there is no room, or the name is not plain. */
struct setup_model *
setup_model_add(struct setup_models *, const char *id, struct arena *);
/* GET URL/v1/models.  -1: why, of size bytes, says what happened. */
int setup_models_ask(struct setup_models *, const char *url, const char *key,
    struct arena *, char *why, size_t size);
/* From the configuration, those that the client sees.  -1: it has been said
 * why not. */
int
setup_models_read(struct setup_models *, const char *client, struct arena *);
/* Letters, digits and marks that mean nothing to a shell or in a quoted string:
 * what all names, URLs and keys must be made of. */
bool setup_is_plain(const char *);

/* ---- tools ------------------------------------------------------------ */

struct setup_edit {
	edit_function *edit;
	const char *way; /* keys, each a template, separated by '|' */
	const char *value; /* a template; NULL takes it out (TOML) */
	bool keep;
};

struct setup_file {
	/* "~/x", "${VAR:-~/x}/y"; several, separated by '|': the first that
	 * exists, or else the first. */
	const char *path;
	bool secret; /* the key is in it: nobody else may read it */
	const char *whole; /* a file of ours alone; or: */
	struct setup_edit edits[SETUP_EDITS_MAX];
};

struct setup_tool {
	const char *name, *title;
	const char *run; /* how it is started afterwards, or NULL */
	const char *show; /* for a tool without a file: what it wants to be
			     told, a template */
	const char *note; /* said afterwards, a template, or NULL */
	struct setup_file files[SETUP_FILES_MAX];
};

extern const struct setup_tool setup_tools[];
const struct setup_tool *setup_tool_find(const char *name);
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

/* One file of the tool: its path and its text before and after. */
struct setup_text {
	char *path;
	bool exists, secret;
	unsigned mode;
	struct buf before, after;
};

/* The text after, from the text before.  -1: *why says which edit cannot be
 * made, and why. */
int setup_text_make(const struct setup_values *, const struct setup_file *,
    struct setup_text *, const char **why);

/* ---- files ------------------------------------------------------------ */

/* The path of a file of the table; the caller frees. */
char *setup_path(const char *spec);
/* Where a tool's key lies; the caller frees. */
char *setup_key_path(const char *tool);
/* Reads path and before; a file that is not there is empty.  -1: said. */
int setup_text_read(struct setup_text *);
void setup_text_free(struct setup_text *);

/* The path of file i of the tool's record, and the first directory that was
 * made for it, or NULL; the caller frees both.  -1: there is none. */
int setup_record_path(const char *tool, unsigned i, char **path, char **made);
/* If the tool has been set up before, takes that back in memory: before
 * becomes what it would be without it.  -1: said. */
int setup_record_undo_in(const char *tool, struct setup_text *);
struct setup_cage;
/* Writes all files and the record of them.  -1: said; what was written has been
 * put back. */
int setup_record_commit(const char *tool, const struct setup_cage *,
    struct setup_text *, size_t n);
/* Puts back what the tool's set-up changed.  Says what it does to out.
 * Returns how many files could not be put back, -1: nothing was set up. */
int setup_record_undo(const char *tool, bool dry, FILE *out);

/* ---- what it may do --------------------------------------------------- */

#define SETUP_CAGE_MAX (2 * (SETUP_FILES_MAX + 2))

/* Files that may be written, and what was made for them. */
struct setup_cage {
	size_t n;
	char *paths[SETUP_CAGE_MAX];
	char *made[SETUP_CAGE_MAX]; /* the first directory that was, or NULL */
	/* The directories that they lie in, and those above the made ones; each
	 * list ends with NULL. */
	char *files[SETUP_CAGE_MAX + 1];
	char *above[SETUP_CAGE_MAX + 1];
};

struct setup;

/* If the gateway is to be asked: starts the process that does.  -1: said. */
int setup_ask_start(struct setup *);
/* What it has found, once we are confined.  -1: why says what happened. */
int setup_ask_end(struct setup *, char *why, size_t size);
/* Makes the directories that will be written to, and confines us to them.
 * -1: said. */
int setup_cage_enter(struct setup *);
/* The first directory that was made for the file, or NULL. */
const char *setup_cage_made(const struct setup_cage *, const char *path);
void setup_cage_free(struct setup_cage *);

/* ---- one call --------------------------------------------------------- */

struct setup {
	const struct setup_tool *tool;
	const char *key_file, *client;
	bool external; /* the place of that client */
	bool print, dry, undo;
	struct setup_values values;
	struct setup_models models;
	struct arena *arena;
	char *key_path;
	char key[SETUP_KEY_MAX];
	char *clients_file; /* where a client was made just now */
	struct setup_cage cage;
	pid_t asker;
	int asked_fd; /* -1: nobody is asked */
};

/* The URL without slashes and /v1 at its end; NULL: $TAILGATE_URL.  The exit
 * status. */
int setup_url_take(struct setup *, const char *url);
/* The key, from wherever the call says it is; a client is made.  -1: said. */
int setup_key_take(struct setup *);
/* Which of the models are picked.  -1: said. */
int setup_models_take(struct setup *);
/* Makes the tool's files and writes or shows them.  The exit status. */
int setup_texts_use(struct setup *);

#endif

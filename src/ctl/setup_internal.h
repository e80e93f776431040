/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * tailgate setup: what its files share.  What the tools need is in src/setup.
 *
 *	setup.c		the command
 *	setup_ask.c	the URL, the key and the models of a call
 *	setup_texts.c	the files of a call: made, then written or shown
 *	setup_models.c	the models, asked of the gateway
 *	setup_files.c	reading and writing
 *	setup_record.c	what was changed, and taking it back
 *	setup_cage.c	what the processes of a set-up may do
 */
#ifndef CTL_SETUP_INTERNAL_H
#define CTL_SETUP_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "setup/setup.h"

#define SETUP_KEY_MAX 512

/* ---- models ----------------------------------------------------------- */

/* The result of asking the gateway for its models. */
enum setup_asked {
	SETUP_TOLD, /* they are known */
	SETUP_UNKNOWN_KEY, /* it does not know the key */
	SETUP_NOT_TOLD, /* it could not be asked */
};

/* Sends GET URL/v1/models, then GET URL/v1/models/NAME for each of the two
 * names that the list does not have, such as one that matches a pattern.  A
 * name may be NULL.  Unless SETUP_TOLD is returned, why, of size bytes, says
 * what happened. */
enum setup_asked setup_models_ask(struct setup_models *, const char *url,
    const char *key, const char *const names[2], struct arena *, char *why,
    size_t size);

/* ---- texts ------------------------------------------------------------ */

/* One file of the tool: its path and its text before and after. */
struct setup_text {
	char *path;
	bool exists, secret;
	unsigned mode;
	struct buf before, after;
};

/* ---- files ------------------------------------------------------------ */

/* The path of a file of the table; the caller frees. */
char *setup_path(const char *spec);
/* Where a tool's key lies; the caller frees. */
char *setup_key_path(const char *tool);
/* Reads the file at path into before; a missing file is empty.  -1 after an
 * error message. */
int setup_text_read(struct setup_text *);
void setup_text_free(struct setup_text *);

/* The path of file i of the tool's record, and the first directory that was
 * made for it, or NULL; the caller frees both.  -1: there is none. */
int setup_record_path(const char *tool, unsigned i, char **path, char **made);
/* If the tool has been set up before, undoes that in memory: before becomes
 * what it would be without that set-up.  -1 after an error message. */
int setup_record_undo_in(const char *tool, struct setup_text *);
struct setup_cage;
/* Writes all files and the record of them, and of the client that was made for
 * the tool, or NULL.  -1 after an error message; what was written has been put
 * back. */
int setup_record_commit(const char *tool, const struct setup_cage *,
    const char *client, struct setup_text *, size_t n);
/* The client that was made for the tool; the caller frees.  NULL: none was. */
char *setup_record_client(const char *tool);
/* Puts back what the tool's set-up changed, and prints to out what it does.
 * Returns how many files could not be put back, or -1 if nothing was set up. */
int setup_record_undo(const char *tool, bool dry, FILE *out);

/* ---- what it may do --------------------------------------------------- */

#define SETUP_CAGE_MAX (2 * (SETUP_FILES_MAX + 2))

/* Files that may be written, and the directories that were made for them. */
struct setup_cage {
	size_t n;
	char *paths[SETUP_CAGE_MAX];
	char *made[SETUP_CAGE_MAX]; /* the first such directory, or NULL */
	/* The directories that they lie in, and those above the made ones; each
	 * list ends with NULL. */
	char *files[SETUP_CAGE_MAX + 1];
	char *above[SETUP_CAGE_MAX + 1];
};

struct setup;

/* If the gateway is to be asked: starts the process that does.  -1 after an
 * error message. */
int setup_ask_start(struct setup *);
/* Reads what that process has found; as setup_models_ask().  We are confined by
 * then. */
enum setup_asked setup_ask_end(struct setup *, char *why, size_t size);
/* Makes the directories that will be written to, and confines us to them.
 * -1 after an error message. */
int setup_cage_enter(struct setup *);
/* The first directory on the path that was made by this call, or NULL. */
const char *setup_cage_made(const struct setup_cage *, const char *path);
void setup_cage_free(struct setup_cage *);

/* ---- one call --------------------------------------------------------- */

struct setup {
	const struct setup_tool *tool;
	const char *key_file, *client;
	bool external; /* the place of that client */
	bool print, dry, script, undo;
	struct setup_values values;
	struct setup_models models;
	struct arena *arena;
	char *key_path;
	char key[SETUP_KEY_MAX];
	char *clients_file; /* set if a client was made just now */
	struct setup_cage cage;
	pid_t asker;
	int asked_fd; /* -1: the gateway is not asked */
};

/* Takes the URL without slashes and /v1 at its end; NULL: $TAILGATE_URL.
 * Returns the exit status. */
int setup_url_take(struct setup *, const char *url);
/* Takes the key from where the call says it is, or makes the client.  -1 after
 * an error message. */
int setup_key_take(struct setup *);
/* Picks the models.  -1 after an error message. */
int setup_models_take(struct setup *);
/* Makes the tool's files and writes or shows them.  Returns the exit status. */
int setup_texts_use(struct setup *);

#endif

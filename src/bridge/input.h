/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * What both walks of a conversation share, of a list of items (Responses) and
 * of messages: the position, and what is wrong there.
 */
#ifndef BRIDGE_INPUT_H
#define BRIDGE_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "bridge/pieces.h"
#include "bridge/talk.h"

struct bridge_run;

struct input {
	struct bridge_run *run;
	struct talk talk;
	struct pieces parts; /* of the item or turn at hand */
	size_t index; /* of the item or message */
	bool assistant; /* is the message's author */
	struct responses_tools *tools; /* Responses only */
};

/* Sets up the talk, whose results are read by read(): id is the member of a
 * call that holds its id. */
void input_init(struct input *, struct bridge_run *, const char *id,
    int (*read)(void *input, const struct pairs_result *, struct pieces *),
    struct buf *out);
/* Ends the talk, if result is 0, and frees it.  -1: refused. */
int input_end(struct input *, int result);

/* Refuse the item, "WHAT "NAME" of an input item …" or by what is wrong with
 * it; return -1. */
int input_refuse(struct input *, const char *what, struct span name);
int input_malformed(struct input *, const char *what);

/* Notes a call's id, in the first walk. */
void input_note_call(struct input *, struct span id);
/* Names the members of an assistant's object besides the n known ones: an
 * upstream may have wanted them. */
void input_name_unknown(
    struct input *, struct span object, const char *const *known, size_t n);
/* The opaque text of a reasoning item or thinking block (its inside), and
 * its member: named if it is not ours. */
void input_opaque(struct input *, struct span inside, const char *member);

/* Reads a content: a text, or a list whose parts are taken one by one.  -1:
 * refused. */
int input_content(struct input *, struct span content, struct pieces *,
    int (*take)(struct input *, struct span part, struct pieces *));

/* Takes each element of a list; -1: refused. */
int input_walk(struct input *, struct span list,
    int (*take)(struct input *, struct span element));

#endif

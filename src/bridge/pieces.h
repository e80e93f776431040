/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The content of a chat message before it is written: texts, pictures and files
 * as spans of the client's body.  Only when all of it is known is it clear
 * whether it is one string or a list of parts.
 */
#ifndef BRIDGE_PIECES_H
#define BRIDGE_PIECES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

enum piece_kind {
	PIECE_TEXT, /* the inside of a JSON string */
	PIECE_TOOL, /* the name of a tool that can be called now, as text */
	PIECE_PART, /* a whole part, the same in chat */
	PIECE_INPUT_IMAGE, /* Responses: the part; image_url, detail */
	PIECE_INPUT_FILE, /* Responses: the part; file_data, filename */
	PIECE_IMAGE, /* Messages: the block; its source is checked */
	PIECE_DOCUMENT, /* Messages: the block; base64 */
	PIECE_EXTRA, /* an object; its members are the text's before it */
};

struct piece {
	struct span span;
	enum piece_kind kind;
};

struct pieces {
	struct piece *list;
	size_t n, size;
};

/* All zero is empty.  Out of memory is fatal, here and below. */
void pieces_free(struct pieces *);
/* An empty text is nothing. */
void pieces_text(struct pieces *, struct span inside);
void pieces_add(struct pieces *, enum piece_kind, struct span);
/* Moves all to the end of another; with an object for the first text, or p
 * NULL. */
void pieces_move(struct pieces *from, struct pieces *to);
void
pieces_move_with(struct pieces *from, struct pieces *to, struct span object);
/* Adds an object whose members go with the last text.  False: there is no
 * text. */
bool pieces_extra(struct pieces *, struct span object);
/* Moves what is not text: a tool's result can only contain text. */
void pieces_move_media(struct pieces *from, struct pieces *to);

/* The texts as one JSON string, an empty line between them; what is not text
 * is ignored. */
void pieces_write_texts(const struct pieces *, struct buf *out);
/* The parts, comma-separated, without the list's brackets. */
void pieces_write_parts(const struct pieces *, struct buf *out);
/* A string if all are texts, otherwise a list. */
void pieces_write(const struct pieces *, struct buf *out);

#endif

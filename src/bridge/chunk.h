/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * One chunk of a chat stream, or a whole chat completion, as spans of its text:
 * nothing is parsed into a tree and printed again, so what a bridge only
 * carries arrives as it was sent.
 */
#ifndef BRIDGE_CHUNK_H
#define BRIDGE_CHUNK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/span.h"

#define CHUNK_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

enum chunk_part {
	CHUNK_NONE,
	CHUNK_TEXT,
	CHUNK_REFUSAL,
	CHUNK_REASONING,
};

/* A piece of text: the inside of a JSON string, escapes and all. */
struct chunk_text {
	enum chunk_part part;
	struct span raw;
};

/* A piece of a tool call.  Spans are the insides of strings; p NULL: no such
 * member. */
struct chunk_call {
	long long index; /* -1: none */
	struct span id, name;
	struct span arguments; /* of a string; or, if is_object, all of it */
	bool is_object;
};

/* A member that the API does not have. */
struct chunk_extra {
	enum chunk_place {
		CHUNK_OF_MESSAGE,
		CHUNK_OF_CALL,
		CHUNK_OF_FUNCTION, /* in the call */
		CHUNK_OF_PART, /* of the text that ends with the texts[of] */
		CHUNK_OF_THOUGHT, /* no member: all of a part that is one */
	} place;
	size_t of; /* the call; of texts one more, 0 is the one before */
	struct span key; /* inside of a string */
	struct span value;
};

struct chunk {
	bool has_choice;
	bool whole; /* a `message`, not a `delta` */
	struct span error; /* the member, if it says something: raw JSON */
	struct span finish; /* the reason: inside of a string, or raw */
	struct span stop; /* the stop sequence that was met, if told */
	struct memory_hold *hold;
	struct chunk_text *texts; /* in the order of their writing */
	size_t ntexts, texts_size;
	struct chunk_call *calls;
	size_t ncalls, calls_size;
	struct chunk_extra *extras;
	size_t nextras, extras_size;

	/* While it is read. */
	struct span names[2]; /* reasoning, under two names */
	bool has_delta;
	struct chunk_text part; /* of a list of content */
	size_t part_extras; /* those before it */
	struct buf repaired; /* the text without its bad UTF-8 */
};

/* hold: what its lists are charged to. */
void chunk_init(struct chunk *, struct memory_hold *hold);
void chunk_free(struct chunk *);
/* Reads the text of a JSON object.  The spans are valid as long as the text
 * and the chunk.  Bad UTF-8 is read as U+FFFD.  -1: it is not a JSON object. */
int chunk_read(struct chunk *, struct span json);

/* The first half of a character that an upstream cut in two: \ud83d at the
 * end of one piece, \ude00 at the beginning of the next. */
struct chunk_half {
	unsigned high; /* 0: none */
};

/* Decodes a string's inside to the end of out.  Its last half character
 * waits for the next piece; a half that remains alone becomes U+FFFD. */
void chunk_decode(struct chunk_half *, struct span raw, struct buf *out);
/* No more pieces come: U+FFFD, if a half still waits. */
void chunk_decode_end(struct chunk_half *, struct buf *out);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * A conversation as chat messages, in the order and shape that chat upstreams
 * require:
 *
 * - one system message, and at the beginning; later ones become the user's
 *   text, in <system-reminder>;
 * - no two turns of the user after one another;
 * - the results of an assistant's calls directly after them, whatever was
 *   between; a call without a result gets one that says so; a result without
 *   its call becomes the user's text;
 * - nothing but text in a result: its pictures follow in a user's message;
 * - reasoning with its own turn, as the target says;
 * - no message without content.
 *
 * A turn of the assistant is all that it says until the user says something,
 * or a result comes.
 */
#ifndef BRIDGE_TALK_H
#define BRIDGE_TALK_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "bridge/extras.h"
#include "bridge/names.h"
#include "bridge/pairs.h"
#include "bridge/pieces.h"
#include "config/settings.h"

/* How a call's arguments are written. */
enum talk_arguments {
	TALK_STRING, /* a JSON string that contains them */
	TALK_OBJECT, /* JSON, to be put into a string */
	TALK_INPUT, /* a JSON string that is the input of a custom tool */
};

/* A call until its message is written: a conversation may have very many, so
 * it is small.  Its spans are found again in the item. */
struct talk_call {
	const struct name *name;
	struct span item;
	enum talk_arguments form;
	unsigned extra; /* the first of those carried to it; 0: none */
};

/* What an opaque text carried for a call (carry.h). */
struct talk_extra {
	struct span object;
	unsigned next; /* to the same call; 0: none */
	unsigned last; /* of the first one: the last */
};

struct talk {
	struct buf *out; /* messages, comma-separated */
	struct dialect dialect;
	const char *model; /* upstream's, for what is carried */
	const char *id; /* the member of a call that holds its id */
	bool arguments_in_input; /* not in `arguments` */
	struct pairs pairs; /* filled before the first of these calls */
	/* Reads the content of a result; -1: refused. */
	int (*result)(void *ctx, const struct pairs_result *, struct pieces *);
	void *ctx;

	bool failed; /* result() has refused: nothing more is written */
	bool begun; /* a message was written */
	bool in_turn; /* the assistant's */
	struct pieces system, user, media;
	struct pieces text, thoughts, scratch;
	struct talk_call *calls;
	size_t ncalls, calls_size;
	struct arena *arena; /* of what is carried; or NULL */
	struct span carried; /* for the next call */
	struct talk_extra *call_extras; /* of the turn, from 1 on */
	size_t ncall_extras, call_extras_size;
	struct extras extras; /* of the turn's message */
	struct span before; /* an object for the text that follows */
	size_t next_call, next_result; /* their numbers */
};

/* These move the pieces out of their argument. */
void talk_system(struct talk *, struct pieces *);
void talk_user(struct talk *, struct pieces *);
void talk_text(struct talk *, struct pieces *);
void talk_thoughts(struct talk *, struct pieces *);
/* The inside of a reasoning item's or thinking block's opaque text: what is
 * ours is added to the message, or to the call that it names: the next one,
 * or one of the last.  False: it is not ours, or for another model. */
bool talk_carried(struct talk *, struct span inside);
void talk_call(
    struct talk *, const struct name *, struct span item, enum talk_arguments);
/* The next result of the walk. */
enum pairs_fate talk_result(struct talk *);
/* After the last. */
void talk_end(struct talk *);
void talk_free(struct talk *);

/* talk_carried.c, for talk.c: adds what waits for this call. */
void talk_take_carried(struct talk *, struct talk_call *);
/* All that was carried to a call, and to its function. */
void talk_call_extras(const struct talk *, const struct talk_call *,
    struct extras *call, struct extras *function);
/* Were parts of thought carried to the turn?  If list is not NULL, they are
 * added to it, comma-separated. */
bool talk_carried_thoughts(const struct talk *, struct buf *list);

#endif

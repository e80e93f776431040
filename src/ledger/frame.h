/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The protocol between a serving process and the ledger's process.  Between
 * post.c and keeper.c only; both are of one program and one machine, so numbers
 * are in the machine's format.
 *
 * All serving processes share one end of a stream socket, the desk; the
 * ledger's process has the other.  To write, a process makes a pair of sockets
 * and sends one of them over the desk, with one byte.  On the other one, the
 * ledger's process sends FRAME_GREETING; then each frame of lines gets a reply,
 * and the next frame is sent only after it.  The desk outlives the ledger's
 * process: what is sent in between reaches its successor.
 */
#ifndef LEDGER_FRAME_H
#define LEDGER_FRAME_H

#include <stdint.h>

#include "ledger/chain.h"

#define FRAME_MAGIC UINT32_C(0x74674c31)
#define FRAME_LINES_MAX 128
#define FRAME_BYTES_MAX (2 * LEDGER_LINE_MAX)

struct frame {
	uint32_t magic;
	uint32_t again; /* 1: some of it may be in the file already */
	uint32_t nlines; /* at most FRAME_LINES_MAX */
	uint32_t nbytes; /* of all that follows: at most FRAME_BYTES_MAX */
};

/* Before each line's text, which has no end (draft.h) and no newline. */
struct frame_line {
	uint32_t len;
	uint32_t external; /* 1: it was sent to an external provider */
};

struct frame_reply {
	uint32_t magic;
	uint32_t done; /* how many of the first lines are dealt with */
	int32_t error; /* errno of what stopped the rest; 0: nothing did */
	char which[244]; /* a greeting's: the path that it is about */
};

#endif

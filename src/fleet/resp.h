/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The engine's protocol (RESP 2), by hiredis: commands made, replies read.
 * Hides the library; does no I/O.  struct store_reply and what reads one is in
 * store.h.
 */
#ifndef FLEET_RESP_H
#define FLEET_RESP_H

#include <stdbool.h>

#include "base/buf.h"

/* Replies beyond this are not ours. */
#define RESP_REPLY_MAX ((size_t)4 * 1024 * 1024)

struct resp_reader;
struct store_reply;

/* Appends a command: an array of bulk strings, the first of them its name. */
void resp_command(struct buf *, const struct span *args, size_t nargs);

/* Appends one string of a command. */
void resp_bulk(struct buf *, struct span);

struct resp_reader *resp_reader_new(void);
void resp_reader_free(struct resp_reader *);
/* Bytes from the engine; -1: they are no replies. */
int resp_reader_push(struct resp_reader *, const void *, size_t len);
/* The next whole reply, which the caller frees; NULL with 0: none yet; -1:
 * what came is no reply. */
int resp_reader_next(struct resp_reader *, struct store_reply **);

/* The engine's error, or NULL when it is something else. */
const char *resp_error(const struct store_reply *);

#endif

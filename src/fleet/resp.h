/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The engine's protocol (RESP 2), by hiredis: makes commands, reads replies.
 * Hides the library; does no I/O.  struct store_reply and its functions are in
 * store.h.
 */
#ifndef FLEET_RESP_H
#define FLEET_RESP_H

#include <stdbool.h>

#include "base/buf.h"

/* No reply that we ask for is larger. */
#define RESP_REPLY_MAX ((size_t)4 * 1024 * 1024)

struct resp_reader;
struct store_reply;

/* Appends a command: an array of bulk strings, the first of them its name. */
void resp_command(struct buf *, const struct span *args, size_t nargs);

/* Appends one string of a command. */
void resp_bulk(struct buf *, struct span);

struct resp_reader *resp_reader_new(void);
void resp_reader_free(struct resp_reader *);
/* Adds bytes from the engine; -1: they are not replies. */
int resp_reader_push(struct resp_reader *, const void *, size_t len);
/* The next whole reply, which the caller frees; NULL with 0: none yet; -1: the
 * bytes are not a reply. */
int resp_reader_next(struct resp_reader *, struct store_reply **);

/* The engine's error, or NULL if the reply is something else. */
const char *resp_error(const struct store_reply *);

#endif

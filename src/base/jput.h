/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * JSON that we write: members and elements, with the commas between them.
 *
 * The result is compact.  A comma comes first unless the buffer ends in '{' or
 * '[', so a caller opens an object or a list with jput_open() (or any bytes
 * that end in a bracket) and closes it with buf_puts().  Names are ours and
 * need no escaping; texts are escaped as by buf_json().
 */
#ifndef BASE_JPUT_H
#define BASE_JPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/* The next element of a list, which is an object or a list: '{' or '['. */
void jput_open(struct buf *, char bracket);
/* The next element, a text. */
void jput_element(struct buf *, const char *text);
/* "name": and nothing after it. */
void jput_name(struct buf *, const char *name);
/* The same with a name as it is in another JSON text, escapes and all. */
void jput_key(struct buf *, struct span key);
/* A member whose value is an object, a list or a string that the caller
 * writes: '{', '[' or '"'. */
void jput_name_open(struct buf *, const char *name, char first);

/* NULL is null. */
void jput_text(struct buf *, const char *name, const char *text);
/* A string in any case. */
void jput_span(struct buf *, const char *name, struct span text);
void jput_bool(struct buf *, const char *name, bool value);
void jput_i64(struct buf *, const char *name, int64_t);
void jput_u64(struct buf *, const char *name, uint64_t);
/* Negative is null: not known. */
void jput_known(struct buf *, const char *name, int64_t);
/* JSON as it is. */
void jput_raw(struct buf *, const char *name, const char *json);

/* For people: puts a blank after each colon and comma that a value does not
 * contain, from byte `from` of the buffer to its end. */
void jput_spread(struct buf *, size_t from);

#endif

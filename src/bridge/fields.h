/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The members of a client's request: each has a row in its dialect's table that
 * says what happens to it.  A member without a row is refused by its name, so
 * that nothing is lost silently.
 */
#ifndef BRIDGE_FIELDS_H
#define BRIDGE_FIELDS_H

#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

struct bridge_run;

enum field_fate {
	FIELD_COPY, /* as written, under the name in chat */
	FIELD_MAX_TOKENS, /* the same; the target decides the name */
	FIELD_HINT, /* ignored: no response depends on it */
	FIELD_DONE, /* translated elsewhere */
	FIELD_DROP, /* left out and named */
	FIELD_REFUSE, /* the text says what to do instead */
	FIELD_NOT_TRUE, /* the same, if it is true */
	FIELD_ONLY, /* refused unless it is exactly the text */
};

struct field {
	const char *name;
	enum field_fate fate;
	const char *text;
};

/* Finds the value of each row in the body (the last one of a name; p NULL: not
 * there, or null).  -1: refused. */
int fields_read(struct bridge_run *, struct span body, const struct field *,
    size_t n, struct span *values);

/* Writes `,"name":value` for what is copied. */
void fields_write(struct bridge_run *, const struct field *, size_t n,
    const struct span *values, struct buf *out);

/* The value of a row by its name, which must exist. */
struct span fields_value(const struct field *, size_t n,
    const struct span *values, const char *name);

/* Writes `,"user":…` as the target wants it (see config: targets.user). */
void fields_write_user(struct bridge_run *, struct span value, struct buf *out);

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Reading inside a JSON text by spans: nothing is copied and nothing is
 * allocated, so values that are only carried can be written as they came.
 *
 * The text must have passed jscan() as a whole: the grammar is not checked
 * again here.  (A text that has not gives wrong spans, but none outside of it.)
 * A value is the span of its bytes, a string with its quotes; p NULL is no
 * value.
 */
#ifndef BASE_JSPAN_H
#define BASE_JSPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/jscan.h"
#include "base/span.h"

/* By its first byte; false for no value. */
bool jspan_is_object(struct span value);
bool jspan_is_array(struct span value);
bool jspan_is_string(struct span value);
bool jspan_is_true(struct span value);
bool jspan_is_false(struct span value);

/* Are containers nested so deeply that no recursive reader may get the text?
 * Jansson's JSON_PARSER_MAX_DEPTH, 2048, takes 650 KB of stack; a task has
 * less.  text need not be JSON. */
bool jspan_is_deep(struct span text);

/* The value of a document: without the blanks around it. */
struct span jspan_document(struct span text);

/* The members of an object or the elements of an array, in their order:
 *
 *	struct jspan_walk w = jspan_walk(value);
 *	while (jspan_next(&w)) use(w.key, w.value);
 *
 * Any other value has none. */
struct jspan_walk {
	const char *p, *end;
	bool object;
	struct span key; /* raw, without quotes; p NULL in an array */
	struct span value;
};
struct jspan_walk jspan_walk(struct span value);
bool jspan_next(struct jspan_walk *);

/* Is this raw key the name?  Escapes are understood. */
bool jspan_key_is(struct span key, const char *name);

/* Is it one of n names? */
bool jspan_key_in(struct span key, const char *const names[], size_t n);

/* A member; if several have the name, the last, as in most readers.  p NULL:
 * the value is no object, or has no such member, or null there. */
struct span jspan_member(struct span object, const char *name);

/* Several members in one pass. */
struct jspan_want {
	const char *name;
	struct span value; /* as of jspan_member() */
};
void jspan_pick(struct span object, struct jspan_want *, size_t n);

/* A string's inside, as written; p NULL: it is no string. */
struct span jspan_inside(struct span value);
/* The inside of a member that is a string. */
struct span jspan_text(struct span object, const char *name);
/* Does the string's inside say this, with its escapes resolved? */
bool jspan_says(struct span inside, const char *text);
/* Do both insides say the same? */
bool jspan_same(struct span inside, struct span other);
/* Is the member a string that says this? */
bool jspan_member_says(struct span object, const char *name, const char *text);

/* A number that is not negative, without its fraction; otherwise 0. */
uint64_t jspan_count(struct span value);
/* Is the object or array empty? */
bool jspan_is_empty(struct span value);

/* The value as written but on one line, without the blanks between its
 * parts.  For values that go into an event. */
void jspan_write(struct span value, struct buf *out);

#endif

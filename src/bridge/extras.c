/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how the pieces of a member become one value: a tree in one list.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/jput.h"
#include "base/jspan.h"
#include "bridge/extras.h"

/* Deeper values are kept as they come. */
#define DEPTH_MAX 8
/* Added to the bytes of each: quotes, colon, comma. */
#define AROUND 8
/* How far back an element is searched that another one continues. */
#define LOOK_BACK 32

struct extras_value {
	size_t first, last; /* that stand in it; 0: none */
	size_t next; /* to it, in what holds them; 0: none */
	size_t before; /* the other way */
	enum {
		VALUE_GONE, /* was too large; its key is remembered */
		VALUE_RAW,
		VALUE_TEXT,
		VALUE_OBJECT,
		VALUE_LIST
	} kind;
	struct buf key;
	struct buf text; /* raw; or the inside of a string */
};

void
extras_reset(struct extras *x)
{
	for (size_t i = 0; i < x->n; i++) {
		buf_free(&x->values[i].key);
		buf_free(&x->values[i].text);
	}
	x->n = x->bytes = 0;
	x->spilt = false;
}

void
extras_free(struct extras *x)
{
	extras_reset(x);
	free(x->values);
	memset(x, 0, sizeof(*x));
}

/* --- The tree --- */

/* Its place; 0: there is no room. */
static size_t
new_value(struct extras *x, size_t in, struct span key, int kind)
{
	struct extras_value *v;

	if (x->n == EXTRAS_VALUES_MAX ||
	    key.len + AROUND > EXTRAS_BYTES_MAX - x->bytes)
		return 0;
	if (x->n == x->size) {
		x->size = x->size == 0 ? 16 : x->size * 2;
		x->values =
		    memory_grow(x->values, x->size * sizeof(*x->values));
	}
	v = &x->values[x->n];
	memset(v, 0, sizeof(*v));
	v->kind = kind;
	buf_init(&v->key, EXTRAS_BYTES_MAX);
	buf_init(&v->text, EXTRAS_BYTES_MAX);
	buf_add(&v->key, key.p, key.len);
	x->bytes += key.len + AROUND;
	if (x->n > 0) {
		v->before = x->values[in].last;
		if (v->before == 0)
			x->values[in].first = x->n;
		else
			x->values[v->before].next = x->n;
		x->values[in].last = x->n;
	}
	return x->n++;
}

static size_t
find(const struct extras *x, size_t in, struct span key)
{
	size_t i = x->values[in].first;

	while (i != 0 && !span_eq(buf_span(&x->values[i].key), key))
		i = x->values[i].next;
	return i;
}

/* Its content is dropped, but keeps its room in the list. */
static void
empty(struct extras *x, size_t at)
{
	struct extras_value *v = &x->values[at];

	for (size_t i = v->first; i != 0; i = x->values[i].next) {
		empty(x, i);
		x->bytes -= x->values[i].key.len;
		buf_free(&x->values[i].key);
	}
	v->first = v->last = 0;
	x->bytes -= v->text.len;
	buf_free(&v->text);
}

/* --- Pieces --- */

static bool
is_one_of(struct span key, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_is(key, names[i]))
			return true;
	return false;
}

static bool
mentions(struct span key, const char *word)
{
	return key.len > 0 &&
	    memmem(key.p, key.len, word, strlen(word)) != NULL;
}

static bool
is_text(struct span key)
{
	static const char *const names[] = { "text", "thinking", "summary",
		"reasoning", "reasoning_content", "content" };

	return is_one_of(key, names, sizeof(names) / sizeof(*names));
}

/* The member that ends an element. */
static bool
is_seal(struct span key)
{
	return mentions(key, "signature") || mentions(key, "encrypted") ||
	    span_is(key, "data");
}

static bool
is_null(struct span value)
{
	return span_is(value, "null");
}

static bool
is_sealed(const struct extras *x, size_t at)
{
	for (size_t i = x->values[at].first; i != 0; i = x->values[i].next)
		if (is_seal(buf_span(&x->values[i].key)) &&
		    x->values[i].kind == VALUE_TEXT &&
		    x->values[i].text.len > 0)
			return true;
	return false;
}

/* The text of a member as it is kept: p NULL where there is none, or null. */
static struct span
kept(const struct extras *x, size_t at, const char *name)
{
	size_t i = find(x, at, span_of(name));

	if (i == 0 || is_null(buf_span(&x->values[i].text)))
		return (struct span){ NULL, 0 };
	return buf_span(&x->values[i].text);
}

static struct span
said(struct span element, const char *name)
{
	struct span value = jspan_member(element, name);

	return jspan_is_string(value) ? jspan_inside(value) : value;
}

static bool
goes_on(const struct extras *x, size_t at, struct span element)
{
	struct span id = kept(x, at, "id"), other = said(element, "id");

	return x->values[at].kind == VALUE_OBJECT &&
	    span_eq(kept(x, at, "type"), said(element, "type")) &&
	    span_eq(kept(x, at, "index"), said(element, "index")) &&
	    (id.len == 0 || other.len == 0 || span_eq(id, other)) &&
	    !is_sealed(x, at);
}

/* The element that it continues, among those up to `last`; without an index
 * only that one. */
static size_t
find_element(const struct extras *x, size_t last, struct span element)
{
	bool indexed = jspan_member(element, "index").p != NULL;
	size_t i = jspan_is_object(element) ? last : 0;

	for (int tries = indexed ? LOOK_BACK : 1; i != 0 && tries > 0;
	     tries--) {
		if (goes_on(x, i, element))
			return i;
		i = x->values[i].before;
	}
	return 0;
}

/* --- Adding --- */

static bool
put(struct extras *x, size_t at, struct span text)
{
	if (text.len > EXTRAS_BYTES_MAX - x->bytes)
		return false;
	buf_add(&x->values[at].text, text.p, text.len);
	x->bytes += text.len;
	return true;
}

/* Lists of anything else come whole. */
static bool
is_list(struct span value)
{
	struct jspan_walk w = jspan_walk(value);

	return jspan_is_array(value) &&
	    (!jspan_next(&w) || jspan_is_object(w.value));
}

static int
kind_of(struct span value, unsigned depth)
{
	if (jspan_is_string(value))
		return VALUE_TEXT;
	if (depth < DEPTH_MAX && jspan_is_object(value))
		return VALUE_OBJECT;
	return depth < DEPTH_MAX && is_list(value) ? VALUE_LIST : VALUE_RAW;
}

static bool add_value(struct extras *, size_t in, struct span key,
    struct span value, bool whole, unsigned depth);

static bool
add_members(
    struct extras *x, size_t at, struct span object, bool whole, unsigned depth)
{
	struct jspan_walk w = jspan_walk(object);

	while (jspan_next(&w))
		if (!add_value(x, at, w.key, w.value, whole, depth + 1))
			return false;
	return true;
}

static bool
add_elements(struct extras *x, size_t list, struct span array, bool whole,
    unsigned depth)
{
	struct jspan_walk w = jspan_walk(array);
	const struct span none = { NULL, 0 };
	size_t last = whole ? 0 : x->values[list].last, at;

	while (jspan_next(&w)) {
		at = find_element(x, last, w.value);
		if (at != 0
			? !add_members(x, at, w.value, whole, depth + 1)
			: !add_value(x, list, none, w.value, whole, depth + 1))
			return false;
	}
	return true;
}

static bool
add_raw(struct extras *x, size_t at, struct span value)
{
	struct buf line;
	bool fits;

	buf_init(&line, EXTRAS_BYTES_MAX);
	jspan_write(value, &line);
	empty(x, at);
	fits = !buf_failed(&line) && put(x, at, buf_span(&line));
	buf_free(&line);
	return fits;
}

static bool
add_text(struct extras *x, size_t at, struct span inside)
{
	if (inside.len == 0)
		return true;
	if (!is_text(buf_span(&x->values[at].key)))
		empty(x, at);
	return put(x, at, inside);
}

/* An element of a list has no key: it is always new.  False: no room. */
static bool
add_value(struct extras *x, size_t in, struct span key, struct span value,
    bool whole, unsigned depth)
{
	size_t at = key.p == NULL ? 0 : find(x, in, key);
	int kind = kind_of(value, depth);

	if (at != 0 && is_null(value))
		return true;
	if (at == 0 && (at = new_value(x, in, key, kind)) == 0)
		return false;
	if (x->values[at].kind == VALUE_GONE)
		return true;
	if ((int)x->values[at].kind != kind) {
		empty(x, at);
		x->values[at].kind = kind;
	}
	switch (kind) {
	case VALUE_OBJECT:
		return add_members(x, at, value, whole, depth);
	case VALUE_LIST:
		return add_elements(x, at, value, whole, depth);
	case VALUE_TEXT:
		return add_text(x, at, jspan_inside(value));
	default:
		return add_raw(x, at, value);
	}
}

void
extras_add(struct extras *x, struct span key, struct span value, bool whole)
{
	const struct span none = { NULL, 0 };
	size_t at;

	if (x->n == 0)
		new_value(x, 0, none, VALUE_OBJECT);
	if (add_value(x, 0, key, value, whole, 0))
		return;
	x->spilt = true;
	if ((at = find(x, 0, key)) != 0) {
		empty(x, at);
		x->values[at].kind = VALUE_GONE;
	}
}

/* --- Reading --- */

static bool
worth(const struct extras *x, size_t at, bool content)
{
	static const char *const plain[] = { "type", "id", "format", "index",
		"name", "role" };
	const struct extras_value *v = &x->values[at];
	struct span key = buf_span(&v->key);

	if (v->kind == VALUE_TEXT)
		return v->text.len > 0 &&
		    !is_one_of(key, plain, sizeof(plain) / sizeof(*plain)) &&
		    !(content && is_text(key));
	for (size_t i = v->first; i != 0; i = x->values[i].next)
		if (worth(x, i, content))
			return true;
	return false;
}

/* The first member; 0: there is none. */
static size_t
first_of(const struct extras *x)
{
	return x->n == 0 ? 0 : x->values[0].first;
}

bool
extras_empty(const struct extras *x)
{
	return first_of(x) == 0;
}

bool
extras_worth(const struct extras *x)
{
	for (size_t i = first_of(x); i != 0; i = x->values[i].next)
		if (worth(x, i,
			span_is(buf_span(&x->values[i].key), EXTRAS_CONTENT)))
			return true;
	return false;
}

static void
write_value(const struct extras *x, size_t at, struct buf *out)
{
	const struct extras_value *v = &x->values[at];
	bool object = v->kind == VALUE_OBJECT;

	if (v->kind == VALUE_RAW || v->kind == VALUE_TEXT) {
		buf_puts(out, v->kind == VALUE_TEXT ? "\"" : "");
		buf_add(out, v->text.p, v->text.len);
		buf_puts(out, v->kind == VALUE_TEXT ? "\"" : "");
		return;
	}
	buf_puts(out, object ? "{" : "[");
	for (size_t i = v->first; i != 0; i = x->values[i].next) {
		if (object)
			jput_key(out, buf_span(&x->values[i].key));
		else if (i != v->first)
			buf_puts(out, ",");
		write_value(x, i, out);
	}
	buf_puts(out, object ? "}" : "]");
}

bool
extras_member(const struct extras *x, const char *name, struct buf *out)
{
	size_t at = x->n == 0 ? 0 : find(x, 0, span_of(name));

	if (at == 0 || x->values[at].kind == VALUE_GONE)
		return false;
	write_value(x, at, out);
	return true;
}

void
extras_write(
    const struct extras *x, bool (*wanted)(struct span key), struct buf *out)
{
	for (size_t i = first_of(x); i != 0; i = x->values[i].next) {
		const struct extras_value *v = &x->values[i];

		if (v->kind == VALUE_GONE ||
		    (wanted != NULL && !wanted(buf_span(&v->key))))
			continue;
		jput_key(out, buf_span(&v->key));
		write_value(x, i, out);
	}
}

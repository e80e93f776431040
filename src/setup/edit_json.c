/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides where in a JSON text, with comments or without, a member is or
 * belongs, and how the members around it are laid out.
 */
#include "config.h"

#include <string.h>

#include "base/jspan.h"
#include "setup/edit.h"

#define BAD SIZE_MAX
#define DEPTH_MAX 64
#define BLANKS " \t\r\n"

struct json {
	struct span text;
	const char *nl;
	const char *why;
};

/* What an edit needs to know of an object. */
struct object {
	size_t open, close; /* of its braces */
	size_t nmembers;
	size_t first_key, last_end; /* the first key's start, the last value's
				       end */
	bool comma; /* after the last value */
	size_t value, value_end; /* of the member; value BAD: no such member */
};

static char
at(const struct json *j, size_t i)
{
	return i < j->text.len ? j->text.p[i] : '\0';
}

static bool
is_blank(char c)
{
	return c != '\0' && strchr(BLANKS, c) != NULL;
}

/* Skips blanks and comments; BAD: a comment does not end. */
static size_t
skip_blank(const struct json *j, size_t i)
{
	for (;;) {
		while (is_blank(at(j, i)))
			i++;
		if (at(j, i) != '/')
			return i;
		if (at(j, i + 1) == '/') {
			while (i < j->text.len && at(j, i) != '\n')
				i++;
		} else if (at(j, i + 1) == '*') {
			for (i += 2; at(j, i) != '*' || at(j, i + 1) != '/';
			     i++)
				if (i >= j->text.len)
					return BAD;
			i += 2;
		} else
			return i;
	}
}

static size_t
skip_string(const struct json *j, size_t i)
{
	for (i++; i < j->text.len; i++) {
		if (at(j, i) == '"')
			return i + 1;
		if (at(j, i) == '\n')
			return BAD;
		if (at(j, i) == '\\')
			i++;
	}
	return BAD;
}

static size_t
skip_scalar(const struct json *j, size_t i)
{
	size_t start = i;

	while (i < j->text.len && strchr(",:{}[]\"/" BLANKS, at(j, i)) == NULL)
		i++;
	return i > start ? i : BAD;
}

/* Skips an object or array, by its brackets. */
static size_t
skip_nest(const struct json *j, size_t i)
{
	char closers[DEPTH_MAX];
	size_t depth = 0;

	do {
		char c = at(j, i);

		if (c == '{' || c == '[') {
			if (depth == DEPTH_MAX)
				return BAD;
			closers[depth++] = c == '{' ? '}' : ']';
			i++;
		} else if (c == '}' || c == ']') {
			if (closers[--depth] != c)
				return BAD;
			i++;
		} else if (c == '"')
			i = skip_string(j, i);
		else if (c == ',' || c == ':')
			i++;
		else
			i = skip_scalar(j, i);
		if (i == BAD || depth == 0)
			return i;
		i = skip_blank(j, i);
	} while (i < j->text.len);
	return BAD;
}

static size_t
skip_value(const struct json *j, size_t i)
{
	switch (at(j, i)) {
	case '{':
	case '[':
		return skip_nest(j, i);
	case '"':
		return skip_string(j, i);
	default:
		return skip_scalar(j, i);
	}
}

/* Reads the object at i and finds the member of that name.  If there are
 * several, the last one counts, as for most parsers. */
static int
object_read(const struct json *j, size_t i, const char *name, struct object *o)
{
	*o = (struct object){ .open = i, .value = BAD, .comma = true };
	for (i = skip_blank(j, i + 1); at(j, i) == '"' && o->comma;
	     i = skip_blank(j, i)) {
		size_t key = i, key_end = skip_string(j, i), value;

		if (key_end == BAD)
			return -1;
		value = skip_blank(j, key_end);
		if (value == BAD || at(j, value) != ':')
			return -1;
		value = skip_blank(j, value + 1);
		if (value == BAD || (i = skip_value(j, value)) == BAD)
			return -1;
		o->first_key = o->nmembers++ == 0 ? key : o->first_key;
		o->last_end = i;
		if (jspan_key_is(
			(struct span){ j->text.p + key + 1, key_end - key - 2 },
			name)) {
			o->value = value;
			o->value_end = i;
		}
		if ((i = skip_blank(j, i)) == BAD)
			return -1;
		o->comma = at(j, i) == ',';
		i += o->comma;
	}
	o->close = i;
	return i != BAD && at(j, i) == '}' ? 0 : -1;
}

/* Counts the spaces and tabs from i on. */
static size_t
count_blanks(const struct json *j, size_t i)
{
	size_t n = 0;

	while (at(j, i + n) == ' ' || at(j, i + n) == '\t')
		n++;
	return n;
}

/* The blanks that the line of i begins with. */
static struct span
line_indent(const struct json *j, size_t i)
{
	size_t start = i;

	while (start > 0 && j->text.p[start - 1] != '\n')
		start--;
	return (struct span){ j->text.p + start, count_blanks(j, start) };
}

/* One level of indentation, as the file has it. */
static struct span
indent_unit(const struct json *j)
{
	for (size_t i = 0; i + 1 < j->text.len; i++) {
		size_t n;

		if (j->text.p[i] != '\n')
			continue;
		n = count_blanks(j, i + 1);
		if (n > 0 && at(j, i + 1 + n) == '"')
			return (struct span){ j->text.p + i + 1,
				j->text.p[i + 1] == '\t' ? 1 : n };
	}
	return span_of("  ");
}

/* ---- laying out ------------------------------------------------------- */

struct layout {
	const struct json *json;
	struct span base, unit;
	struct buf *out;
};

static void
put_line(const struct layout *l, size_t depth)
{
	buf_puts(l->out, l->json->nl);
	buf_add(l->out, l->base.p, l->base.len);
	while (depth-- > 0)
		buf_add(l->out, l->unit.p, l->unit.len);
}

/* Lays out a compact value: each member is on its own line, and so is each
 * object of an array. */
static void
put_value(const struct layout *l, const char *p)
{
	bool lines[DEPTH_MAX] = { false };
	size_t depth = 0;

	for (; *p != '\0'; p++) {
		bool opens = *p == '{' || *p == '[';

		if (*p == '"') {
			struct json in = { .text = span_of(p) };
			size_t n = skip_string(&in, 0);

			buf_add(l->out, p, n == BAD ? 1 : n);
			p += n == BAD ? 0 : n - 1;
			continue;
		}
		if ((*p == '}' || *p == ']') && lines[depth--])
			put_line(l, depth);
		buf_add(l->out, p, 1);
		if (opens && depth + 1 < DEPTH_MAX) {
			lines[++depth] = p[1] != '}' && p[1] != ']' &&
			    (*p == '{' || p[1] == '{' || p[1] == '[');
			if (lines[depth])
				put_line(l, depth);
		} else if (*p == ',') {
			if (lines[depth])
				put_line(l, depth);
			else
				buf_puts(l->out, " ");
		} else if (*p == ':')
			buf_puts(l->out, " ");
	}
}

/* Makes "key": value, with the objects that are still missing around the
 * value. */
static void
member_make(const struct edit *e, size_t from, struct buf *b)
{
	for (size_t i = from; i < e->nkeys; i++) {
		if (i > from)
			buf_puts(b, "{");
		buf_json(b, span_of(e->keys[i]));
		buf_puts(b, ":");
	}
	buf_puts(b, e->value);
	for (size_t i = from + 1; i < e->nkeys; i++)
		buf_puts(b, "}");
}

static void
put_text(const struct json *j, size_t from, size_t to, struct buf *out)
{
	buf_add(out, j->text.p + from, to - from);
}

/* The end of the last member or comment before the closing brace. */
static size_t
content_end(const struct json *j, const struct object *o)
{
	size_t end = o->close;

	while (is_blank(j->text.p[end - 1]))
		end--;
	return end;
}

static void
insert(const struct json *j, const struct object *o, const char *member,
    struct buf *out)
{
	struct span base = line_indent(j, o->open), own = base;
	struct layout l = { j, base, indent_unit(j), out };
	size_t end = content_end(j, o);
	bool lines = o->nmembers == 0 ||
	    memchr(j->text.p + o->open, '\n', o->first_key - o->open) != NULL;

	if (!lines) {
		put_text(j, 0, o->last_end, out);
		buf_puts(out, ", ");
		buf_puts(out, member);
		put_text(j, o->last_end, j->text.len, out);
		return;
	}
	if (o->nmembers == 0) {
		put_text(j, 0, end, out);
		put_line(&l, 1);
	} else {
		own = line_indent(j, o->first_key);
		put_text(j, 0, o->last_end, out);
		buf_puts(out, o->comma ? "" : ",");
		put_text(j, o->last_end, end, out);
		buf_puts(out, j->nl);
		buf_add(out, own.p, own.len);
	}
	l.base = own;
	if (o->nmembers == 0) {
		/* The member is one level deeper. */
		struct buf deeper;

		buf_init(&deeper, 4096);
		buf_add(&deeper, base.p, base.len);
		buf_add(&deeper, l.unit.p, l.unit.len);
		l.base = buf_span(&deeper);
		put_value(&l, member);
		buf_free(&deeper);
	} else
		put_value(&l, member);
	if (memchr(j->text.p + end, '\n', o->close - end) == NULL) {
		l.base = base;
		put_line(&l, 0);
		end = o->close;
	}
	put_text(j, end, j->text.len, out);
}

static void
replace(const struct json *j, const struct object *o, const char *value,
    struct buf *out)
{
	struct layout l = { j, line_indent(j, o->value), indent_unit(j), out };

	put_text(j, 0, o->value, out);
	put_value(&l, value);
	put_text(j, o->value_end, j->text.len, out);
}

/* ---- the edit --------------------------------------------------------- */

/* Finds the innermost object that is there; *depth keys lead to it. */
static int
descend(struct json *j, const struct edit *e, size_t top, struct object *o,
    size_t *depth)
{
	size_t i = top;

	for (*depth = 0;; (*depth)++) {
		if (at(j, i) != '{') {
			j->why = *depth == 0
			    ? "it is not a JSON object"
			    : "a value on the path is not an object";
			return -1;
		}
		if (object_read(j, i, e->keys[*depth], o) == -1) {
			j->why = "it is not JSON";
			return -1;
		}
		if (o->value == BAD || *depth + 1 == e->nkeys)
			return 0;
		i = o->value;
	}
}

int
edit_json(
    struct span text, const struct edit *e, struct buf *out, const char **why)
{
	struct json j = { text, edit_newline(text), NULL };
	struct buf member;
	struct object o;
	size_t top, end, depth;
	char fresh[8];

	top = text.len >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	top = skip_blank(&j, top);
	if (text.len == 0 || (top == text.len && text.len <= 2)) {
		strlcpy(fresh, "{}\n", sizeof(fresh));
		j.text = span_of(fresh);
		top = 0;
	}
	*why = "it is not JSON";
	if (top == BAD || (end = skip_value(&j, top)) == BAD ||
	    skip_blank(&j, end) != j.text.len)
		return -1;
	if (descend(&j, e, top, &o, &depth) == -1) {
		*why = j.why;
		return -1;
	}
	if (o.value != BAD && e->keep)
		put_text(&j, 0, j.text.len, out);
	else if (o.value != BAD)
		replace(&j, &o, e->value, out);
	else {
		buf_init(&member, 1 << 20);
		member_make(e, depth, &member);
		insert(&j, &o, member.p, out);
		buf_free(&member);
	}
	return 0;
}

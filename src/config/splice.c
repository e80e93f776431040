/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides libconfig's grammar: where a setting, its value and an element of a
 * list begin and end.
 */
#include "config.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/span.h"
#include "config/splice.h"

/* ---- Tokens ------------------------------------------------------------- */

enum kind { END, NAME, STRING, MARK, OTHER };

struct token {
	enum kind kind;
	const char *p;
	size_t len;
};

struct cursor {
	const char *p, *end;
};

static void
skip_blank(struct cursor *c)
{
	while (c->p < c->end) {
		const char *stop;

		if (isspace((unsigned char)*c->p)) {
			c->p++;
		} else if (*c->p == '#' ||
		    (*c->p == '/' && c->p + 1 < c->end && c->p[1] == '/')) {
			stop = memchr(c->p, '\n', (size_t)(c->end - c->p));
			c->p = stop == NULL ? c->end : stop;
		} else if (*c->p == '/' && c->p + 1 < c->end &&
		    c->p[1] == '*') {
			stop = memmem(
			    c->p + 2, (size_t)(c->end - c->p - 2), "*/", 2);
			c->p = stop == NULL ? c->end : stop + 2;
		} else
			return;
	}
}

static bool
is_mark(char c)
{
	return c != '\0' && strchr("=:;,(){}[]", c) != NULL;
}

/* Of a number, or of anything that is not a name. */
static bool
is_other(char c)
{
	return !isspace((unsigned char)c) && !is_mark(c) && c != '"' &&
	    c != '#' && c != '/';
}

static bool
is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '*';
}

static struct token
next(struct cursor *c)
{
	struct token t = { END, NULL, 0 };

	skip_blank(c);
	t.p = c->p;
	if (c->p == c->end)
		return t;
	if (*c->p == '"') {
		t.kind = STRING;
		for (c->p++; c->p < c->end && *c->p != '"'; c->p++)
			c->p += *c->p == '\\' && c->p + 1 < c->end;
		c->p += c->p < c->end;
	} else if (is_mark(*c->p)) {
		t.kind = MARK;
		c->p++;
	} else {
		t.kind = isalpha((unsigned char)*c->p) || *c->p == '*' ? NAME
								       : OTHER;
		while (c->p < c->end &&
		    (is_name(*c->p) || (t.kind == OTHER && is_other(*c->p))))
			c->p++;
		if (c->p == t.p)
			c->p++;
	}
	t.len = (size_t)(c->p - t.p);
	return t;
}

static struct token
peek(const struct cursor *c)
{
	struct cursor ahead = *c;

	return next(&ahead);
}

static bool
is(struct token t, char mark)
{
	return t.kind == MARK && *t.p == mark;
}

/* The end of a value: a whole bracket, adjacent strings, or one word. */
static bool
skip_value(struct cursor *c)
{
	struct token t = next(c);
	unsigned depth = 1;

	if (t.kind == STRING)
		while (peek(c).kind == STRING)
			next(c);
	if (t.kind != MARK)
		return t.kind != END;
	if (!is(t, '(') && !is(t, '[') && !is(t, '{'))
		return false;
	while (depth > 0) {
		t = next(c);
		if (t.kind == END)
			return false;
		if (is(t, '(') || is(t, '[') || is(t, '{'))
			depth++;
		else if (is(t, ')') || is(t, ']') || is(t, '}'))
			depth--;
	}
	return true;
}

/* ---- Settings and elements ---------------------------------------------- */

struct setting {
	struct span name;
	const char *value, *value_end;
	const char *end; /* after its semicolon or comma, if it has one */
};

/* false: there is no other one. */
static bool
next_setting(struct cursor *c, struct setting *s)
{
	struct token t = next(c);

	while (t.kind == OTHER &&
	    span_is((struct span){ t.p, t.len }, "@include")) {
		next(c);
		t = next(c);
	}
	if (t.kind != NAME)
		return false;
	s->name = (struct span){ t.p, t.len };
	t = next(c);
	if (!is(t, '=') && !is(t, ':'))
		return false;
	skip_blank(c);
	s->value = c->p;
	if (!skip_value(c))
		return false;
	s->value_end = s->end = c->p;
	t = peek(c);
	if (is(t, ';') || is(t, ',')) {
		next(c);
		s->end = c->p;
	}
	return true;
}

/* Among those of the text between two places. */
static bool
find_setting(struct cursor in, struct span name, struct setting *s)
{
	while (next_setting(&in, s))
		if (span_eq(s->name, name))
			return true;
	return false;
}

/* What is between the brackets of a value. */
static struct cursor
inside(const struct setting *s)
{
	return (struct cursor){ s->value + 1, s->value_end - 1 };
}

static struct cursor
whole(const struct buf *text)
{
	return (struct cursor){ text->p, text->p + text->len };
}

static bool
find_list(const struct buf *text, const char *name, struct setting *s)
{
	return text->len > 0 && find_setting(whole(text), span_of(name), s) &&
	    *s->value == '(';
}

/* The element from its first byte to its last. */
static bool
find_element(const struct setting *list, size_t at, struct cursor *element)
{
	struct cursor c = inside(list);

	for (size_t i = 0;; i++) {
		skip_blank(&c);
		element->p = c.p;
		if (!skip_value(&c))
			return false;
		element->end = c.p;
		if (i == at)
			return true;
		if (!is(next(&c), ','))
			return false;
	}
}

/* ---- Splices ------------------------------------------------------------ */

static void
replace(
    struct buf *text, const char *from, const char *to, const struct buf *with)
{
	struct buf out;

	buf_init(&out, text->max_bytes);
	buf_add(&out, text->p, (size_t)(from - text->p));
	if (with != NULL)
		buf_add(&out, with->p, with->len);
	buf_add(&out, to, (size_t)(text->p + text->len - to));
	buf_free(text);
	*text = out;
}

/* Removes the blanks before it too, and its line if nothing else is on it. */
static void
cut(struct buf *text, const char *from, const char *to)
{
	const char *begin = text->p, *end = text->p + text->len, *after = to;

	while (from > begin && (from[-1] == ' ' || from[-1] == '\t'))
		from--;
	while (after < end && (*after == ' ' || *after == '\t'))
		after++;
	if (from > begin && from[-1] == '\n' &&
	    (after == end || *after == '\n')) {
		from--;
		to = after;
	}
	replace(text, from, to, NULL);
}

/* The blanks with which the line of p begins, with its newline; a space if
 * something else is before p on it. */
static struct span
indent_of(const struct buf *text, const char *p)
{
	const char *line = p;

	while (line > text->p && (line[-1] == ' ' || line[-1] == '\t'))
		line--;
	if (line == text->p || line[-1] != '\n')
		return span_of(" ");
	return (struct span){ line - 1, (size_t)(p - line + 1) };
}

/* name = value; after the last setting of a group. */
static void
append_setting(
    struct buf *text, struct cursor group, struct span name, const char *value)
{
	struct setting s, last = { .end = NULL };
	struct cursor c = group;
	struct buf with;
	struct span indent = span_of(" ");
	const char *at = group.p;

	while (next_setting(&c, &s))
		last = s;
	buf_init(&with, text->max_bytes);
	if (last.end != NULL) {
		at = last.end;
		indent = indent_of(text, last.name.p);
		if (last.end == last.value_end)
			buf_puts(&with, ";");
	}
	buf_add(&with, indent.p, indent.len);
	buf_add(&with, name.p, name.len);
	buf_printf(&with, " = %s;", value);
	if (last.end == NULL)
		buf_puts(&with, " ");
	replace(text, at, at, &with);
	buf_free(&with);
}

static int
set_in(
    struct buf *text, struct cursor group, const char *path, const char *value)
{
	const char *dot = strchr(path, '.');
	struct span name = dot == NULL
	    ? span_of(path)
	    : (struct span){ path, (size_t)(dot - path) };
	struct setting s;
	struct buf with;
	bool found = find_setting(group, name, &s);

	if (found && dot != NULL)
		return *s.value == '{'
		    ? set_in(text, inside(&s), dot + 1, value)
		    : -1;
	if (value == NULL) {
		if (found)
			cut(text, s.name.p, s.end);
		return 0;
	}
	buf_init(&with, text->max_bytes);
	if (dot != NULL)
		buf_printf(&with, "{ %s = %s; }", dot + 1, value);
	else
		buf_puts(&with, value);
	if (found)
		replace(text, s.value, s.value_end, &with);
	else
		append_setting(text, group, name, with.p);
	buf_free(&with);
	return 0;
}

int
splice_set(struct buf *text, const char *name, size_t at, const char *path,
    const char *value)
{
	struct setting list;
	struct cursor element;

	if (!find_list(text, name, &list) ||
	    !find_element(&list, at, &element) || *element.p != '{')
		return -1;
	element.p++;
	element.end--;
	if (set_in(text, element, path, value) == -1)
		return -1;
	return buf_failed(text) ? -1 : 0;
}

/* A list at the end of the file. */
static void
append_list(struct buf *text, const char *name, const char *body)
{
	if (text->len > 0 && text->p[text->len - 1] != '\n')
		buf_puts(text, "\n");
	buf_printf(text, "%s = (\n  { %s }\n);\n", name, body);
}

int
splice_add(struct buf *text, const char *name, const char *body)
{
	struct setting list;
	struct cursor element, last = { NULL, NULL };
	struct buf with;
	const char *at;
	size_t n = 0;

	if (text->len == 0 ||
	    !find_setting(whole(text), span_of(name), &list)) {
		append_list(text, name, body);
		return buf_failed(text) ? -1 : 0;
	}
	if (*list.value != '(')
		return -1;
	for (; find_element(&list, n, &element); n++)
		last = element;
	buf_init(&with, text->max_bytes);
	if (n == 0) {
		at = list.value + 1;
		buf_printf(&with, "\n  { %s }", body);
		if (list.value_end - list.value <= 3)
			buf_puts(&with, "\n");
	} else {
		struct span indent = indent_of(text, last.p);

		at = last.end;
		buf_puts(&with, ",");
		if (*indent.p == ' ')
			indent = span_of("\n  ");
		buf_add(&with, indent.p, indent.len);
		buf_printf(&with, "{ %s }", body);
	}
	replace(text, at, at, &with);
	buf_free(&with);
	return buf_failed(text) ? -1 : 0;
}

int
splice_remove(struct buf *text, const char *name, size_t at)
{
	struct setting list;
	struct cursor element, before, after;
	struct token t;
	size_t comma;

	if (!find_list(text, name, &list) || !find_element(&list, at, &element))
		return -1;
	after = (struct cursor){ element.end, list.value_end - 1 };
	t = next(&after);
	if (is(t, ',')) {
		/* Its own comma, which may come after a comment. */
		cut(text, t.p, t.p + 1);
	} else if (at > 0 && find_element(&list, at - 1, &before)) {
		after = (struct cursor){ before.end, element.p };
		t = next(&after);
		/* From the end, so that the earlier places stay right. */
		comma = (size_t)(t.p - text->p);
		cut(text, element.p, element.end);
		cut(text, text->p + comma, text->p + comma + 1);
		return buf_failed(text) ? -1 : 0;
	}
	if (!find_list(text, name, &list) || !find_element(&list, at, &element))
		return -1;
	cut(text, element.p, element.end);
	return buf_failed(text) ? -1 : 0;
}

void
splice_quote(struct buf *out, const char *text)
{
	buf_puts(out, "\"");
	for (; *text != '\0'; text++)
		if (*text == '"' || *text == '\\')
			buf_printf(out, "\\%c", *text);
		else if ((unsigned char)*text < 0x20 || *text == 0x7f)
			buf_printf(out, "\\x%02x", (unsigned char)*text);
		else
			buf_add(out, text, 1);
	buf_puts(out, "\"");
}

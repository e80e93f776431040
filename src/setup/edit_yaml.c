/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a YAML text is divided into lines of block mappings.  Flow style,
 * tabs and several documents are refused if an edit would have to go into them.
 */
#include "config.h"

#include <string.h>

#include "setup/edit.h"

#define BEGIN "# tailgate setup: begin"
#define END "# tailgate setup: end"
#define NONE SIZE_MAX

/* Whole lines, start to end, of one mapping. */
struct region {
	size_t start, end;
	size_t indent; /* of its keys; NONE: it has none yet */
};

struct yaml {
	struct span text;
	const char *nl, *why;
};

static size_t
next_line(const struct yaml *y, size_t i)
{
	const char *nl = memchr(y->text.p + i, '\n', y->text.len - i);

	return nl == NULL ? y->text.len : (size_t)(nl - y->text.p) + 1;
}

/* The line without its end. */
static struct span
line_at(const struct yaml *y, size_t i)
{
	struct span line = { y->text.p + i, next_line(y, i) - i };

	while (line.len > 0 && strchr("\r\n", line.p[line.len - 1]) != NULL)
		line.len--;
	return line;
}

static size_t
indent_of(struct span line)
{
	size_t i = 0;

	while (i < line.len && line.p[i] == ' ')
		i++;
	return i;
}

static bool
starts(struct span line, const char *with)
{
	size_t i = indent_of(line), n = strlen(with);

	return line.len >= i + n && memcmp(line.p + i, with, n) == 0;
}

/* Not blank, and not a comment alone. */
static bool
is_content(struct span line)
{
	size_t i = indent_of(line);

	return i < line.len && line.p[i] != '#';
}

static bool
is_item(struct span line)
{
	size_t i = indent_of(line);

	return i < line.len && line.p[i] == '-' &&
	    (i + 1 == line.len || line.p[i + 1] == ' ');
}

/* Where the value of `key:` begins on the line; NONE: it is another line. */
static size_t
key_value(struct span line, const char *key)
{
	size_t i = indent_of(line), n = strlen(key);
	char quote = i < line.len ? line.p[i] : '\0';
	bool quoted = quote == '"' || quote == '\'';

	i += quoted;
	if (line.len < i + n || memcmp(line.p + i, key, n) != 0)
		return NONE;
	i += n;
	if (quoted && (i == line.len || line.p[i++] != quote))
		return NONE;
	while (i < line.len && line.p[i] == ' ')
		i++;
	if (i == line.len || line.p[i] != ':' ||
	    (i + 1 < line.len && line.p[i + 1] != ' '))
		return NONE;
	for (i++; i < line.len && line.p[i] == ' '; i++)
		;
	return i;
}

/* Where a value on its line ends, before a comment. */
static size_t
value_end(struct span line, size_t i)
{
	char quote = i < line.len ? line.p[i] : '\0';
	size_t end;

	if (quote == '"' || quote == '\'') {
		for (i++; i < line.len && line.p[i] != quote; i++)
			if (line.p[i] == '\\' && quote == '"')
				i++;
		return i < line.len ? i + 1 : line.len;
	}
	for (end = i; end < line.len; end++)
		if (line.p[end] == '#' && (end == i || line.p[end - 1] == ' '))
			break;
	while (end > i && line.p[end - 1] == ' ')
		end--;
	return end;
}

/* Finds the mapping of the whole text, or says why there is none to edit. */
static int
document(struct yaml *y, struct region *r)
{
	bool begun = false;

	*r = (struct region){ 0, y->text.len, NONE };
	for (size_t i = 0; i < y->text.len; i = next_line(y, i)) {
		struct span line = line_at(y, i);

		if (indent_of(line) < line.len &&
		    line.p[indent_of(line)] == '\t') {
			y->why = "it is indented by tabs";
			return -1;
		}
		if (!is_content(line) || *line.p == '%')
			continue;
		if (line.len >= 3 &&
		    (memcmp(line.p, "---", 3) == 0 ||
			memcmp(line.p, "...", 3) == 0)) {
			if (begun) {
				y->why = "it has several documents";
				return -1;
			}
			r->start = next_line(y, i);
			continue;
		}
		if (!begun &&
		    (is_item(line) ||
			strchr("{[|>&*!", line.p[indent_of(line)]) != NULL)) {
			y->why = "it is not a block of `key: value` lines";
			return -1;
		}
		if (!begun)
			r->indent = indent_of(line);
		begun = true;
	}
	return 0;
}

/* Finds the key in the mapping.  Its lines are *at; the value begins at *value
 * in the first of them. */
static bool
find(const struct yaml *y, const struct region *r, const char *key,
    struct region *at, size_t *value)
{
	bool found = false;

	for (size_t i = r->start; i < r->end; i = next_line(y, i)) {
		struct span line = line_at(y, i);
		size_t indent = indent_of(line);

		if (found && starts(line, END) && indent >= r->indent) {
			at->end = next_line(y, i);
			continue;
		}
		if (!is_content(line))
			continue;
		if (found &&
		    (indent > r->indent ||
			(indent == r->indent && is_item(line)))) {
			if (at->indent == NONE)
				at->indent = indent;
			at->end = next_line(y, i);
			continue;
		}
		if (found)
			return true;
		if (indent != r->indent ||
		    (*value = key_value(line, key)) == NONE)
			continue;
		found = true;
		*at = (struct region){ i, next_line(y, i), NONE };
	}
	return found;
}

static void
put_text(const struct yaml *y, size_t from, size_t to, struct buf *out)
{
	buf_add(out, y->text.p + from, to - from);
	if (to > from && y->text.p[to - 1] != '\n')
		buf_puts(out, y->nl);
}

static void
put_spaces(struct buf *out, size_t n)
{
	while (n-- > 0)
		buf_puts(out, " ");
}

/* Writes a plain name, or one in quotes. */
static void
put_key(struct buf *out, const char *key)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	if (key[0] != '\0' && key[0] != '-' && key[strspn(key, plain)] == '\0')
		buf_puts(out, key);
	else
		buf_json(out, span_of(key));
}

/* Writes the lines of a list between our two comments. */
static void
put_items(
    const struct yaml *y, const char *items, size_t indent, struct buf *out)
{
	put_spaces(out, indent);
	buf_puts(out, BEGIN);
	buf_puts(out, y->nl);
	while (*items != '\0') {
		size_t n = strcspn(items, "\n");

		put_spaces(out, indent);
		buf_add(out, items, n);
		buf_puts(out, y->nl);
		items += items[n] == '\n' ? n + 1 : n;
	}
	put_spaces(out, indent);
	buf_puts(out, END);
	buf_puts(out, y->nl);
}

/* Adds the missing keys of the path and the value, as new lines at a mapping's
 * end. */
static void
append(const struct yaml *y, const struct region *r, const struct edit *e,
    size_t from, bool list, struct buf *out)
{
	size_t indent = r->indent == NONE ? 0 : r->indent;

	put_text(y, 0, r->end, out);
	for (size_t i = from; i < e->nkeys; i++, indent += 2) {
		put_spaces(out, indent);
		put_key(out, e->keys[i]);
		buf_puts(out, ":");
		if (i + 1 == e->nkeys && !list) {
			buf_puts(out, " ");
			buf_puts(out, e->value);
		}
		buf_puts(out, y->nl);
	}
	if (list)
		put_items(y, e->value, indent, out);
	put_text(y, r->end, y->text.len, out);
}

static void
replace(const struct yaml *y, const struct region *at, size_t value,
    const char *text, struct buf *out)
{
	struct span line = line_at(y, at->start);
	size_t end = value_end(line, value), first = next_line(y, at->start);

	if (value < line.len && strchr("|>", line.p[value]) != NULL)
		end = line.len;
	buf_add(out, y->text.p, at->start + value);
	if (line.p[value - 1] == ':')
		buf_puts(out, " ");
	buf_puts(out, text);
	if (end == value && end < line.len)
		buf_puts(out, " "); /* before a comment */
	buf_add(out, y->text.p + at->start + end, first - at->start - end);
	/* The lines below the old value are left out. */
	buf_add(out, y->text.p + at->end, y->text.len - at->end);
}

static int
list_edit(struct yaml *y, const struct region *parent, const struct region *at,
    size_t value, const struct edit *e, struct buf *out)
{
	struct span line = line_at(y, at->start);
	struct span inside = { line.p + value, value_end(line, value) - value };
	size_t first = next_line(y, at->start), begin = NONE, end = NONE;
	size_t indent = at->indent == NONE ? parent->indent + 2 : at->indent;

	if (inside.len > 0 && !span_is(inside, "[]")) {
		y->why = "the list is written in one line";
		return -1;
	}
	for (size_t i = first; i < at->end; i = next_line(y, i)) {
		line = line_at(y, i);
		if (begin == NONE && starts(line, BEGIN))
			begin = i;
		if (starts(line, END))
			end = next_line(y, i);
	}
	if (begin == NONE || end == NONE)
		begin = end = at->end;
	if (begin < first)
		begin = end = first;
	buf_add(out, y->text.p, at->start + value);
	buf_add(out, y->text.p + at->start + value + inside.len,
	    first - at->start - value - inside.len);
	put_text(y, first, begin, out);
	if (out->p[out->len - 1] != '\n')
		buf_puts(out, y->nl);
	put_items(y, e->value, indent, out);
	buf_add(out, y->text.p + end, y->text.len - end);
	return 0;
}

static int
edit_at(struct span text, const struct edit *e, bool list, struct buf *out,
    const char **why)
{
	struct yaml y = { text, edit_newline(text), NULL };
	struct region r, at = { 0, 0, NONE };
	size_t value = 0, depth;

	if (document(&y, &r) == -1) {
		*why = y.why;
		return -1;
	}
	for (depth = 0; depth < e->nkeys; depth++) {
		struct span line;

		if (r.indent == NONE ||
		    !find(&y, &r, e->keys[depth], &at, &value))
			break;
		if (depth + 1 == e->nkeys && e->keep) {
			buf_add(out, text.p, text.len);
			return 0;
		}
		if (depth + 1 == e->nkeys && list) {
			int rc = list_edit(&y, &r, &at, value, e, out);

			*why = y.why;
			return rc;
		}
		if (depth + 1 == e->nkeys) {
			replace(&y, &at, value, e->value, out);
			return 0;
		}
		line = line_at(&y, at.start);
		if (value_end(line, value) > value) {
			*why = "a value on the path is not a block";
			return -1;
		}
		if (at.indent == NONE)
			at.indent = r.indent + 2;
		r = at;
	}
	append(&y, &r, e, depth, list, out);
	return 0;
}

int
edit_yaml(
    struct span text, const struct edit *e, struct buf *out, const char **why)
{
	return edit_at(text, e, false, out, why);
}

int
edit_yaml_list(
    struct span text, const struct edit *e, struct buf *out, const char **why)
{
	return edit_at(text, e, true, out, why);
}

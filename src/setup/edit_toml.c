/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a TOML text is divided into tables and pairs, with strings and
 * arrays of many lines.
 */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "setup/edit.h"

#define PATH_MAX_BYTES 512
#define BLANKS " \t"

enum kind {
	KIND_END,
	KIND_EMPTY,
	KIND_TABLE,
	KIND_TABLES,
	KIND_PAIR,
	KIND_BAD
};

/* Keys of a path, each ended by a byte that no key has. */
struct path {
	char text[PATH_MAX_BYTES];
	size_t len;
};

struct statement {
	enum kind kind;
	size_t start, end; /* whole lines, the newline included */
	struct path path; /* of a table, or of a pair within its table */
	size_t value, value_end;
};

static char
at(struct span t, size_t i)
{
	return i < t.len ? t.p[i] : '\0';
}

static size_t
skip(struct span t, size_t i, const char *set)
{
	while (i < t.len && strchr(set, t.p[i]) != NULL)
		i++;
	return i;
}

static bool
path_add(struct path *p, struct span key)
{
	if (key.len + 1 > sizeof(p->text) - p->len)
		return false;
	if (key.len > 0)
		memcpy(p->text + p->len, key.p, key.len);
	p->len += key.len;
	p->text[p->len++] = '\x1f';
	return true;
}

static bool
path_is(const struct path *a, const struct path *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static bool
path_begins(const struct path *p, const struct path *with)
{
	return p->len >= with->len &&
	    memcmp(p->text, with->text, with->len) == 0;
}

/* Skips a string on one line.  Returns its end, or 0. */
static size_t
skip_quoted(struct span t, size_t i)
{
	char quote = t.p[i];

	for (i++; i < t.len && t.p[i] != '\n'; i++) {
		if (t.p[i] == quote)
			return i + 1;
		if (t.p[i] == '\\' && quote == '"')
			i++;
	}
	return 0;
}

/* Skips any string. */
static size_t
skip_string(struct span t, size_t i)
{
	char quote = t.p[i];

	if (at(t, i + 1) != quote || at(t, i + 2) != quote)
		return skip_quoted(t, i);
	for (i += 3; i < t.len; i++) {
		if (t.p[i] == '\\' && quote == '"')
			i++;
		else if (t.p[i] == quote && at(t, i + 1) == quote &&
		    at(t, i + 2) == quote)
			/* Up to two more quotes may belong to the string. */
			return skip(t, i + 3, quote == '"' ? "\"" : "'");
	}
	return 0;
}

/* Skips an array or inline table. */
static size_t
skip_nest(struct span t, size_t i)
{
	int depth = 0;

	for (; i < t.len; i++) {
		if (t.p[i] == '"' || t.p[i] == '\'') {
			if ((i = skip_string(t, i)) == 0)
				return 0;
			i--;
		} else if (t.p[i] == '#') {
			while (i < t.len && t.p[i] != '\n')
				i++;
		} else if (t.p[i] == '[' || t.p[i] == '{')
			depth++;
		else if ((t.p[i] == ']' || t.p[i] == '}') && --depth == 0)
			return i + 1;
	}
	return 0;
}

static size_t
skip_value(struct span t, size_t i)
{
	size_t start = i;

	if (at(t, i) == '"' || at(t, i) == '\'')
		return skip_string(t, i);
	if (at(t, i) == '[' || at(t, i) == '{')
		return skip_nest(t, i);
	while (i < t.len && strchr("#\r\n", t.p[i]) == NULL)
		i++;
	while (i > start && strchr(BLANKS, t.p[i - 1]) != NULL)
		i--;
	return i > start ? i : 0;
}

/* Reads a dotted key.  Returns its end, or 0.  Escapes in a quoted key are not
 * decoded: no key of ours has one. */
static size_t
read_key(struct span t, size_t i, struct path *path)
{
	for (;;) {
		size_t start = i;
		struct span key;

		if (at(t, i) == '"' || at(t, i) == '\'') {
			if ((i = skip_quoted(t, i)) == 0)
				return 0;
			key = (struct span){ t.p + start + 1, i - start - 2 };
		} else {
			while (isalnum((unsigned char)at(t, i)) ||
			    at(t, i) == '_' || at(t, i) == '-')
				i++;
			key = (struct span){ t.p + start, i - start };
			if (key.len == 0)
				return 0;
		}
		if (!path_add(path, key))
			return 0;
		i = skip(t, i, BLANKS);
		if (at(t, i) != '.')
			return i;
		i = skip(t, i + 1, BLANKS);
	}
}

/* The start of the next line; 0: more than a comment follows. */
static size_t
line_end(struct span t, size_t i)
{
	i = skip(t, i, BLANKS "\r");
	if (at(t, i) == '#')
		while (i < t.len && t.p[i] != '\n')
			i++;
	if (i < t.len && t.p[i] != '\n')
		return 0;
	return i < t.len ? i + 1 : i;
}

static enum kind
read_header(struct span t, size_t i, struct statement *s)
{
	bool many = at(t, i + 1) == '[';

	i = read_key(t, skip(t, i + 1 + many, BLANKS), &s->path);
	if (i == 0 || at(t, i) != ']' || (many && at(t, i + 1) != ']'))
		return KIND_BAD;
	s->end = line_end(t, i + 1 + many);
	return s->end == 0 ? KIND_BAD : many ? KIND_TABLES : KIND_TABLE;
}

static enum kind
read_pair(struct span t, size_t i, struct statement *s)
{
	i = read_key(t, i, &s->path);
	if (i == 0 || at(t, i) != '=')
		return KIND_BAD;
	s->value = skip(t, i + 1, BLANKS);
	s->value_end = skip_value(t, s->value);
	if (s->value_end == 0 || (s->end = line_end(t, s->value_end)) == 0)
		return KIND_BAD;
	return KIND_PAIR;
}

static enum kind
read_statement(struct span t, size_t start, struct statement *s)
{
	size_t i = skip(t, start, BLANKS "\r");

	*s = (struct statement){ .start = start };
	if (start >= t.len)
		s->kind = KIND_END;
	else if (i >= t.len || at(t, i) == '\n' || at(t, i) == '#') {
		s->end = line_end(t, i);
		s->kind = KIND_EMPTY;
	} else if (at(t, i) == '[')
		s->kind = read_header(t, i, s);
	else
		s->kind = read_pair(t, i, s);
	return s->kind;
}

/* ---- the edit --------------------------------------------------------- */

struct toml {
	struct span text;
	struct path table, want; /* the pair's table, and its whole path */
	struct statement found; /* KIND_PAIR: it is there */
	bool table_seen;
	bool dotted; /* dotted keys of another table make it */
	size_t table_end; /* after the table's last pair, or its header */
};

static const char *
look(struct toml *t)
{
	struct path here = { .len = 0 };
	bool listed = false; /* inside an array of tables */
	struct statement s;
	size_t i;

	for (i = 0; read_statement(t->text, i, &s) != KIND_END; i = s.end) {
		struct path whole = here;

		if (s.kind == KIND_BAD)
			return "it is not TOML";
		if (s.kind == KIND_TABLE || s.kind == KIND_TABLES) {
			here = s.path;
			listed = s.kind == KIND_TABLES;
			if (listed && path_begins(&t->want, &here))
				return "a table on the path is an array of "
				       "tables";
		}
		if (s.kind == KIND_PAIR && !listed) {
			if (!path_add(&whole,
				(struct span){ s.path.text, s.path.len - 1 }))
				continue;
			if (path_is(&whole, &t->want))
				t->found = s;
			else if (path_begins(&t->want, &whole))
				return "a table on the path is written in one "
				       "line";
			else if (path_begins(&whole, &t->table) &&
			    !path_begins(&here, &t->table))
				t->dotted = true;
		}
		if ((s.kind == KIND_PAIR || s.kind == KIND_TABLE) && !listed &&
		    path_is(&here, &t->table)) {
			t->table_seen = true;
			t->table_end = s.end;
		}
	}
	return t->dotted && !t->table_seen && t->found.kind != KIND_PAIR
	    ? "a table on the path is made by dotted keys"
	    : NULL;
}

/* Writes a bare key, or one in quotes. */
static void
put_key(struct buf *out, const char *key)
{
	size_t i = 0;

	while (isalnum((unsigned char)key[i]) || key[i] == '_' || key[i] == '-')
		i++;
	if (key[0] != '\0' && key[i] == '\0')
		buf_puts(out, key);
	else
		buf_json(out, span_of(key));
}

static void
put_pair(struct buf *out, const struct edit *e, const char *nl)
{
	put_key(out, e->keys[e->nkeys - 1]);
	buf_puts(out, " = ");
	buf_puts(out, e->value);
	buf_puts(out, nl);
}

static void
put_header(struct buf *out, const struct edit *e, const char *nl)
{
	buf_puts(out, "[");
	for (size_t i = 0; i + 1 < e->nkeys; i++) {
		buf_puts(out, i > 0 ? "." : "");
		put_key(out, e->keys[i]);
	}
	buf_puts(out, "]");
	buf_puts(out, nl);
}

/* Writes the text up to a place, and ends its last line. */
static void
put_before(struct buf *out, struct span text, size_t end, const char *nl)
{
	buf_add(out, text.p, end);
	if (end > 0 && text.p[end - 1] != '\n')
		buf_puts(out, nl);
}

static void
insert(const struct toml *t, const struct edit *e, struct buf *out)
{
	const char *nl = edit_newline(t->text);
	size_t end = t->table_end;

	if (t->table_seen) {
		put_before(out, t->text, end, nl);
		put_pair(out, e, nl);
	} else if (e->nkeys == 1) {
		/* Before all tables: only there is the top level. */
		end = 0;
		put_pair(out, e, nl);
		if (t->text.len > 0 && t->text.p[0] == '[')
			buf_puts(out, nl);
	} else {
		end = t->text.len;
		put_before(out, t->text, end, nl);
		if (end > 0)
			buf_puts(out, nl);
		put_header(out, e, nl);
		put_pair(out, e, nl);
	}
	buf_add(out, t->text.p + end, t->text.len - end);
}

int
edit_toml(
    struct span text, const struct edit *e, struct buf *out, const char **why)
{
	struct toml t = { .text = text };

	for (size_t i = 0; i < e->nkeys; i++)
		if (!path_add(&t.want, span_of(e->keys[i])) ||
		    (i + 1 < e->nkeys &&
			!path_add(&t.table, span_of(e->keys[i])))) {
			*why = "a name is too long";
			return -1;
		}
	if ((*why = look(&t)) != NULL)
		return -1;
	if (e->value == NULL) {
		/* If there is no such pair, nothing is left out. */
		buf_add(out, text.p, t.found.start);
		buf_add(out, text.p + t.found.end, text.len - t.found.end);
	} else if (t.found.kind == KIND_PAIR && e->keep)
		buf_add(out, text.p, text.len);
	else if (t.found.kind == KIND_PAIR) {
		buf_add(out, text.p, t.found.value);
		buf_puts(out, e->value);
		buf_add(out, text.p + t.found.value_end,
		    text.len - t.found.value_end);
	} else
		insert(&t, e, out);
	return 0;
}

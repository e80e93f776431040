/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a JSON value is skipped without being read: a string up to its
 * closing quote, a container by its brackets.  Every value is passed once on
 * each level that is walked, texts at the speed of memchr().
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/jspan.h"
#include "base/memory.h"

static const char *
skip_blank(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

/* p after the opening quote; the byte after the closing one. */
static const char *
skip_string(const char *p, const char *end)
{
	const char *from = p, *quote, *slash;

	while ((quote = memchr(p, '"', (size_t)(end - p))) != NULL) {
		for (slash = quote; slash > from && slash[-1] == '\\';)
			slash--;
		p = quote + 1;
		if ((quote - slash) % 2 == 0)
			return p;
		from = p;
	}
	return end;
}

/* p at the opening bracket; the byte after the closing one. */
static const char *
skip_container(const char *p, const char *end)
{
	size_t depth = 0;

	while (p < end) {
		switch (*p++) {
		case '"':
			p = skip_string(p, end);
			break;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			if (--depth == 0)
				return p;
			break;
		default:
			break;
		}
	}
	return end;
}

static const char *
skip_value(const char *p, const char *end)
{
	if (p == end)
		return end;
	if (*p == '"')
		return skip_string(p + 1, end);
	if (*p == '{' || *p == '[')
		return skip_container(p, end);
	while (p < end && *p != ',' && *p != '}' && *p != ']' && *p != ' ' &&
	    *p != '\n' && *p != '\r' && *p != '\t')
		p++;
	return p;
}

static bool
begins(struct span value, char c)
{
	return value.p != NULL && value.len > 0 && value.p[0] == c;
}

bool
jspan_is_object(struct span value)
{
	return begins(value, '{');
}

bool
jspan_is_array(struct span value)
{
	return begins(value, '[');
}

bool
jspan_is_string(struct span value)
{
	return begins(value, '"');
}

bool
jspan_is_true(struct span value)
{
	return begins(value, 't');
}

bool
jspan_is_false(struct span value)
{
	return begins(value, 'f');
}

bool
jspan_is_deep(struct span text)
{
	const char *p = text.p, *end = p == NULL ? p : p + text.len;
	size_t depth = 0;

	while (p < end && depth <= JSCAN_DEPTH_MAX) {
		switch (*p++) {
		case '"':
			p = skip_string(p, end);
			break;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			depth -= depth > 0;
			break;
		default:
			break;
		}
	}
	return depth > JSCAN_DEPTH_MAX;
}

struct span
jspan_document(struct span text)
{
	const char *end, *p;

	if (text.p == NULL)
		return text;
	end = text.p + text.len;
	p = skip_blank(text.p, end);
	return (struct span){ p, (size_t)(skip_value(p, end) - p) };
}

struct jspan_walk
jspan_walk(struct span value)
{
	struct jspan_walk w = { .object = jspan_is_object(value) };

	if (!w.object && !jspan_is_array(value))
		return w;
	w.p = value.p + 1;
	w.end = value.p + value.len;
	return w;
}

bool
jspan_next(struct jspan_walk *w)
{
	const char *p;

	if (w->p == NULL)
		return false;
	p = skip_blank(w->p, w->end);
	if (p < w->end && *p == ',')
		p = skip_blank(p + 1, w->end);
	if (p == w->end || *p == '}' || *p == ']')
		return false;
	if (w->object) {
		const char *end = skip_value(p, w->end);

		w->key = (struct span){ p + 1,
			end - p < 2 ? 0 : (size_t)(end - p) - 2 };
		p = skip_blank(end, w->end);
		if (p == w->end)
			return false;
		p = skip_blank(p + 1, w->end);
	}
	w->p = skip_value(p, w->end);
	w->value = (struct span){ p, (size_t)(w->p - p) };
	/* Without this, bytes that are not JSON could keep a walk in one
	 * place. */
	return w->p > p;
}

/* The decoded inside: in room if it fits, otherwise in memory that the
 * caller frees. */
static struct span
decoded(struct span inside, char *room, size_t size, char **memory)
{
	char *out = room;

	*memory = NULL;
	if (inside.len == 0 || memchr(inside.p, '\\', inside.len) == NULL)
		return inside;
	if (inside.len > size)
		out = *memory = memory_alloc(inside.len);
	return (struct span){ out, jscan_decode(inside, out) };
}

bool
jspan_same(struct span inside, struct span other)
{
	char room[2][256], *memory[2];
	bool same;

	if (inside.p == NULL || other.p == NULL)
		return false;
	if (span_eq(inside, other))
		return true;
	inside = decoded(inside, room[0], sizeof(room[0]), &memory[0]);
	other = decoded(other, room[1], sizeof(room[1]), &memory[1]);
	same = span_eq(inside, other);
	free(memory[0]);
	free(memory[1]);
	return same;
}

/* An escaped text is up to six times as long as the decoded one. */
bool
jspan_says(struct span inside, const char *text)
{
	size_t len = strlen(text);
	char room[256];

	if (inside.p == NULL)
		return false;
	if (inside.len == len)
		return memcmp(inside.p, text, len) == 0;
	if (inside.len < len || inside.len > 6 * len ||
	    inside.len > sizeof(room) ||
	    memchr(inside.p, '\\', inside.len) == NULL)
		return false;
	return span_is((struct span){ room, jscan_decode(inside, room) }, text);
}

bool
jspan_key_is(struct span key, const char *name)
{
	return jspan_says(key, name);
}

bool
jspan_key_in(struct span key, const char *const names[], size_t n)
{
	size_t i = 0;

	while (i < n && !jspan_key_is(key, names[i]))
		i++;
	return i < n;
}

void
jspan_pick(struct span object, struct jspan_want *wants, size_t n)
{
	struct jspan_walk w = jspan_walk(object);

	for (size_t i = 0; i < n; i++)
		wants[i].value = (struct span){ NULL, 0 };
	while (w.object && jspan_next(&w)) {
		for (size_t i = 0; i < n; i++) {
			if (!jspan_key_is(w.key, wants[i].name))
				continue;
			wants[i].value = w.value;
			if (w.value.p[0] == 'n')
				wants[i].value = (struct span){ NULL, 0 };
			break;
		}
	}
}

struct span
jspan_member(struct span object, const char *name)
{
	struct jspan_want want = { name, { NULL, 0 } };

	jspan_pick(object, &want, 1);
	return want.value;
}

struct span
jspan_inside(struct span value)
{
	if (!jspan_is_string(value) || value.len < 2)
		return (struct span){ NULL, 0 };
	return (struct span){ value.p + 1, value.len - 2 };
}

struct span
jspan_text(struct span object, const char *name)
{
	return jspan_inside(jspan_member(object, name));
}

bool
jspan_member_says(struct span object, const char *name, const char *text)
{
	return jspan_says(jspan_text(object, name), text);
}

uint64_t
jspan_count(struct span value)
{
	char room[64];
	double d;

	if (value.p == NULL || value.len == 0 || value.len >= sizeof(room) ||
	    value.p[0] < '0' || value.p[0] > '9')
		return 0;
	memcpy(room, value.p, value.len);
	room[value.len] = '\0';
	if (strpbrk(room, ".eE") == NULL)
		return strtoull(room, NULL, 10);
	d = strtod(room, NULL);
	return d < 1e15 ? (uint64_t)d : 0;
}

bool
jspan_is_empty(struct span value)
{
	struct jspan_walk w = jspan_walk(value);

	return !jspan_next(&w);
}

void
jspan_write(struct span value, struct buf *out)
{
	const char *p = value.p, *end = p == NULL ? p : p + value.len, *from;

	while (p < end) {
		p = skip_blank(p, end);
		for (from = p; p < end && *p != ' ' && *p != '\n' &&
		     *p != '\r' && *p != '\t';)
			p = *p == '"' ? skip_string(p + 1, end) : p + 1;
		buf_add(out, from, (size_t)(p - from));
	}
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides where JSON has its commas.
 */
#include "config.h"

#include "base/jput.h"

static void
comma(struct buf *b)
{
	char last = b->len > 0 ? b->p[b->len - 1] : '{';

	if (last != '{' && last != '[')
		buf_add(b, ",", 1);
}

void
jput_open(struct buf *b, char bracket)
{
	comma(b);
	buf_add(b, &bracket, 1);
}

void
jput_element(struct buf *b, const char *text)
{
	comma(b);
	buf_json(b, span_of(text));
}

void
jput_name(struct buf *b, const char *name)
{
	jput_key(b, span_of(name));
}

void
jput_key(struct buf *b, struct span key)
{
	comma(b);
	buf_add(b, "\"", 1);
	buf_add(b, key.p, key.len);
	buf_add(b, "\":", 2);
}

void
jput_name_open(struct buf *b, const char *name, char first)
{
	jput_name(b, name);
	buf_add(b, &first, 1);
}

void
jput_text(struct buf *b, const char *name, const char *text)
{
	if (text == NULL)
		jput_raw(b, name, "null");
	else
		jput_span(b, name, span_of(text));
}

void
jput_span(struct buf *b, const char *name, struct span text)
{
	jput_name(b, name);
	buf_json(b, text);
}

void
jput_bool(struct buf *b, const char *name, bool value)
{
	jput_raw(b, name, value ? "true" : "false");
}

void
jput_i64(struct buf *b, const char *name, int64_t n)
{
	jput_name(b, name);
	if (n < 0)
		buf_add(b, "-", 1);
	buf_u64(b, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

void
jput_u64(struct buf *b, const char *name, uint64_t n)
{
	jput_name(b, name);
	buf_u64(b, n);
}

void
jput_known(struct buf *b, const char *name, int64_t n)
{
	if (n < 0)
		jput_raw(b, name, "null");
	else
		jput_u64(b, name, (uint64_t)n);
}

void
jput_raw(struct buf *b, const char *name, const char *json)
{
	jput_name(b, name);
	buf_puts(b, json);
}

void
jput_spread(struct buf *b, size_t from)
{
	bool inside = false; /* a string */
	struct buf spread;

	if (buf_failed(b))
		return;
	buf_init(&spread, b->max_bytes);
	buf_add(&spread, b->p, from);
	for (size_t i = from; i < b->len; i++) {
		buf_add(&spread, b->p + i, 1);
		if (inside && b->p[i] == '\\' && i + 1 < b->len)
			buf_add(&spread, b->p + ++i, 1);
		else if (b->p[i] == '"')
			inside = !inside;
		else if (!inside && (b->p[i] == ':' || b->p[i] == ','))
			buf_add(&spread, " ", 1);
	}
	buf_reset(b);
	buf_add(b, spread.p, spread.len);
	b->failed = buf_failed(&spread);
	buf_free(&spread);
}

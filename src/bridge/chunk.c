/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the shapes of a chat completion: where reasoning stands, content as a
 * list, calls in `tool_calls` or in `function_call`; and what is wrong with
 * its characters.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/jscan.h"
#include "base/log.h"
#include "base/utf8.h"
#include "bridge/chunk.h"

#define ESCAPE 6 /* bytes of \uXXXX */

void
chunk_init(struct chunk *c, struct memory_hold *hold)
{
	memset(c, 0, sizeof(*c));
	c->hold = hold;
	buf_init_charged(&c->repaired, SIZE_MAX / 4, hold);
}

void
chunk_free(struct chunk *c)
{
	memory_give(c->hold,
	    c->texts_size * sizeof(*c->texts) +
		c->calls_size * sizeof(*c->calls));
	free(c->texts);
	free(c->calls);
	buf_free(&c->repaired);
}

/* The list with room for one more of them; NULL: it stays as it is, without
 * memory for that. */
static void *
grown(struct chunk *c, void *list, size_t n, size_t *size, size_t each)
{
	size_t more = *size == 0 ? 4 : *size;
	void *p;

	if (n < *size)
		return list;
	if (!memory_take(c->hold, more * each))
		return NULL;
	if ((p = reallocarray(list, *size + more, each)) == NULL) {
		memory_give(c->hold, more * each);
		c->hold->lack = MEMORY_SPENT;
		return NULL;
	}
	*size += more;
	return p;
}

static void
add_text(struct chunk *c, enum chunk_part part, struct span raw)
{
	struct chunk_text *list;

	if (raw.len == 0 ||
	    (list = grown(c, c->texts, c->ntexts, &c->texts_size,
		 sizeof(*list))) == NULL)
		return;
	c->texts = list;
	c->texts[c->ntexts++] = (struct chunk_text){ part, raw };
}

static void
add_call(struct chunk *c, long long index)
{
	struct chunk_call *list =
	    grown(c, c->calls, c->ncalls, &c->calls_size, sizeof(*list));

	if (list == NULL)
		return;
	c->calls = list;
	c->calls[c->ncalls++] = (struct chunk_call){ .index = index };
}

/* The inside of a string; else p NULL. */
static struct span
string_of(const struct jscan_value *v)
{
	if (v->type != JSCAN_STRING)
		return (struct span){ NULL, 0 };
	return (struct span){ v->raw.p + 1, v->raw.len - 2 };
}

static bool
key_is(const struct jscan_value *v, unsigned depth, const char *name)
{
	return jscan_key_is(&v->path[depth], name);
}

/* --- Content as a list of parts (Mistral) --- */

static enum chunk_part
part_kind(struct span type)
{
	if (span_is(type, "text") || span_is(type, "output_text"))
		return CHUNK_TEXT;
	if (span_is(type, "refusal"))
		return CHUNK_REFUSAL;
	if (span_is(type, "thinking") || span_is(type, "reasoning"))
		return CHUNK_REASONING;
	return CHUNK_NONE;
}

/* choices[0].delta.content[n]…: {"type":"text","text":…}, or
 * {"type":"thinking","thinking":[{"type":"text","text":…}]}, or a string. */
static void
take_content(struct chunk *c, const struct jscan_value *v)
{
	bool nested = v->depth == 8 &&
	    (key_is(v, 5, "thinking") || key_is(v, 5, "reasoning"));

	if (v->depth == 5 && v->type == JSCAN_STRING)
		add_text(c, CHUNK_TEXT, string_of(v));
	else if (v->depth == 5 && v->begin)
		c->part = (struct chunk_text){ CHUNK_NONE, { NULL, 0 } };
	else if (v->depth == 5 && c->part.part != CHUNK_NONE)
		add_text(c, c->part.part, c->part.raw);
	else if (v->depth == 6 && key_is(v, 5, "type"))
		c->part.part = part_kind(string_of(v));
	else if (v->depth == 6 && v->type == JSCAN_STRING &&
	    (key_is(v, 5, "text") || key_is(v, 5, "thinking") ||
		key_is(v, 5, "reasoning") || key_is(v, 5, "refusal")))
		c->part.raw = string_of(v);
	else if (nested && key_is(v, 7, "text"))
		add_text(c, CHUNK_REASONING, string_of(v));
}

/* --- Calls --- */

/* The key and the value as they stand. */
static struct span
member_of(const struct jscan_value *v, unsigned depth)
{
	const char *begin = v->path[depth].key.p - 1;

	return (struct span){ begin, (size_t)(v->raw.p + v->raw.len - begin) };
}

static void
take_function(
    struct chunk_call *call, const struct jscan_value *v, unsigned depth)
{
	if (key_is(v, depth, "name"))
		call->name = string_of(v);
	else if (key_is(v, depth, "arguments") && v->type == JSCAN_OBJECT) {
		call->arguments = v->raw;
		call->is_object = true;
	} else if (key_is(v, depth, "arguments"))
		call->arguments = string_of(v);
}

static long long
index_of(struct span raw)
{
	long long n = 0;

	if (raw.len == 0 || raw.len > 9)
		return -1;
	for (size_t i = 0; i < raw.len; i++) {
		if (raw.p[i] < '0' || raw.p[i] > '9')
			return -1;
		n = n * 10 + (raw.p[i] - '0');
	}
	return n;
}

/* choices[0].delta.tool_calls[n]… */
static void
take_call(struct chunk *c, const struct jscan_value *v)
{
	struct chunk_call *call;

	if (v->depth == 5 && v->begin && v->type == JSCAN_OBJECT)
		add_call(c, -1);
	if (v->depth < 6 || c->ncalls == 0 || v->begin)
		return;
	call = &c->calls[c->ncalls - 1];
	if (v->depth == 7 && key_is(v, 5, "function"))
		take_function(call, v, 6);
	if (v->depth != 6 || key_is(v, 5, "function") || key_is(v, 5, "type"))
		return;
	if (key_is(v, 5, "index"))
		call->index =
		    index_of(v->type == JSCAN_STRING ? string_of(v) : v->raw);
	else if (key_is(v, 5, "id"))
		call->id = string_of(v);
	else if (v->type != JSCAN_NULL && v->path[5].key.p != NULL)
		call->extra = member_of(v, 5);
}

/* choices[0].delta.function_call: what came before tool_calls. */
static void
take_old_call(struct chunk *c, const struct jscan_value *v)
{
	if (v->depth == 4 && v->begin && v->type == JSCAN_OBJECT)
		add_call(c, 0);
	if (v->depth == 5 && !v->begin && c->ncalls > 0)
		take_function(&c->calls[c->ncalls - 1], v, 4);
}

/* --- The choice --- */

static void
take_delta(struct chunk *c, const struct jscan_value *v)
{
	if (key_is(v, 3, "tool_calls"))
		take_call(c, v);
	else if (key_is(v, 3, "content") && v->depth > 4)
		take_content(c, v);
	else if (key_is(v, 3, "function_call"))
		take_old_call(c, v);
	else if (v->depth != 4)
		return;
	else if (key_is(v, 3, "reasoning_content"))
		c->names[0] = string_of(v);
	else if (key_is(v, 3, "reasoning"))
		c->names[1] = string_of(v);
	else if (key_is(v, 3, "content"))
		add_text(c, CHUNK_TEXT, string_of(v));
	else if (key_is(v, 3, "refusal"))
		add_text(c, CHUNK_REFUSAL, string_of(v));
}

/* A delta is what a stream goes by, even if a message stands beside it. */
static void
begin_delta(struct chunk *c, bool whole)
{
	c->has_delta |= !whole;
	c->whole = whole;
	c->ntexts = c->ncalls = 0;
	memset(c->names, 0, sizeof(c->names));
}

static void
take_choice(struct chunk *c, const struct jscan_value *v)
{
	bool whole = key_is(v, 2, "message");

	if (whole || key_is(v, 2, "delta")) {
		if (whole && c->has_delta)
			return;
		if (v->depth == 3 && v->begin && v->type == JSCAN_OBJECT)
			begin_delta(c, whole);
		else if (v->depth > 3)
			take_delta(c, v);
		return;
	}
	if (v->depth != 3 || v->begin || v->type == JSCAN_NULL)
		return;
	if (key_is(v, 2, "finish_reason"))
		c->finish = v->type == JSCAN_STRING ? string_of(v) : v->raw;
	else if ((key_is(v, 2, "stop_reason") ||
		     key_is(v, 2, "matched_stop")) &&
	    v->type == JSCAN_STRING)
		c->stop = string_of(v);
}

static bool
says_something(const struct jscan_value *v)
{
	return v->type != JSCAN_NULL && v->type != JSCAN_FALSE &&
	    !span_is(v->raw, "\"\"") && !span_is(v->raw, "{}") &&
	    !span_is(v->raw, "[]") && !span_is(v->raw, "0");
}

static int
on_value(void *ctx, const struct jscan_value *v)
{
	struct chunk *c = ctx;

	if (v->depth == 0)
		return v->type == JSCAN_OBJECT ? 0 : 1;
	if (v->depth == 1 && !v->begin && key_is(v, 0, "error") &&
	    says_something(v))
		c->error = v->raw;
	if (v->depth < 2 || v->path[1].key.p != NULL || v->path[1].index != 0 ||
	    !key_is(v, 0, "choices"))
		return 0;
	c->has_choice |= v->type == JSCAN_OBJECT;
	if (v->depth > 2)
		take_choice(c, v);
	return 0;
}

/* --- Characters --- */

/* A byte that is not UTF-8 becomes U+FFFD. */
static struct span
repair(struct buf *out, struct span text)
{
	const unsigned char *p = (const unsigned char *)text.p;
	size_t i = 0, n;

	buf_reset(out);
	while (i < text.len) {
		n = utf8_length(p + i, text.len - i);
		if (n == 0)
			buf_puts(out, CHUNK_REPLACEMENT);
		else
			buf_add(out, text.p + i, n);
		i += n == 0 ? 1 : n;
	}
	return buf_span(out);
}

static void
forget(struct chunk *c)
{
	c->has_choice = c->whole = c->has_delta = false;
	c->ntexts = c->ncalls = 0;
	c->error = c->finish = c->stop = (struct span){ NULL, 0 };
	memset(c->names, 0, sizeof(c->names));
}

static int
scan(struct chunk *c, struct span json, struct jscan_error *error)
{
	forget(c);
	return jscan(json, JSCAN_DEPTH_MAX, on_value, c, error);
}

int
chunk_read(struct chunk *c, struct span json)
{
	struct jscan_error error = { 0, NULL };
	int rc = json.len == 0 ? -1 : scan(c, json, &error);

	if (rc == -1 && json.len > error.offset &&
	    (unsigned char)json.p[error.offset] >= 0x80)
		rc = scan(c, repair(&c->repaired, json), &error);
	if (rc != 0)
		return -1;
	/* Reasoning comes before the text, wherever its member stands. */
	for (size_t i = 0; i < 2; i++)
		if (c->names[i].len > 0) {
			add_text(c, CHUNK_REASONING, c->names[i]);
			memmove(c->texts + 1, c->texts,
			    (c->ntexts - 1) * sizeof(*c->texts));
			c->texts[0] =
			    (struct chunk_text){ CHUNK_REASONING, c->names[i] };
			break;
		}
	return 0;
}

/* The value of \uXXXX at p, or 0. */
static unsigned
escape_at(const char *p)
{
	unsigned value = 0;

	if (p[0] != '\\' || p[1] != 'u')
		return 0;
	for (int i = 2; i < ESCAPE; i++)
		value = value << 4 | (unsigned)hex_value(p[i]);
	return value;
}

/* The half that a text ends with: an escape whose backslash is not itself
 * escaped. */
static unsigned
last_half(struct span raw)
{
	size_t at = raw.len - ESCAPE, slashes = 0;
	unsigned value;

	if (raw.len < ESCAPE || raw.p[at] != '\\' || raw.p[at + 1] != 'u')
		return 0;
	while (slashes < at && raw.p[at - 1 - slashes] == '\\')
		slashes++;
	if (slashes % 2 != 0)
		return 0;
	value = escape_at(raw.p + at);
	return value >= 0xd800 && value < 0xdc00 ? value : 0;
}

/* Two halves are one character of four bytes. */
static void
add_joined(struct buf *out, unsigned high, unsigned low)
{
	unsigned c = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	char bytes[4] = { (char)(0xf0 | c >> 18), (char)(0x80 | (c >> 12 & 63)),
		(char)(0x80 | (c >> 6 & 63)), (char)(0x80 | (c & 63)) };

	buf_add(out, bytes, sizeof(bytes));
}

void
chunk_decode(struct chunk_half *half, struct span raw, struct buf *out)
{
	unsigned high = half->high, low;

	if (raw.len == 0)
		return;
	if (high != 0) {
		low = raw.len < ESCAPE ? 0 : escape_at(raw.p);
		half->high = 0;
		if (low >= 0xdc00 && low < 0xe000) {
			add_joined(out, high, low);
			raw = (struct span){ raw.p + ESCAPE, raw.len - ESCAPE };
		} else
			buf_puts(out, CHUNK_REPLACEMENT);
	}
	if (raw.len > 0 && (half->high = last_half(raw)) != 0)
		raw.len -= ESCAPE;
	if (raw.len == 0)
		return;
	if (memchr(raw.p, '\\', raw.len) == NULL)
		buf_add(out, raw.p, raw.len);
	else if (buf_room(out, raw.len)) {
		out->len += jscan_decode(raw, out->p + out->len);
		out->p[out->len] = '\0';
	}
}

void
chunk_decode_end(struct chunk_half *half, struct buf *out)
{
	if (half->high != 0)
		buf_puts(out, CHUNK_REPLACEMENT);
	half->high = 0;
}

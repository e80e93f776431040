/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the shapes of a chat completion: where reasoning is, content as a list,
 * calls in `tool_calls` or in `function_call`; and what is wrong with its
 * characters.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/jscan.h"
#include "base/jspan.h"
#include "base/log.h"
#include "base/utf8.h"
#include "bridge/chunk.h"

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
		c->calls_size * sizeof(*c->calls) +
		c->extras_size * sizeof(*c->extras));
	free(c->texts);
	free(c->calls);
	free(c->extras);
	buf_free(&c->repaired);
}

/* The list with room for one more of them; NULL: no memory; the list is
 * unchanged. */
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

/* The value of v at this depth of its path, if it says something. */
static void
add_extra(struct chunk *c, enum chunk_place place, size_t of, unsigned depth,
    const struct jscan_value *v)
{
	struct span key = v->path[depth].key;
	struct chunk_extra *list;

	if (v->begin || v->type == JSCAN_NULL ||
	    (key.p == NULL && place != CHUNK_OF_THOUGHT) ||
	    (list = grown(c, c->extras, c->nextras, &c->extras_size,
		 sizeof(*list))) == NULL)
		return;
	c->extras = list;
	c->extras[c->nextras++] =
	    (struct chunk_extra){ place, of, key, v->raw };
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

static bool
key_is_one(const struct jscan_value *v, unsigned depth,
    const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (key_is(v, depth, names[i]))
			return true;
	return false;
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

/* choices[0].delta.content[n], whole.  A text's other members belong to it,
 * and a thought has all of its members. */
static void
end_part(struct chunk *c, const struct jscan_value *v)
{
	enum chunk_part kind = c->part.part;

	if (kind != CHUNK_NONE)
		add_text(c, kind, c->part.raw);
	if (kind != CHUNK_TEXT)
		c->nextras = c->part_extras;
	if (kind == CHUNK_REASONING)
		add_extra(c, CHUNK_OF_THOUGHT, 0, 4, v);
	for (size_t i = c->part_extras; i < c->nextras; i++)
		c->extras[i].of = c->ntexts;
}

static void
take_part_member(struct chunk *c, const struct jscan_value *v)
{
	static const char *const texts[] = { "text", "thinking", "reasoning",
		"refusal" };
	static const char *const known[] = { "summary", "annotations",
		"logprobs", "citations", "index" };

	if (key_is(v, 5, "type"))
		c->part.part = part_kind(string_of(v));
	else if (key_is_one(v, 5, texts, sizeof(texts) / sizeof(*texts))) {
		if (v->type == JSCAN_STRING)
			c->part.raw = string_of(v);
	} else if (!key_is_one(v, 5, known, sizeof(known) / sizeof(*known)))
		add_extra(c, CHUNK_OF_PART, 0, 5, v);
}

/* choices[0].delta.content[n]…: {"type":"text","text":…}, or
 * {"type":"thinking","thinking":[{"type":"text","text":…}]} (Databricks:
 * "reasoning", with a "summary"), or a string. */
static void
take_content(struct chunk *c, const struct jscan_value *v)
{
	bool nested = v->depth == 8 &&
	    (key_is(v, 5, "thinking") || key_is(v, 5, "reasoning") ||
		key_is(v, 5, "summary"));

	if (v->depth == 5 && v->type == JSCAN_STRING)
		add_text(c, CHUNK_TEXT, string_of(v));
	else if (v->depth == 5 && v->begin) {
		c->part = (struct chunk_text){ CHUNK_NONE, { NULL, 0 } };
		c->part_extras = c->nextras;
	} else if (v->depth == 5 && v->type == JSCAN_OBJECT)
		end_part(c, v);
	else if (v->depth == 6)
		take_part_member(c, v);
	else if (nested && key_is(v, 7, "text"))
		add_text(c, CHUNK_REASONING, string_of(v));
}

/* --- Calls --- */

/* Of the last call. */
static void
take_function(struct chunk *c, const struct jscan_value *v, unsigned depth)
{
	struct chunk_call *call = &c->calls[c->ncalls - 1];

	if (key_is(v, depth, "name"))
		call->name = string_of(v);
	else if (key_is(v, depth, "arguments") && v->type == JSCAN_OBJECT) {
		call->arguments = v->raw;
		call->is_object = true;
	} else if (key_is(v, depth, "arguments"))
		call->arguments = string_of(v);
	else
		add_extra(c, CHUNK_OF_FUNCTION, c->ncalls - 1, depth, v);
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
	static const char *const known[] = { "function", "type", "name" };
	struct chunk_call *call;

	if (v->depth == 5 && v->begin && v->type == JSCAN_OBJECT)
		add_call(c, -1);
	if (v->depth < 6 || c->ncalls == 0 || v->begin)
		return;
	call = &c->calls[c->ncalls - 1];
	if (v->depth == 7 && key_is(v, 5, "function"))
		take_function(c, v, 6);
	if (v->depth != 6 ||
	    key_is_one(v, 5, known, sizeof(known) / sizeof(*known)))
		return;
	if (key_is(v, 5, "index"))
		call->index =
		    index_of(v->type == JSCAN_STRING ? string_of(v) : v->raw);
	else if (key_is(v, 5, "id"))
		call->id = string_of(v);
	else
		add_extra(c, CHUNK_OF_CALL, c->ncalls - 1, 5, v);
}

/* choices[0].delta.function_call: what came before tool_calls. */
static void
take_old_call(struct chunk *c, const struct jscan_value *v)
{
	if (v->depth == 4 && v->begin && v->type == JSCAN_OBJECT)
		add_call(c, 0);
	if (v->depth == 5 && !v->begin && c->ncalls > 0)
		take_function(c, v, 4);
}

/* --- The choice --- */

static void
take_delta(struct chunk *c, const struct jscan_value *v)
{
	static const char *const known[] = { "role", "name", "audio",
		"annotations", "logprobs", "id", "index", "type",
		"tool_call_id" };

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
	else if (!key_is_one(v, 3, known, sizeof(known) / sizeof(*known)))
		add_extra(c, CHUNK_OF_MESSAGE, 0, 3, v);
}

/* In a stream the delta counts, even if there is a message, too. */
static void
begin_delta(struct chunk *c, bool whole)
{
	c->has_delta |= !whole;
	c->whole = whole;
	c->ntexts = c->ncalls = c->nextras = 0;
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

/* Some upstreams have an error in each response, all of whose members are
 * empty. */
static bool
says_something(struct span value)
{
	struct jspan_walk w = jspan_walk(value);

	while (jspan_next(&w))
		if (says_something(w.value))
			return true;
	return value.len > 0 && memchr("{[nf", value.p[0], 4) == NULL &&
	    !span_is(value, "\"\"") && !span_is(value, "0");
}

static int
on_value(void *ctx, const struct jscan_value *v)
{
	struct chunk *c = ctx;

	if (v->depth == 0)
		return v->type == JSCAN_OBJECT ? 0 : 1;
	if (v->depth == 1 && !v->begin && key_is(v, 0, "error") &&
	    says_something(v->raw))
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
	c->ntexts = c->ncalls = c->nextras = 0;
	c->error = c->finish = c->stop = (struct span){ NULL, 0 };
	memset(c->names, 0, sizeof(c->names));
}

static int
scan(struct chunk *c, struct span json, struct jscan_error *error)
{
	forget(c);
	return jscan(json, JSCAN_DEPTH_MAX, on_value, c, error);
}

/* Reasoning comes before the text, wherever its member is. */
static void
put_reasoning_first(struct chunk *c)
{
	struct span raw = c->names[c->names[0].len > 0 ? 0 : 1];
	size_t n = c->ntexts;

	add_text(c, CHUNK_REASONING, raw);
	if (c->ntexts == n)
		return;
	memmove(c->texts + 1, c->texts, n * sizeof(*c->texts));
	c->texts[0] = (struct chunk_text){ CHUNK_REASONING, raw };
	for (size_t i = 0; i < c->nextras; i++)
		if (c->extras[i].of > 0 && c->extras[i].place == CHUNK_OF_PART)
			c->extras[i].of++;
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
	put_reasoning_first(c);
	return 0;
}

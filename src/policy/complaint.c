/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the forms of an error: JSON of any dialect, in a string of another's,
 * in an array, or a text.
 */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/jscan.h"
#include "base/jspan.h"
#include "base/memory.h"
#include "policy/complaint.h"

/* How much of an error's words is read, and how deep in its JSON. */
#define WORDS_BYTES 4096
#define DEPTH_MAX 8

static bool
is_telling(struct span key)
{
	static const char *const names[] = { "error", "errors", "message",
		"msg", "detail", "details", "code", "type", "status", "reason",
		"metadata", "raw", "error_message", "error_msg", "error_type",
		"error_code", "error_description", "description", "title",
		"cause", "base_resp", "status_msg", "fault", "faultstring",
		"response", "Message", "Code", "__type", "name" };

	return jspan_key_in(key, names, sizeof(names) / sizeof(names[0]));
}

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* Blanks out what is in quotes: it echoes the request. */
static void
unquote(char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		size_t end = i + 1;

		if (strchr("'\"`", p[i]) == NULL || p[i] == '\0' ||
		    (i > 0 && is_word(p[i - 1])))
			continue;
		while (end < len &&
		    (p[end] != p[i] || (end + 1 < len && is_word(p[end + 1]))))
			end++;
		/* Parameters in backquotes are the provider's words. */
		if (end < len && p[i] != '`')
			memset(p + i, ' ', end - i + 1);
		if (end < len)
			i = end;
	}
}

static int
nothing(void *ctx, const struct jscan_value *v)
{
	(void)ctx;
	(void)v;
	return 0;
}

static bool
is_json(struct span body)
{
	struct jscan_error error;

	return jscan(body, JSCAN_DEPTH_MAX, nothing, NULL, &error) == 0;
}

static void gather(struct buf *, struct span value, unsigned depth);

/* A string; or the JSON of another provider's error in one. */
static void
add_text(struct buf *out, struct span inside, unsigned depth)
{
	char *p;
	size_t n, room = out->max_bytes - out->len;

	if (inside.len == 0 || room < 2 ||
	    (p = memory_try(NULL, inside.len)) == NULL)
		return;
	n = jscan_decode(inside, p);
	if (depth < DEPTH_MAX && n > 0 && (*p == '{' || *p == '[') &&
	    is_json((struct span){ p, n })) {
		gather(out, (struct span){ p, n }, depth + 1);
	} else {
		unquote(p, n);
		buf_add(out, p, n < room - 1 ? n : room - 1);
		buf_puts(out, "\n");
	}
	free(p);
}

/* The rest of a response is the request's, such as its metadata. */
static void
gather_response(struct buf *out, struct span response, unsigned depth)
{
	if (depth < DEPTH_MAX) {
		gather(out, jspan_member(response, "error"), depth + 1);
		gather(out, jspan_member(response, "status"), depth + 1);
	}
}

static void
gather(struct buf *out, struct span value, unsigned depth)
{
	struct jspan_walk w = jspan_walk(value);

	if (jspan_is_string(value))
		add_text(out, jspan_inside(value), depth);
	if (depth == DEPTH_MAX)
		return;
	while (jspan_next(&w))
		if (w.key.p != NULL && jspan_key_is(w.key, "response") &&
		    jspan_is_object(w.value))
			gather_response(out, w.value, depth + 1);
		else if (w.key.p == NULL || is_telling(w.key))
			gather(out, w.value, depth + 1);
}

void
complaint_words(struct span body, struct buf *out)
{
	buf_init(out, WORDS_BYTES);
	buf_puts(out, "");
	if (body.len > 0 && is_json(body))
		gather(out, jspan_document(body), 0);
	else
		buf_add(out, body.p,
		    body.len < WORDS_BYTES ? body.len : WORDS_BYTES);
	for (size_t i = 0; i < out->len; i++)
		out->p[i] = (char)tolower((unsigned char)out->p[i]);
}

/* Its `error` member, and the object that contains it; p NULL: it has none. */
static struct span
error_of(struct span body, struct span *document)
{
	struct span v = { NULL, 0 };

	if (body.len > 0 && is_json(body))
		v = jspan_document(body);
	if (jspan_is_array(v)) {
		struct jspan_walk w = jspan_walk(v);

		v = jspan_next(&w) ? w.value : v;
	}
	*document = v;
	return jspan_member(v, "error");
}

uint64_t
complaint_count(struct span body, const char *member)
{
	struct span document, error = error_of(body, &document);

	return jspan_count(jspan_member(error, member));
}

static struct span
message_of(struct span v)
{
	static const char *const names[] = { "message", "detail", "msg",
		"error" };
	struct jspan_walk w;

	for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
		struct span inner = jspan_member(v, "error");

		if (jspan_is_string(v))
			return jspan_inside(v);
		if (jspan_is_array(v)) {
			w = jspan_walk(v);
			if (!jspan_next(&w))
				break;
			v = w.value;
			continue;
		}
		for (size_t i = 0; inner.p == NULL && i < 4; i++)
			inner = jspan_member(v, names[i]);
		if (inner.p == NULL)
			break;
		v = inner;
	}
	return (struct span){ "", 0 };
}

void
complaint_message(struct span body, char *out, size_t size)
{
	struct span inside = { "", 0 };
	char *p;
	size_t n;

	*out = '\0';
	if (body.len > 0 && is_json(body))
		inside = message_of(jspan_document(body));
	if (inside.len == 0 || (p = memory_try(NULL, inside.len)) == NULL)
		return;
	n = jscan_decode(inside, p);
	if (n >= size) /* not in the middle of a character */
		for (n = size - 1; n > 0 && (p[n] & 0xc0) == 0x80; n--)
			continue;
	memcpy(out, p, n);
	out[n] = '\0';
	free(p);
}

int
complaint_status(struct span body)
{
	static const char *const names[] = { "code", "status", "status_code",
		"http_code" };
	const size_t nnames = sizeof(names) / sizeof(names[0]);
	struct span v, error = error_of(body, &v);
	uint64_t n = 0;

	for (size_t i = 0; i < 2 * nnames && n == 0; i++) {
		struct span at =
		    jspan_member(i < nnames ? error : v, names[i % nnames]);

		n = jspan_count(at);
		if (jspan_is_string(at) && at.len == 5)
			n = strtoul(at.p + 1, NULL, 10);
	}
	return n >= 400 && n <= 599 ? (int)n : 0;
}

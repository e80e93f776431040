/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides Jansson's habits from the bridges: values that own each other,
 * failures that say nothing, numbers that print too exactly.
 */
#include "config.h"

#include <stdint.h>

#include "base/jscan.h"
#include "base/log.h"
#include "bridge/run.h"

static int
pass(void *ctx, const struct jscan_value *value)
{
	(void)ctx;
	(void)value;
	return 0;
}

/* Jansson goes 2048 levels deep on the stack, which a thread has not. */
json_t *
bridge_parse(struct span text, size_t *at)
{
	struct jscan_error wrong;
	json_error_t error;
	json_t *j;

	if (text.len == 0 ||
	    jscan(text, JSCAN_DEPTH_MAX, pass, NULL, &wrong) == -1) {
		if (at != NULL)
			*at = text.len == 0 ? 0 : wrong.offset;
		return NULL;
	}
	j = json_loadb(text.p, text.len, JSON_ALLOW_NUL, &error);
	if (j == NULL && at != NULL)
		*at = (size_t)error.position;
	return j;
}

static int
dump_piece(const char *p, size_t len, void *ctx)
{
	buf_add(ctx, p, len);
	return 0;
}

/* 15 digits: 17, Jansson's default, make 0.69999999999999996 of 0.7. */
void
bridge_dump(struct buf *out, const json_t *value)
{
	if (json_dump_callback(value, dump_piece, out,
		JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) == -1)
		fatal("out of memory for JSON");
}

void
bridge_set(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new_nocheck(object, key, value) == -1)
		fatal("out of memory for JSON");
}

void
bridge_append(json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) == -1)
		fatal("out of memory for JSON");
}

json_t *
bridge_string(struct span s)
{
	json_t *j = json_stringn_nocheck(s.p == NULL ? "" : s.p, s.len);

	if (j == NULL)
		fatal("out of memory for JSON");
	return j;
}

json_t *
bridge_text_of(const struct buf *b)
{
	return bridge_string(buf_span(b));
}

json_t *
bridge_member(const json_t *object, const char *key)
{
	json_t *j = json_object_get(object, key);

	return json_is_null(j) ? NULL : j;
}

struct span
bridge_string_span(const json_t *j)
{
	return (struct span){ json_string_value(j), json_string_length(j) };
}

struct span
bridge_span(const json_t *object, const char *key)
{
	return bridge_string_span(json_object_get(object, key));
}

bool
bridge_is(const json_t *object, const char *key, const char *text)
{
	struct span s = bridge_span(object, key);

	return s.p != NULL && span_is(s, text);
}

uint64_t
bridge_count(const json_t *object, const char *key)
{
	json_t *j = json_object_get(object, key);
	double d;

	if (json_is_integer(j))
		return json_integer_value(j) < 0
		    ? 0
		    : (uint64_t)json_integer_value(j);
	d = json_real_value(j);
	return d > 0 && d < 1e15 ? (uint64_t)d : 0;
}

json_t *
bridge_message(const char *role, json_t *content)
{
	json_t *m = json_object();

	bridge_set(m, "role", json_string(role));
	bridge_set(m, "content", content);
	return m;
}

json_t *
bridge_tool(json_t *name, json_t *description, json_t *parameters)
{
	json_t *tool = json_object(), *function = json_object();

	bridge_set(function, "name", json_incref(name));
	if (json_is_string(description))
		bridge_set(function, "description", json_incref(description));
	if (json_is_object(parameters))
		bridge_set(function, "parameters", json_incref(parameters));
	bridge_set(tool, "type", json_string("function"));
	bridge_set(tool, "function", function);
	return tool;
}

void
bridge_add_call(
    json_t *message, json_t *id, json_t *name, struct span arguments)
{
	json_t *calls = json_object_get(message, "tool_calls");
	json_t *call = json_object(), *function = json_object();

	if (calls == NULL)
		bridge_set(message, "tool_calls", calls = json_array());
	bridge_set(function, "name", json_incref(name));
	bridge_set(function, "arguments", bridge_string(arguments));
	bridge_set(call, "id", json_incref(id));
	bridge_set(call, "type", json_string("function"));
	bridge_set(call, "function", function);
	bridge_append(calls, call);
}

json_t *
bridge_text_part(struct span text)
{
	json_t *part = json_object();

	bridge_set(part, "type", json_string("text"));
	bridge_set(part, "text", bridge_string(text));
	return part;
}

json_t *
bridge_image_part(json_t *url, json_t *detail)
{
	json_t *part = json_object(), *image = json_object();

	bridge_set(image, "url", json_incref(url));
	if (json_is_string(detail))
		bridge_set(image, "detail", json_incref(detail));
	bridge_set(part, "type", json_string("image_url"));
	bridge_set(part, "image_url", image);
	return part;
}

json_t *
bridge_file_part(json_t *data, json_t *filename)
{
	json_t *part = json_object(), *file = json_object();

	if (json_is_string(filename))
		bridge_set(file, "filename", json_incref(filename));
	bridge_set(file, "file_data", json_incref(data));
	bridge_set(part, "type", json_string("file"));
	bridge_set(part, "file", file);
	return part;
}

static bool
is_text(json_t *part)
{
	return bridge_is(part, "type", "text");
}

json_t *
bridge_content(json_t *parts)
{
	struct buf joined;
	json_t *part, *content;
	size_t i;

	json_array_foreach(parts, i, part)
	{
		if (!is_text(part))
			return parts;
	}
	buf_init(&joined, SIZE_MAX / 4);
	json_array_foreach(parts, i, part)
	{
		struct span s = bridge_span(part, "text");

		if (i > 0)
			buf_puts(&joined, "\n\n");
		buf_add(&joined, s.p, s.len);
	}
	content = bridge_text_of(&joined);
	buf_free(&joined);
	json_decref(parts);
	return content;
}

void
bridge_move_media(json_t *parts, json_t *media)
{
	for (size_t i = 0; i < json_array_size(parts);) {
		json_t *part = json_array_get(parts, i);

		if (is_text(part)) {
			i++;
			continue;
		}
		bridge_append(media, json_incref(part));
		json_array_remove(parts, i);
	}
}

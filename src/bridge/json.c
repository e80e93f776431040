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

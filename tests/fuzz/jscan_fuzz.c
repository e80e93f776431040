/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The JSON scanner, compared with Jansson.  The scanner must accept whatever
 * Jansson accepts (unless it is too deep), and what both accept must decode
 * alike.
 */
#include "config.h"

#include <string.h>

#include <jansson.h>

#include "base/jspan.h"
#include "fuzz.h"

struct walk {
	struct span text;
	unsigned open;
	size_t values; /* a container counts once */
};

static int
take_value(void *ctx, const struct jscan_value *v)
{
	struct walk *w = ctx;
	const char *end = w->text.p + w->text.len;
	char *out;

	MUST(v->depth <= JSCAN_DEPTH_MAX);
	MUST(v->raw.p >= w->text.p && v->raw.p + v->raw.len <= end);
	for (unsigned i = 0; i < v->depth; i++)
		MUST(v->path[i].key.p == NULL ||
		    v->path[i].key.p + v->path[i].key.len <= end);
	if (v->type == JSCAN_OBJECT || v->type == JSCAN_ARRAY) {
		MUST(v->begin || w->open > 0);
		w->open = v->begin ? w->open + 1 : w->open - 1;
	}
	if (v->type == JSCAN_STRING) {
		MUST(v->raw.len >= 2);
		out = malloc(v->raw.len);
		MUST(jscan_decode((struct span){ v->raw.p + 1, v->raw.len - 2 },
			 out) <= v->raw.len - 2);
		free(out);
	}
	w->values += !v->begin;
	return 0;
}

static unsigned
depth_of(const json_t *j)
{
	unsigned most = 0, d;
	const char *key;
	json_t *child;
	size_t i;

	if (!json_is_object(j) && !json_is_array(j))
		return 0;
	json_object_foreach ((json_t *)j, key, child) {
		d = depth_of(child);
		most = d > most ? d : most;
	}
	json_array_foreach (j, i, child) {
		d = depth_of(child);
		most = d > most ? d : most;
	}
	return most + 1;
}

static void
compare_string(struct span text, const json_t *j)
{
	const char *begin = memchr(text.p, '"', text.len);
	const char *end = memrchr(text.p, '"', text.len);
	struct span raw;
	char *out;
	size_t n;

	MUST(begin != NULL && end > begin);
	raw = (struct span){ begin + 1, (size_t)(end - begin - 1) };
	out = malloc(raw.len + 1);
	n = jscan_decode(raw, out);
	MUST(n == json_string_length(j));
	MUST(n == 0 || memcmp(out, json_string_value(j), n) == 0);
	free(out);
}

/* Counts the values that jspan finds.  They are inside the text, JSON or
 * not. */
static size_t
count_spans(struct span text, struct span value, unsigned depth)
{
	struct jspan_walk w = jspan_walk(value);
	size_t n = 1;

	MUST(value.p >= text.p && value.p + value.len <= text.p + text.len);
	while (depth < JSCAN_DEPTH_MAX && jspan_next(&w)) {
		MUST(!w.object || w.key.p + w.key.len <= text.p + text.len);
		n += count_spans(text, w.value, depth + 1);
	}
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct walk w = { .text = { (const char *)data, size } };
	struct jscan_error error;
	int result = jscan(w.text, JSCAN_DEPTH_MAX, take_value, &w, &error);
	json_t *j = json_loadb(
	    (const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	size_t spans = count_spans(w.text, jspan_document(w.text), 0);

	if (result == 0) {
		MUST(w.open == 0 && w.values == spans);
	} else {
		MUST(error.text != NULL && error.offset <= size);
		/* A NUL ends Jansson's text, whatever follows it. */
		MUST(j == NULL || memchr(data, '\0', size) != NULL ||
		    depth_of(j) >= JSCAN_DEPTH_MAX);
	}
	if (result == 0 && json_is_string(j))
		compare_string(w.text, j);
	json_decref(j);
	return 0;
}

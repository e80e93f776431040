/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how edits are applied to a body without copying it.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "serve/body.h"

#define EDITS_MAX 3 /* each leaves a part before it and one of its own */
_Static_assert(2 * EDITS_MAX + 1 <= UPSTREAM_PARTS_MAX, "a body's parts");

struct edit {
	size_t offset, len; /* what is replaced; len 0: insertion */
	struct span with;
};

static struct edit
model_edit(const struct call *call, const char *model, struct arena *arena)
{
	struct edit e = { call->model_offset, call->model_len, span_of(model) };
	struct buf b;

	if (call->model_is_json) {
		buf_init(&b, 4096);
		buf_json(&b, span_of(model));
		e.with =
		    (struct span){ arena_text(arena, buf_span(&b)), b.len };
		buf_free(&b);
	}
	return e;
}

/* The client's stream_options with include_usage set. */
static const char *
options_with_usage(struct span options, struct arena *arena)
{
	json_t *json = json_loadb(options.p, options.len, JSON_ALLOW_NUL, NULL);
	char *text = NULL, *kept;

	if (!json_is_object(json)) {
		json_decref(json);
		return "{\"include_usage\":true}";
	}
	json_object_set_new(json, "include_usage", json_true());
	text = json_dumps(json, JSON_COMPACT);
	kept = arena_strdup(arena, text == NULL ? "null" : text);
	free(text);
	json_decref(json);
	return kept;
}

static struct edit
usage_edit(struct span body, const struct call *call, struct arena *arena)
{
	if (call->stream_options_len == 0)
		return (struct edit){ call->object_end_offset, 0,
			span_of(",\"stream_options\":{\"include_usage\":"
				"true}") };
	return (struct edit){ call->stream_options_offset,
		call->stream_options_len,
		span_of(options_with_usage(
		    (struct span){ body.p + call->stream_options_offset,
			call->stream_options_len },
		    arena)) };
}

static int
by_offset(const void *one, const void *other)
{
	const struct edit *a = one, *b = other;

	return (a->offset > b->offset) - (a->offset < b->offset);
}

void
body_make(struct span body, const struct call *call, const char *model,
    bool ask_usage, struct span cut, struct arena *arena,
    struct upstream_request *request, bool *withhold)
{
	struct edit edits[EDITS_MAX];
	size_t n = 0, at = call->sent_offset;
	size_t end = call->sent_offset + call->sent_len;

	*withhold = ask_usage && call->stream && !call->asks_usage;
	if (call->model_len > 0 && strcmp(call->model, model) != 0)
		edits[n++] = model_edit(call, model, arena);
	if (*withhold)
		edits[n++] = usage_edit(body, call, arena);
	if (cut.p != NULL)
		edits[n++] = (struct edit){ (size_t)(cut.p - body.p), cut.len,
			{ NULL, 0 } };
	qsort(edits, n, sizeof(*edits), by_offset);
	request->nparts = 0;
	for (size_t i = 0; i < n; i++) {
		request->parts[request->nparts++] =
		    (struct span){ body.p + at, edits[i].offset - at };
		request->parts[request->nparts++] = edits[i].with;
		at = edits[i].offset + edits[i].len;
	}
	request->parts[request->nparts++] =
	    (struct span){ body.p + at, end - at };
}

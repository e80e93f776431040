/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The parser of an upstream's response.  Input: a byte for how it is cut, the
 * response.  However it is cut, the same head and body must come out.
 */
#include "config.h"

#include <string.h>

#include "base/buf.h"
#include "fuzz.h"
#include "wire/http1.h"

static int
on_head(void *ctx, const struct http1_head *head)
{
	struct buf *text = ctx;

	MUST(head->status >= 200 && head->status <= 599);
	MUST(head->nfields <= HTTP1_FIELDS_MAX);
	MUST(head->content_length >= -1);
	buf_printf(
	    text, "%d %lld ", head->status, (long long)head->content_length);
	for (size_t i = 0; i < head->nfields; i++) {
		const struct http1_field *f = &head->fields[i];

		MUST(f->name.len > 0 && strlen(f->name.p) == f->name.len);
		MUST(strlen(f->value.p) == f->value.len);
		MUST(strpbrk(f->name.p, "\n:") == NULL);
		MUST(strchr(f->value.p, '\n') == NULL);
		buf_puts(text, f->name.p);
		buf_puts(text, f->value.p);
	}
	return 0;
}

static int
on_body(void *ctx, struct span bytes)
{
	buf_add(ctx, bytes.p, bytes.len);
	return 0;
}

static enum http1_result
run(struct span response, size_t first, size_t piece, struct buf *out,
    bool *ends)
{
	struct http1_sink sink = { on_head, on_body, out };
	enum http1_result result = HTTP1_MORE;
	struct arena *arena = arena_new();
	struct http1 h;

	buf_init(out, (size_t)1 << 28);
	http1_init(&h, arena, &sink);
	for (size_t at = 0; at < response.len && result == HTTP1_MORE;) {
		size_t n = at == 0 ? first : piece;
		char *copy;

		if (n > response.len - at)
			n = response.len - at;
		copy = malloc(n);
		memcpy(copy, response.p + at, n);
		result = http1_push(&h, (struct span){ copy, n });
		free(copy);
		at += n;
	}
	MUST(result != HTTP1_STOPPED);
	MUST((result == HTTP1_BAD) == (h.error != NULL));
	*ends = http1_ends(&h);
	MUST(result != HTTP1_DONE || *ends);
	arena_free(arena);
	return result;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, cut;
	struct span response;
	enum http1_result result;
	bool ends, cut_ends;

	if (size < 2)
		return 0;
	response = (struct span){ (const char *)data + 1, size - 1 };
	result = run(response, response.len, response.len, &whole, &ends);
	MUST(run(response, 1 + data[0] % 16, 1 + data[0] / 16, &cut,
		 &cut_ends) == result);
	MUST(ends == cut_ends);
	MUST(cut.len == whole.len);
	MUST(whole.len == 0 || memcmp(cut.p, whole.p, whole.len) == 0);
	buf_free(&whole);
	buf_free(&cut);
	return 0;
}

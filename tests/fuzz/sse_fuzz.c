/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The SSE splitter.  Input: a byte for the cap, a byte for how the stream is
 * cut, the stream.  However it is cut, the events must be the same.
 */
#include "config.h"

#include <string.h>

#include "fuzz.h"
#include "wire/sse.h"

struct seen {
	struct buf text;
	size_t pushed, total, cap;
};

static int
see(void *ctx, const struct sse_event *e)
{
	struct seen *s = ctx;

	MUST(e->data.len <= s->cap);
	MUST(e->begin < e->end && e->end <= s->total);
	/* The offsets are the same however the stream is cut, too. */
	buf_printf(&s->text, "%zu %zu %d %llu %llu ", e->name.len, e->data.len,
	    e->cut, (unsigned long long)e->begin, (unsigned long long)e->end);
	buf_add(&s->text, e->name.p, e->name.len);
	buf_add(&s->text, e->data.p, e->data.len);
	return 0;
}

static bool
run(struct span stream, size_t cap, size_t first, size_t piece, struct buf *out)
{
	struct seen s = { .cap = cap };
	struct sse sse;
	bool boundary;

	buf_init(&s.text, (size_t)1 << 28);
	sse_init(&sse, cap, NULL);
	for (size_t at = 0; at < stream.len; at += s.pushed) {
		char *copy;

		s.pushed = at == 0 ? first : piece;
		if (s.pushed > stream.len - at)
			s.pushed = stream.len - at;
		s.total = at + s.pushed;
		copy = malloc(s.pushed);
		memcpy(copy, stream.p + at, s.pushed);
		MUST(sse_push(&sse, (struct span){ copy, s.pushed }, see, &s) ==
		    0);
		free(copy);
	}
	boundary = sse_at_boundary(&sse);
	MUST(sse_open_at(&sse) <= stream.len);
	sse_finish(&sse, see, &s);
	MUST(sse_at_boundary(&sse));
	sse_free(&sse);
	*out = s.text;
	return boundary;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, cut;
	struct span stream;
	bool boundary;
	size_t cap;

	if (size < 3)
		return 0;
	cap = data[0] < 128 ? data[0] : 65536;
	stream = (struct span){ (const char *)data + 2, size - 2 };
	boundary = run(stream, cap, stream.len, stream.len, &whole);
	MUST(run(stream, cap, 1 + data[1] % 16, 1 + data[1] / 16, &cut) ==
	    boundary);
	MUST(cut.len == whole.len);
	MUST(whole.len == 0 || memcmp(cut.p, whole.p, whole.len) == 0);
	buf_free(&whole);
	buf_free(&cut);
	return 0;
}

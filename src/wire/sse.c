/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the framing of a stream: where a line and an event end, however the
 * bytes were cut on the way.  The relay pushes what came from upstream and
 * passes the bytes on unchanged; an event whose data is in one push is given as
 * a span of it, without a copy.
 */
#include "config.h"

#include <string.h>

#include "wire/sse.h"

#define SSE_NAME_MAX 256
/* Room in a line for "event: " and a name, where the cap of data is less. */
#define SSE_FIELD_ROOM (SSE_NAME_MAX + 64)

void
sse_init(struct sse *s, size_t max_event_bytes, struct memory_hold *hold)
{
	memset(s, 0, sizeof(*s));
	buf_init_charged(&s->line, max_event_bytes + SSE_FIELD_ROOM, hold);
	buf_init(&s->name, SSE_NAME_MAX);
	buf_init_charged(&s->data, max_event_bytes, hold);
	s->max_event_bytes = max_event_bytes;
	s->at_start = true;
}

void
sse_free(struct sse *s)
{
	buf_free(&s->line);
	buf_free(&s->name);
	buf_free(&s->data);
}

bool
sse_at_boundary(const struct sse *s)
{
	return !s->in_event;
}

uint64_t
sse_open_at(const struct sse *s)
{
	return s->in_event ? s->begin : s->total;
}

/* Adds as much as fits; returns whether that was all. */
static bool
add_upto(struct sse *s, struct buf *b, const char *p, size_t len)
{
	size_t room = b->max_bytes - b->len;

	buf_add(b, p, len < room ? len : room);
	s->starved = s->starved || buf_starved(b);
	return len <= room && !buf_failed(b);
}

/* The push's bytes become invalid: copies what is still needed. */
static void
unhold(struct sse *s)
{
	if (s->held.p == NULL)
		return;
	if (!add_upto(s, &s->data, s->held.p, s->held.len))
		s->cut = true;
	s->held.p = NULL;
}

static void
take_data(struct sse *s, struct span value, bool in_place)
{
	unhold(s);
	if (in_place && !s->has_data) {
		s->held = value;
	} else {
		if (s->has_data && !add_upto(s, &s->data, "\n", 1))
			s->cut = true;
		if (!add_upto(s, &s->data, value.p, value.len))
			s->cut = true;
	}
	s->cut = s->cut || s->line_cut;
	s->has_data = true;
}

static struct span
strip_bom(struct span line)
{
	if (line.len >= 3 && memcmp(line.p, "\xef\xbb\xbf", 3) == 0)
		return (struct span){ line.p + 3, line.len - 3 };
	return line;
}

/* One whole line that is not empty. */
static void
take_line(struct sse *s, struct span line, bool in_place)
{
	const char *colon = memchr(line.p, ':', line.len);
	struct span field = line, value = { "", 0 };

	if (colon != NULL) {
		field.len = (size_t)(colon - line.p);
		value = (struct span){ colon + 1, line.len - field.len - 1 };
		if (value.len > 0 && *value.p == ' ') {
			value.p++;
			value.len--;
		}
	}
	if (span_is(field, "data")) {
		take_data(s, value, in_place);
	} else if (span_is(field, "event")) {
		buf_reset(&s->name);
		add_upto(s, &s->name, value.p, value.len);
	}
}

/* A blank line: the event's end. */
static int
dispatch(struct sse *s, uint64_t end,
    int (*event)(void *ctx, const struct sse_event *), void *ctx)
{
	struct sse_event e = {
		.name = buf_span(&s->name), .begin = s->begin, .end = end
	};
	bool has_data = s->has_data;

	e.data = s->held.p != NULL ? s->held : buf_span(&s->data);
	e.cut = s->cut;
	if (e.data.len > s->max_event_bytes) {
		e.data.len = s->max_event_bytes;
		e.cut = true;
	}
	s->held.p = NULL;
	s->has_data = s->cut = s->in_event = false;
	int stop = has_data ? event(ctx, &e) : 0;
	buf_reset(&s->name);
	buf_reset(&s->data);
	return stop;
}

static void
begin_at(struct sse *s, uint64_t at)
{
	if (!s->in_event)
		s->begin = at;
	s->in_event = true;
}

/* A line's part, whose end has not come. */
static void
keep_part(struct sse *s, struct span part, uint64_t at)
{
	if (part.len == 0)
		return;
	begin_at(s, at);
	if (!add_upto(s, &s->line, part.p, part.len))
		s->line_cut = true;
}

/* The line that ends here, of which `rest`, at `at`, is the part in this
 * push. */
static int
end_line(struct sse *s, struct span rest, uint64_t at, uint64_t end,
    int (*event)(void *ctx, const struct sse_event *), void *ctx)
{
	bool in_place = s->line.len == 0 && !s->line_cut;
	struct span line = rest;

	if (!in_place) {
		if (!add_upto(s, &s->line, rest.p, rest.len))
			s->line_cut = true;
		line = buf_span(&s->line);
	}
	if (s->at_start)
		line = strip_bom(line);
	s->at_start = false;
	if (line.len > 0) {
		begin_at(s, at);
		take_line(s, line, in_place);
	}
	buf_reset(&s->line);
	s->line_cut = false;
	return line.len == 0 ? dispatch(s, end, event, ctx) : 0;
}

/* Each of the two line ends is searched once over the bytes, so that a
 * stream of CRs alone costs no more than another. */
static const char *
next_end(const char *p, const char *end, const char **lf, const char **cr)
{
	if (*lf < p && (*lf = memchr(p, '\n', (size_t)(end - p))) == NULL)
		*lf = end;
	if (*cr < p && (*cr = memchr(p, '\r', (size_t)(end - p))) == NULL)
		*cr = end;
	return *lf < *cr ? *lf : *cr;
}

/* The line end at eol, of which one byte is the least; NULL: its second byte
 * may be in the next push.  If lines end in CR alone, nothing is waited for. */
static const char *
behind_end(struct sse *s, const char *eol, const char *end)
{
	if (*eol == '\n') {
		s->bare_cr = false;
		return eol + 1;
	}
	if (s->bare_cr) {
		s->after_cr = true;
		return eol + 1;
	}
	if (eol + 1 == end)
		return NULL;
	s->bare_cr = eol[1] != '\n';
	return s->bare_cr ? eol + 1 : eol + 2;
}

/* Skips what the last byte of the previous push left open.  True: a line
 * ends in that way. */
static bool
take_up(struct sse *s, const char **p)
{
	bool lf = **p == '\n';

	if (!s->after_cr && !s->pending_cr)
		return false;
	s->bare_cr = !lf;
	*p += lf;
	s->after_cr = false;
	if (!s->pending_cr)
		return false;
	s->pending_cr = false;
	return true;
}

int
sse_push(struct sse *s, struct span bytes,
    int (*event)(void *ctx, const struct sse_event *), void *ctx)
{
	const char *p = bytes.p, *end = bytes.p + bytes.len, *eol, *next;
	const char *lf = NULL, *cr = NULL;
	uint64_t at = s->total;
	int stop = 0;

	s->total += bytes.len;
	while (p < end && stop == 0) {
		struct span rest = { p, 0 };

		if (take_up(s, &p)) {
			at = s->total - (uint64_t)(end - p);
			stop = end_line(
			    s, (struct span){ "", 0 }, at, at, event, ctx);
			continue;
		}
		rest.p = p;
		if (p == end)
			break;
		at = s->total - (uint64_t)(end - p);
		eol = next_end(p, end, &lf, &cr);
		rest.len = (size_t)(eol - p);
		next = eol == end ? NULL : behind_end(s, eol, end);
		if (next == NULL) {
			s->pending_cr = eol < end;
			keep_part(s, rest, at);
			break;
		}
		p = next;
		stop = end_line(
		    s, rest, at, s->total - (uint64_t)(end - p), event, ctx);
	}
	unhold(s);
	return stop;
}

int
sse_finish(
    struct sse *s, int (*event)(void *ctx, const struct sse_event *), void *ctx)
{
	struct span none = { "", 0 };
	int stop = 0;

	if (s->line.len > 0 || s->pending_cr)
		stop = end_line(s, none, s->total, s->total, event, ctx);
	s->pending_cr = false;
	if (stop == 0)
		stop = dispatch(s, s->total, event, ctx);
	return stop;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Reads a head: hides the fields of HTTP/1 that frame a body, and what is
 * refused because two readers could understand it differently.
 */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "wire/http1_internal.h"

#define LENGTH_MAX (INT64_MAX / 2)
#define FIELDS_FIRST 24

/* What is being read of one head. */
struct reading {
	struct http1_head out;
	struct http1_field *fields;
	size_t room;
	bool http10, close, keep_alive, coded;
};

/* The next line, without its end; false after the last. */
static bool
next_line(char **at, char *end, struct span *line)
{
	char *p = *at, *lf = memchr(p, '\n', (size_t)(end - p));

	if (lf == NULL)
		return false;
	*at = lf + 1;
	*line = (struct span){ p, (size_t)(lf - p) };
	if (line->len > 0 && line->p[line->len - 1] == '\r')
		line->len--;
	p[line->len] = '\0';
	return line->len > 0;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK", or without the phrase after the number. */
static bool
read_status(struct span line, struct reading *r)
{
	const char *p = line.p;

	if (line.len < 12 || memcmp(p, "HTTP/1.", 7) != 0 || !is_digit(p[7]) ||
	    p[8] != ' ')
		return false;
	if (p[9] < '1' || p[9] > '5' || !is_digit(p[10]) || !is_digit(p[11]) ||
	    (line.len > 12 && p[12] != ' '))
		return false;
	r->http10 = p[7] == '0';
	r->out.status = (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
	return true;
}

/* Digits alone, perhaps the same again after a comma; -1: not so. */
static int64_t
read_length(struct span text)
{
	int64_t first = -1;
	size_t i = 0;

	for (;;) {
		int64_t n = 0;
		size_t begin = i;

		for (; i < text.len && is_digit(text.p[i]); i++) {
			n = n * 10 + (text.p[i] - '0');
			if (n > LENGTH_MAX / 10)
				return -1;
		}
		if (i == begin || (first != -1 && n != first))
			return -1;
		first = n;
		if (i == text.len)
			return first;
		if (text.p[i++] != ',')
			return -1;
		while (i < text.len && text.p[i] == ' ')
			i++;
	}
}

/* Is the word among the comma-separated ones? */
static bool
lists(struct span text, const char *word)
{
	size_t i = 0;

	while (i < text.len) {
		struct span one = { text.p + i, 0 };

		while (i < text.len && text.p[i] != ',')
			i++;
		one.len = (size_t)(text.p + i - one.p);
		i++;
		while (one.len > 0 && (*one.p == ' ' || *one.p == '\t')) {
			one.p++;
			one.len--;
		}
		while (one.len > 0 &&
		    (one.p[one.len - 1] == ' ' || one.p[one.len - 1] == '\t'))
			one.len--;
		if (span_is_nocase(one, word))
			return true;
	}
	return false;
}

/* Fields that say where the response ends; what is wrong with one, or NULL. */
static const char *
read_framing(struct http1 *h, struct reading *r, const struct http1_field *f)
{
	int64_t length;

	switch (f->name.len) {
	case 10:
		if (!span_is_nocase(f->name, "connection"))
			return NULL;
		r->close |= lists(f->value, "close");
		r->keep_alive |= lists(f->value, "keep-alive");
		return NULL;
	case 14:
		if (!span_is_nocase(f->name, "content-length"))
			return NULL;
		length = read_length(f->value);
		if (length == -1 ||
		    (r->out.content_length != -1 &&
			r->out.content_length != length))
			return "an invalid Content-Length";
		r->out.content_length = length;
		return NULL;
	case 17:
		if (!span_is_nocase(f->name, "transfer-encoding") ||
		    span_is_nocase(f->value, "identity"))
			return NULL;
		if (h->chunked || !span_is_nocase(f->value, "chunked"))
			return "a Transfer-Encoding that is not chunked";
		h->chunked = true;
		return NULL;
	default:
		return NULL;
	}
}

static bool
more_fields(struct http1 *h, struct reading *r)
{
	size_t room = r->room == 0 ? FIELDS_FIRST : 2 * r->room;
	struct http1_field *fields;

	if (r->room == HTTP1_FIELDS_MAX)
		return false;
	if (room > HTTP1_FIELDS_MAX)
		room = HTTP1_FIELDS_MAX;
	fields = arena_alloc(h->arena, room * sizeof(*fields));
	if (r->out.nfields > 0)
		memcpy(fields, r->fields, r->out.nfields * sizeof(*fields));
	r->fields = fields;
	r->room = room;
	return true;
}

/* The line is in the head's buffer, which becomes the fields' memory. */
static const char *
read_field(struct http1 *h, struct reading *r, struct span line)
{
	char *colon = memchr(line.p, ':', line.len);
	struct http1_field field, *f = &field;

	if (*line.p == ' ' || *line.p == '\t')
		return NULL; /* folded */
	if (colon == NULL || colon == line.p)
		return "a header line without a name and a colon";
	if (isspace((unsigned char)colon[-1]))
		return "a space before a header's colon";
	if (r->out.nfields < r->room || more_fields(h, r))
		f = &r->fields[r->out.nfields++];
	*colon = '\0';
	f->name = (struct span){ line.p, (size_t)(colon - line.p) };
	f->value = (struct span){ colon + 1, line.len - f->name.len - 1 };
	while (f->value.len > 0 && isspace((unsigned char)*f->value.p)) {
		f->value.p++;
		f->value.len--;
	}
	while (f->value.len > 0 &&
	    isspace((unsigned char)f->value.p[f->value.len - 1]))
		f->value.len--;
	((char *)f->value.p)[f->value.len] = '\0';
	return read_framing(h, r, f);
}

/* RFC 9112 6.3: what frames the body. */
static void
frame_body(struct http1 *h, struct reading *r)
{
	int status = r->out.status;

	h->keeps = r->http10 ? r->keep_alive && !r->close : !r->close;
	if (status == 204 || status == 304) {
		h->state = HTTP1_AT_END;
	} else if (h->chunked) {
		/* RFC 9112 6.1, 6.3: faulty, so the connection is not
		 * reused. */
		if (r->out.content_length >= 0 || r->http10)
			h->keeps = false;
		r->out.content_length = -1;
		h->state = HTTP1_IN_SIZE;
		h->left = h->digits = 0;
	} else if (r->out.content_length >= 0) {
		h->left = (uint64_t)r->out.content_length;
		h->state = h->left == 0 ? HTTP1_AT_END : HTTP1_IN_LENGTH;
	} else {
		h->keeps = false;
		h->state = HTTP1_TO_CLOSE;
	}
}

static bool
has_bare_cr(const char *p, size_t len)
{
	const char *end = p + len;

	while ((p = memchr(p, '\r', (size_t)(end - p))) != NULL) {
		if (++p == end || *p != '\n')
			return true;
	}
	return false;
}

enum http1_result
http1_read_head(struct http1 *h)
{
	struct reading r = { .out.content_length = -1 };
	char *at = h->head, *end = h->head + h->head_len;
	const char *wrong;
	struct span line;

	if (memchr(h->head, '\0', h->head_len) != NULL)
		return http1_bad(h, "a NUL in its head");
	if (has_bare_cr(h->head, h->head_len))
		return http1_bad(h, "a CR alone in its head");
	if (!next_line(&at, end, &line) || !read_status(line, &r))
		return http1_bad(h, "no HTTP/1 status line");
	h->chunked = false;
	while (next_line(&at, end, &line)) {
		if ((wrong = read_field(h, &r, line)) != NULL)
			return http1_bad(h, wrong);
	}
	h->head = NULL;
	h->head_len = h->head_room = 0;
	if (r.out.status == 101)
		return http1_bad(
		    h, "another protocol, which was not requested");
	if (r.out.status < 200)
		return HTTP1_MORE;
	r.out.fields = r.fields;
	frame_body(h, &r);
	return h->sink.head(h->sink.ctx, &r.out) == 0 ? HTTP1_MORE
						      : HTTP1_STOPPED;
}

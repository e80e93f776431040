/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how an upstream's answer is framed: heads, lengths, chunks, trailers.
 * Behind upstream.c, which reads the bytes; the relay sees only what they
 * mean.
 */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "base/hex.h"
#include "wire/http1.h"

#define FIELDS_FIRST 24
#define SIZE_DIGITS_MAX 15
#define EXTENSION_MAX 4096 /* bytes behind a chunk's size */
#define LENGTH_MAX (INT64_MAX / 2)

void
http1_init(struct http1 *h, struct arena *arena, const struct http1_sink *sink)
{
	memset(h, 0, sizeof(*h));
	h->arena = arena;
	h->sink = *sink;
}

static enum http1_result
bad(struct http1 *h, const char *error)
{
	h->error = error;
	return HTTP1_BAD;
}

/* ---- where a head ends ------------------------------------------------ */

/* How many of the bytes are up to and with the blank line that ends a head or
 * a trailer; 0: it is not among them. */
static size_t
find_blank(struct http1 *h, struct span in)
{
	size_t at = 0, n;
	const char *lf;

	while ((lf = memchr(in.p + at, '\n', in.len - at)) != NULL) {
		bool cr = h->line_cr;
		size_t line = h->line_len;

		n = (size_t)(lf - (in.p + at));
		if (n > 0)
			cr = line == 0 && n == 1 && in.p[at] == '\r';
		line += n;
		at += n + 1;
		h->line_len = 0;
		h->line_cr = false;
		if (line == 0 || (line == 1 && cr))
			return at;
	}
	n = in.len - at;
	if (n > 0)
		h->line_cr = h->line_len == 0 && n == 1 && in.p[at] == '\r';
	h->line_len += n;
	return 0;
}

static bool
count_head(struct http1 *h, size_t n)
{
	h->head_bytes += n;
	return h->head_bytes <= HTTP1_HEAD_MAX;
}

static void
keep_head(struct http1 *h, struct span bytes)
{
	size_t need = h->head_len + bytes.len;

	if (need > h->head_room) {
		size_t room = h->head_len == 0 ? need : 2 * need;
		char *head = arena_alloc(h->arena, room);

		if (h->head_len > 0)
			memcpy(head, h->head, h->head_len);
		h->head = head;
		h->head_room = room;
	}
	memcpy(h->head + h->head_len, bytes.p, bytes.len);
	h->head_len = need;
}

/* ---- what a head says ------------------------------------------------- */

/* What is being read of one head. */
struct reading {
	struct http1_head out;
	struct http1_field *fields;
	size_t room;
	bool http10, close, keep_alive, coded;
};

/* The next line, without its end; false behind the last. */
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

/* "HTTP/1.1 200 OK", or without what stands behind the number. */
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

/* Digits alone, perhaps the same again behind a comma; -1: not so. */
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

/* Fields that say where the answer ends; what is wrong with one, or NULL. */
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
			return "a Content-Length that is none";
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
		/* RFC 9112 6.1, 6.3: faulty, so it is the last one. */
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

/* The head is whole. */
static enum http1_result
read_head(struct http1 *h)
{
	struct reading r = { .out.content_length = -1 };
	char *at = h->head, *end = h->head + h->head_len;
	const char *wrong;
	struct span line;

	if (memchr(h->head, '\0', h->head_len) != NULL)
		return bad(h, "a NUL in its head");
	if (has_bare_cr(h->head, h->head_len))
		return bad(h, "a CR alone in its head");
	if (!next_line(&at, end, &line) || !read_status(line, &r))
		return bad(h, "no HTTP/1 status line");
	h->chunked = false;
	while (next_line(&at, end, &line)) {
		if ((wrong = read_field(h, &r, line)) != NULL)
			return bad(h, wrong);
	}
	h->head = NULL;
	h->head_len = h->head_room = 0;
	if (r.out.status == 101)
		return bad(h, "another protocol, which nobody asked for");
	if (r.out.status < 200)
		return HTTP1_MORE;
	r.out.fields = r.fields;
	frame_body(h, &r);
	return h->sink.head(h->sink.ctx, &r.out) == 0 ? HTTP1_MORE
						      : HTTP1_STOPPED;
}

/* What is no HTTP is told before a blank line comes, if one ever does. */
static bool
begins_well(const struct http1 *h)
{
	static const char begin[] = "HTTP/1.";
	size_t n = sizeof(begin) - 1;

	return memcmp(h->head, begin, h->head_len < n ? h->head_len : n) == 0;
}

static enum http1_result
take_head(struct http1 *h, struct span *in)
{
	size_t end = find_blank(h, *in), n = end == 0 ? in->len : end;

	if (!count_head(h, n))
		return bad(h, "head over 64 KiB");
	keep_head(h, (struct span){ in->p, n });
	in->p += n;
	in->len -= n;
	if (!begins_well(h))
		return bad(h, "no HTTP/1 status line");
	return end == 0 ? HTTP1_MORE : read_head(h);
}

/* ---- the body --------------------------------------------------------- */

static enum http1_result
give(struct http1 *h, struct span *in, size_t n)
{
	struct span part = { in->p, n };

	in->p += n;
	in->len -= n;
	return h->sink.body(h->sink.ctx, part) == 0 ? HTTP1_MORE
						    : HTTP1_STOPPED;
}

/* Of a length or a chunk; `then` is what comes behind it. */
static enum http1_result
take_left(struct http1 *h, struct span *in, enum http1_state then)
{
	size_t n = in->len < h->left ? in->len : (size_t)h->left;

	h->left -= n;
	if (h->left == 0) {
		h->state = then;
		h->digits = 0;
	}
	return give(h, in, n);
}

static char
next_byte(struct span *in)
{
	in->len--;
	return *in->p++;
}

static enum http1_result
take_size(struct http1 *h, struct span *in)
{
	while (in->len > 0) {
		int digit = hex_value(*in->p);

		if (digit == -1) {
			if (h->digits == 0 ||
			    memchr("\r\n; \t", *in->p, 5) == NULL)
				return bad(h, "a chunk without a size");
			h->state = HTTP1_IN_EXTENSION;
			h->digits = 0;
			return HTTP1_MORE;
		}
		if (++h->digits > SIZE_DIGITS_MAX)
			return bad(h, "a chunk of absurd size");
		h->left = h->left << 4 | (unsigned)digit;
		next_byte(in);
	}
	return HTTP1_MORE;
}

static enum http1_result
take_extension(struct http1 *h, struct span *in)
{
	while (in->len > 0) {
		if (next_byte(in) == '\n') {
			h->state =
			    h->left == 0 ? HTTP1_IN_TRAILER : HTTP1_IN_CHUNK;
			h->line_len = 0;
			h->line_cr = false;
			return HTTP1_MORE;
		}
		if (++h->digits > EXTENSION_MAX)
			return bad(h, "a chunk's extension without an end");
	}
	return HTTP1_MORE;
}

static enum http1_result
take_chunk_end(struct http1 *h, struct span *in)
{
	while (in->len > 0) {
		char c = next_byte(in);

		if (c == '\n') {
			h->state = HTTP1_IN_SIZE;
			h->left = h->digits = 0;
			return HTTP1_MORE;
		}
		if (c != '\r' || ++h->digits > 1)
			return bad(h, "a chunk longer than it says");
	}
	return HTTP1_MORE;
}

/* Nobody waits for what a trailer says. */
static enum http1_result
take_trailer(struct http1 *h, struct span *in)
{
	size_t end = find_blank(h, *in), n = end == 0 ? in->len : end;

	if (!count_head(h, n))
		return bad(h, "head over 64 KiB");
	in->p += n;
	in->len -= n;
	if (end != 0)
		h->state = HTTP1_AT_END;
	return HTTP1_MORE;
}

static enum http1_result
take(struct http1 *h, struct span *in)
{
	switch (h->state) {
	case HTTP1_IN_HEAD:
		return take_head(h, in);
	case HTTP1_IN_LENGTH:
		return take_left(h, in, HTTP1_AT_END);
	case HTTP1_IN_SIZE:
		return take_size(h, in);
	case HTTP1_IN_EXTENSION:
		return take_extension(h, in);
	case HTTP1_IN_CHUNK:
		return take_left(h, in, HTTP1_IN_CHUNK_END);
	case HTTP1_IN_CHUNK_END:
		return take_chunk_end(h, in);
	case HTTP1_IN_TRAILER:
		return take_trailer(h, in);
	case HTTP1_TO_CLOSE:
		return give(h, in, in->len);
	case HTTP1_AT_END:
		break;
	}
	return HTTP1_DONE;
}

enum http1_result
http1_push(struct http1 *h, struct span in)
{
	enum http1_result result = HTTP1_MORE;

	h->bytes += in.len;
	while (in.len > 0 && result == HTTP1_MORE && h->state != HTTP1_AT_END)
		result = take(h, &in);
	if (result != HTTP1_MORE || h->state != HTTP1_AT_END)
		return result;
	if (in.len > 0)
		h->keeps = false; /* whose bytes are these? */
	return HTTP1_DONE;
}

bool
http1_ends(const struct http1 *h)
{
	return h->state == HTTP1_TO_CLOSE || h->state == HTTP1_AT_END;
}

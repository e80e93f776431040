/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the form's framing.  It works between the spool and the measuring of
 * the call: the upstream must read the same form in the same bytes.  So
 * everything that two parsers are known to read differently (a boundary after a
 * bare LF, a folded header, a repeated or needlessly escaped name) is refused.
 */
#include "config.h"

#include <string.h>
#include <strings.h>

#include "wire/multipart.h"

#define MULTIPART_HEADER_MAX 8192

struct scan {
	struct span body;
	char delimiter[MULTIPART_BOUNDARY_MAX + 2]; /* "--" boundary */
	size_t delimiter_len;
	size_t begin, end; /* of the form: first to last delimiter */
	const char *error;
};

static bool
is_token(unsigned char c)
{
	return c > 0x20 && c < 0x7f && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

static struct span
skip_blanks(struct span s)
{
	while (s.len > 0 && (*s.p == ' ' || *s.p == '\t')) {
		s.p++;
		s.len--;
	}
	return s;
}

static struct span
behind(struct span s, size_t n)
{
	return (struct span){ s.p + n, s.len - n };
}

/* A quoted value from its quote on; a backslash may only stand before what
 * needs it.  Returns its length with the quotes, 0: malformed. */
static size_t
quoted_length(struct span s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.p[i] == '"')
			return i + 1;
		if (s.p[i] != '\\')
			continue;
		if (++i == s.len || (s.p[i] != '"' && s.p[i] != '\\'))
			return 0;
	}
	return 0;
}

/* Takes `; name=value` off the front of *s.  1: taken, 0: nothing more
 * there, -1: malformed. */
static int
take_parameter(struct span *s, struct span *name, struct span *value)
{
	struct span at = skip_blanks(*s);
	size_t n = 0;

	if (at.len == 0)
		return 0;
	if (*at.p != ';')
		return -1;
	at = skip_blanks(behind(at, 1));
	if (at.len == 0)
		return 0;
	while (n < at.len && is_token((unsigned char)at.p[n]))
		n++;
	*name = (struct span){ at.p, n };
	if (n == 0 || n == at.len || at.p[n] != '=')
		return -1;
	at = behind(at, n + 1);
	n = 0;
	if (at.len > 0 && *at.p == '"') {
		if ((n = quoted_length(at)) == 0)
			return -1;
		*value = (struct span){ at.p + 1, n - 2 };
	} else {
		while (n < at.len && is_token((unsigned char)at.p[n]))
			n++;
		*value = (struct span){ at.p, n };
	}
	*s = behind(at, n);
	return 1;
}

/* RFC 2046 §5.1.1; where a value may not be a token it must be quoted, but
 * no client does that for '/' or ':' alone. */
static bool
boundary_ok(struct span b)
{
	if (b.len == 0 || b.len > MULTIPART_BOUNDARY_MAX ||
	    b.p[b.len - 1] == ' ')
		return false;
	for (size_t i = 0; i < b.len; i++) {
		unsigned char c = (unsigned char)b.p[i];

		if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
			continue;
		if (c < 0x20 || strchr("0123456789'()+_,-./:=? ", c) == NULL)
			return false;
	}
	return true;
}

struct span
multipart_boundary(const char *content_type)
{
	static const char type[] = "multipart/form-data";
	const struct span none = { NULL, 0 };
	struct span s, name, value, boundary = none;
	int got;

	if (content_type == NULL)
		return none;
	s = skip_blanks(span_of(content_type));
	if (s.len < sizeof(type) - 1 ||
	    strncasecmp(s.p, type, sizeof(type) - 1) != 0)
		return none;
	s = behind(s, sizeof(type) - 1);
	while ((got = take_parameter(&s, &name, &value)) == 1) {
		if (!span_is_nocase(name, "boundary"))
			continue;
		if (boundary.p != NULL || !boundary_ok(value))
			return none;
		boundary = value;
	}
	return got == 0 ? boundary : none;
}

static bool
begins_nocase(struct span s, const char *with)
{
	size_t n = strlen(with);

	return s.len >= n && strncasecmp(s.p, with, n) == 0;
}

/* Is it that parameter, up to its '=', however loosely a reader takes it?
 * (name*0*=, name =, name\"=.) */
static bool
begins_parameter(struct span s, const char *name)
{
	static const char between[] = "*0123456789 \t\v\f\"'\\";

	if (!begins_nocase(s, name))
		return false;
	s = behind(s, strlen(name));
	while (s.len > 0 && memchr(between, *s.p, sizeof(between) - 1) != NULL)
		s = behind(s, 1);
	return s.len > 0 && *s.p == '=';
}

/* Could a reader that looks for semicolons alone (cpp-httplib, in the servers
 * of llama.cpp and whisper.cpp) find another name in a quoted value? */
static bool
holds_name(struct span value)
{
	const char *semicolon;

	while (value.len > 0 &&
	    (semicolon = memchr(value.p, ';', value.len)) != NULL) {
		value = skip_blanks(
		    behind(value, (size_t)(semicolon - value.p) + 1));
		if (begins_parameter(value, "name") ||
		    begins_parameter(value, "filename"))
			return true;
	}
	return false;
}

/* The parameters of a Content-Disposition. */
static const char *
parse_disposition(struct span s, struct multipart_part *part)
{
	static const char type[] = "form-data";
	struct span name, value;
	int got;

	if (part->name.p != NULL)
		return "a part with two Content-Disposition headers";
	if (s.len < sizeof(type) - 1 ||
	    strncasecmp(s.p, type, sizeof(type) - 1) != 0)
		return "a part that is not form-data";
	s = behind(s, sizeof(type) - 1);
	while ((got = take_parameter(&s, &name, &value)) == 1) {
		if (holds_name(value))
			return "a part with a name within another";
		/* name*, name*0, name*0*: RFC 2231. */
		if (begins_nocase(name, "name*"))
			return "a part with an encoded name";
		if (span_is_nocase(name, "filename") ||
		    begins_nocase(name, "filename*")) {
			part->file = true;
			part->file_name = value;
		}
		if (!span_is_nocase(name, "name"))
			continue;
		if (part->name.p != NULL)
			return "a part with two names";
		if (memmem(value.p, value.len, "=?", 2) != NULL)
			return "a part with an encoded name"; /* RFC 2047 */
		part->name = value;
	}
	if (got == -1)
		return "a malformed Content-Disposition header";
	return part->name.p == NULL ? "a part without a name" : NULL;
}

/* One header line of a part. */
static const char *
parse_header(struct span line, struct multipart_part *part)
{
	const char *colon = memchr(line.p, ':', line.len);
	struct span name, value;

	if (*line.p == ' ' || *line.p == '\t')
		return "a folded part header";
	if (colon == NULL || colon == line.p ||
	    memchr(line.p, '\0', line.len) != NULL ||
	    memchr(line.p, '\r', line.len) != NULL ||
	    memchr(line.p, '\n', line.len) != NULL)
		return "a malformed part header";
	name = (struct span){ line.p, (size_t)(colon - line.p) };
	for (size_t i = 0; i < name.len; i++)
		if (!is_token((unsigned char)name.p[i]))
			return "a malformed part header";
	value = skip_blanks(behind(line, name.len + 1));
	if (span_is_nocase(name, "Content-Disposition"))
		return parse_disposition(value, part);
	if (span_is_nocase(name, "Content-Transfer-Encoding") &&
	    !span_is_nocase(value, "binary") &&
	    !span_is_nocase(value, "8bit") && !span_is_nocase(value, "7bit"))
		return "a part with a transfer encoding";
	return NULL;
}

/* The part's headers; on return *at is its content's offset. */
static int
take_headers(struct scan *s, size_t *at, struct multipart_part *part)
{
	struct span rest = behind(s->body, *at);
	size_t used = 0;

	for (;;) {
		const char *eol = memmem(rest.p, rest.len, "\r\n", 2);
		struct span line = { rest.p, 0 };

		if (eol == NULL ||
		    used + (size_t)(eol - rest.p) > MULTIPART_HEADER_MAX) {
			s->error =
			    eol == NULL && rest.len <= MULTIPART_HEADER_MAX
			    ? "the form ends inside a part's headers"
			    : "a part's headers are too long";
			return -1;
		}
		line.len = (size_t)(eol - rest.p);
		used += line.len + 2;
		rest = behind(rest, line.len + 2);
		if (line.len == 0)
			break;
		if ((s->error = parse_header(line, part)) != NULL)
			return -1;
	}
	part->headers = (struct span){ s->body.p + *at, used - 2 };
	*at += used;
	if (part->name.p == NULL) {
		s->error = "a part without a name";
		return -1;
	}
	return 0;
}

/* The next delimiter from `from` on; its offset in *at.  -1: none, or one
 * that comes after half a line end. */
static int
find_delimiter(struct scan *s, size_t from, size_t *at)
{
	const char *begin = s->body.p, *end = begin + s->body.len;
	const char *p = begin + from;

	while ((p = memmem(p, (size_t)(end - p), s->delimiter,
		    s->delimiter_len)) != NULL) {
		if (p == begin ||
		    (p - begin >= 2 && p[-1] == '\n' && p[-2] == '\r')) {
			*at = (size_t)(p - begin);
			return 0;
		}
		if (p[-1] == '\n' || p[-1] == '\r') {
			s->error = "a boundary after a bare line end";
			return -1;
		}
		p++;
	}
	s->error = "the form has no final boundary";
	return -1;
}

/* The rest of a delimiter's line.  0: a part follows at *at, 1: that was the
 * last. */
static int
end_delimiter(struct scan *s, size_t *at)
{
	struct span rest = behind(s->body, *at + s->delimiter_len);
	bool last = rest.len >= 2 && memcmp(rest.p, "--", 2) == 0;

	if (last)
		s->end = (size_t)(rest.p + 2 - s->body.p);
	rest = skip_blanks(behind(rest, last ? 2 : 0));
	if (last && rest.len == 0)
		return 1;
	if (rest.len < 2 || memcmp(rest.p, "\r\n", 2) != 0) {
		s->error = rest.len == 0 ? "the form ends after a boundary"
					 : "bytes after a boundary";
		return -1;
	}
	/* Blanks before the line end are not sent. */
	if (last && rest.p == s->body.p + s->end)
		s->end += 2;
	*at = (size_t)(rest.p + 2 - s->body.p);
	return last ? 1 : 0;
}

static int
scan_parts(struct scan *s, int (*part)(void *, const struct multipart_part *),
    void *ctx)
{
	size_t at = 0, end;
	int stop;

	if (find_delimiter(s, 0, &at) == -1)
		return -1;
	s->begin = at;
	for (unsigned n = 0; (stop = end_delimiter(s, &at)) == 0; n++) {
		struct multipart_part p = { .file = false };

		if (n == MULTIPART_PARTS_MAX) {
			s->error = "too many parts";
			return -1;
		}
		if (take_headers(s, &at, &p) == -1)
			return -1;
		/* An empty content has the header's own CRLF before it. */
		if (find_delimiter(s, at, &end) == -1)
			return -1;
		if (end < at + 2) {
			s->error = "a part without content";
			return -1;
		}
		p.offset = at;
		p.content = (struct span){ s->body.p + at, end - at - 2 };
		if ((stop = part(ctx, &p)) != 0)
			return stop;
		at = end;
	}
	return stop == 1 ? 0 : -1;
}

int
multipart_scan(struct span body, struct span boundary,
    int (*part)(void *ctx, const struct multipart_part *), void *ctx,
    struct span *form, const char **error)
{
	struct scan s = { .body = body };
	int result;

	*error = NULL;
	if (body.len == 0 || boundary.p == NULL || !boundary_ok(boundary)) {
		*error =
		    body.len == 0 ? "the form is empty" : "no usable boundary";
		return -1;
	}
	memcpy(s.delimiter, "--", 2);
	memcpy(s.delimiter + 2, boundary.p, boundary.len);
	s.delimiter_len = boundary.len + 2;
	result = scan_parts(&s, part, ctx);
	if (result == -1)
		*error = s.error;
	else
		*form = (struct span){ body.p + s.begin, s.end - s.begin };
	return result;
}

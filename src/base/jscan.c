/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The strict JSON scanner: hides the grammar of RFC 8259 and the byte tables of
 * RFC 3629.  A request's body is scanned once, right after it was read; all
 * that the policy knows of the request comes from this scan.
 */
#include "config.h"

#include <stdint.h>

#include "base/hex.h"
#include "base/jscan.h"
#include "base/lanes.h"
#include "base/utf8.h"

/* How many of those are looked at together in long texts. */
#define STRIDE ((size_t)4 * LANES)

struct scan {
	const char *start, *end;
	unsigned max_depth;
	int (*value)(void *, const struct jscan_value *);
	void *ctx;
	struct jscan_error *error;
	unsigned depth; /* containers that are open */
	struct levels *levels;
};

/* Of the containers that are open; beyond `depth` they mean nothing. */
struct levels {
	bool object[JSCAN_DEPTH_MAX];
	const char *begin[JSCAN_DEPTH_MAX];
	struct jscan_step path[JSCAN_DEPTH_MAX];
};

static const char *
fail(struct scan *s, const char *at, const char *text)
{
	s->error->offset = (size_t)(at - s->start);
	s->error->text = text;
	return NULL;
}

static const char *
skip_space(const struct scan *s, const char *p)
{
	while (
	    p < s->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

#ifdef HAS_LANES
/* Each of them that is a quote, a backslash, a control or, negative, not
 * ASCII. */
static inline lanes
special(const char *p)
{
	static const lanes space = LANES_ALL(' '), quote = LANES_ALL('"'),
			   slash = LANES_ALL('\\');
	lanes x;

	memcpy(&x, p, sizeof(x));
	return (x < space) | (x == quote) | (x == slash);
}

static bool
is_plain_stride(const char *p)
{
	return lanes_first(special(p) | special(p + LANES) |
		   special(p + 2 * LANES) | special(p + 3 * LANES)) == LANES;
}

/* Skips what is certainly plain.  Code has an escape in every line, so large
 * steps are only taken after two small ones. */
static const char *
skip_lanes(const char *p, const char *end)
{
	size_t n;

	for (unsigned i = 0; end - p >= LANES; i++) {
		n = lanes_first(special(p));
		p += n;
		if (n < LANES)
			break;
		while (
		    i > 0 && (size_t)(end - p) >= STRIDE && is_plain_stride(p))
			p += STRIDE;
	}
	return p;
}
#endif

static const char *
skip_plain(const char *p, const char *end)
{
#ifdef HAS_LANES
	p = skip_lanes(p, end);
#endif
	while (p < end && (unsigned char)*p >= 0x20 &&
	    (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* p at the backslash; the byte after the escape. */
static const char *
scan_escape(struct scan *s, const char *p)
{
	int i;

	if (s->end - p < 2)
		return fail(s, s->end, "unfinished string");
	switch (p[1]) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return p + 2;
	case 'u':
		for (i = 2; i < 6; i++) {
			if (p + i == s->end)
				return fail(s, s->end, "unfinished string");
			if (hex_value(p[i]) == -1)
				return fail(s, p + i, "bad \\u escape");
		}
		return p + 6;
	default:
		return fail(s, p + 1, "bad escape in a string");
	}
}

/* p after the opening quote; returns the closing one. */
static const char *
scan_string(struct scan *s, const char *p, bool *escaped)
{
	size_t n;

	*escaped = false;
	while (p != NULL) {
		p = skip_plain(p, s->end);
		if (p == s->end)
			return fail(s, p, "unfinished string");
		if (*p == '"')
			return p;
		if (*p == '\\') {
			*escaped = true;
			p = scan_escape(s, p);
			continue;
		}
		if ((unsigned char)*p < 0x20)
			return fail(s, p, "control character in a string");
		for (; p < s->end && (unsigned char)*p >= 0x80; p += n)
			if ((n = utf8_length((const unsigned char *)p,
				 (size_t)(s->end - p))) == 0)
				return fail(s, p, "not valid UTF-8");
	}
	return NULL;
}

static const char *
skip_digits(const struct scan *s, const char *p)
{
	while (p < s->end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

static const char *
scan_number(struct scan *s, const char *p)
{
	const char *digits;

	if (*p == '-')
		p++;
	digits = p;
	p = skip_digits(s, p);
	if (p == digits)
		return fail(s, p, "bad number");
	if (*digits == '0' && p > digits + 1)
		return fail(s, digits, "number with a leading zero");
	if (p < s->end && *p == '.') {
		digits = ++p;
		if ((p = skip_digits(s, p)) == digits)
			return fail(s, p, "bad number");
	}
	if (p < s->end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < s->end && (*p == '+' || *p == '-'))
			p++;
		digits = p;
		if ((p = skip_digits(s, p)) == digits)
			return fail(s, p, "bad number");
	}
	return p;
}

static const char *
scan_word(struct scan *s, const char *p, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(s->end - p) < n || memcmp(p, word, n) != 0)
		return fail(s, p, "no such value");
	return p + n;
}

static int
emit(struct scan *s, enum jscan_type type, bool begin, const char *p,
    const char *end, bool escaped)
{
	struct jscan_value v = { .type = type,
		.begin = begin,
		.depth = s->depth,
		.path = s->levels->path,
		.raw = { p, (size_t)(end - p) },
		.escaped = escaped };

	return s->value(s->ctx, &v);
}

/* A value that contains no others. */
static const char *
scan_scalar(struct scan *s, const char *p, int *rc)
{
	enum jscan_type type = JSCAN_NUMBER;
	bool escaped = false;
	const char *end;

	switch (*p) {
	case '"':
		type = JSCAN_STRING;
		if ((end = scan_string(s, p + 1, &escaped)) != NULL)
			end++;
		break;
	case 't':
		type = JSCAN_TRUE;
		end = scan_word(s, p, "true");
		break;
	case 'f':
		type = JSCAN_FALSE;
		end = scan_word(s, p, "false");
		break;
	case 'n':
		type = JSCAN_NULL;
		end = scan_word(s, p, "null");
		break;
	default:
		if (*p != '-' && (*p < '0' || *p > '9'))
			return fail(s, p, "no such value");
		end = scan_number(s, p);
	}
	if (end != NULL)
		*rc = emit(s, type, false, p, end, escaped);
	return end;
}

/* `"key" :` of the innermost object; the byte after the colon. */
static const char *
scan_key(struct scan *s, const char *p)
{
	struct jscan_step *step = &s->levels->path[s->depth - 1];
	const char *end;

	if (p == s->end || *p != '"')
		return fail(s, p, "a member's name was expected");
	if ((end = scan_string(s, p + 1, &step->key_escaped)) == NULL)
		return NULL;
	step->key = (struct span){ p + 1, (size_t)(end - p - 1) };
	p = skip_space(s, end + 1);
	if (p == s->end || *p != ':')
		return fail(s, p, "a colon was expected");
	return skip_space(s, p + 1);
}

static const char *
open_container(struct scan *s, const char *p, int *rc)
{
	bool object = *p == '{';

	if (s->depth == s->max_depth)
		return fail(s, p, "nested too deeply");
	*rc = emit(s, object ? JSCAN_OBJECT : JSCAN_ARRAY, true, p, p, false);
	s->levels->object[s->depth] = object;
	s->levels->begin[s->depth] = p;
	s->levels->path[s->depth] = (struct jscan_step){ .index = 0 };
	s->depth++;
	return p + 1;
}

static const char *
close_container(struct scan *s, const char *p, int *rc)
{
	s->depth--;
	*rc = emit(s, s->levels->object[s->depth] ? JSCAN_OBJECT : JSCAN_ARRAY,
	    false, s->levels->begin[s->depth], p + 1, false);
	return p + 1;
}

static bool
closes(const struct scan *s, const char *p)
{
	return p < s->end &&
	    *p == (s->levels->object[s->depth - 1] ? '}' : ']');
}

/* Moves from the byte after an opening bracket or a value to the beginning
 * of the next value, and closes the containers that end there.  At depth 0
 * the text is over. */
static const char *
next_value(struct scan *s, const char *p, bool first, int *rc)
{
	for (;; first = false) {
		p = skip_space(s, p);
		if (s->depth == 0)
			return p;
		if (closes(s, p)) {
			p = close_container(s, p, rc);
			if (*rc != 0)
				return p;
			continue;
		}
		if (!first) {
			if (p == s->end || *p != ',')
				return fail(s, p, "a comma was expected");
			s->levels->path[s->depth - 1].index++;
			p = skip_space(s, p + 1);
		}
		return s->levels->object[s->depth - 1] ? scan_key(s, p) : p;
	}
}

static int
scan_text(struct scan *s)
{
	const char *p = skip_space(s, s->start);
	int rc = 0;
	bool open;

	do {
		if (p == s->end) {
			fail(s, p, "unfinished text");
			return -1;
		}
		open = *p == '{' || *p == '[';
		p = open ? open_container(s, p, &rc) : scan_scalar(s, p, &rc);
		if (p != NULL && rc == 0)
			p = next_value(s, p, open, &rc);
		if (p == NULL)
			return -1;
		if (rc != 0)
			return rc;
	} while (s->depth > 0);
	if (p != s->end) {
		fail(s, p, "something after the text");
		return -1;
	}
	return 0;
}

/* A scan inside a scan's value(). */
__attribute__((noinline)) static int
scan_inside(const struct scan *outer)
{
	struct levels levels;
	struct scan s = *outer;

	s.levels = &levels;
	return scan_text(&s);
}

int
jscan(struct span text, unsigned max_depth,
    int (*value)(void *ctx, const struct jscan_value *), void *ctx,
    struct jscan_error *error)
{
	/* Not on the stack: a task has little of it, and keeps what it has
	 * touched. */
	static _Thread_local struct levels levels;
	static _Thread_local bool taken;
	struct scan s = { .start = text.p,
		.end = text.p == NULL ? NULL : text.p + text.len,
		.max_depth =
		    max_depth < JSCAN_DEPTH_MAX ? max_depth : JSCAN_DEPTH_MAX,
		.value = value,
		.ctx = ctx,
		.error = error,
		.levels = &levels };
	int rc;

	*error = (struct jscan_error){ 0, NULL };
	if (taken)
		return scan_inside(&s);
	taken = true;
	rc = scan_text(&s);
	taken = false;
	return rc;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the dialects of errors: {"error":{"message"}}, {"error":"…"},
 * {"message"}, {"detail":[{"loc","msg"}]}, lists, bare strings, text, HTML.
 */
#include "config.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/jscan.h"
#include "base/jspan.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "bridge/words.h"

/* No more of a body is read. */
#define BODY_BYTES ((size_t)256 * 1024)
/* {"error":{"error":"{\"error\":…}"}} */
#define NESTED_MAX 6
#define REPLACEMENT "\xef\xbf\xbd"
#define ELLIPSIS "\xe2\x80\xa6"

static void add_value(struct span json, unsigned nested, struct buf *out);

/* --- Clean text --- */

static bool
is_space(char c)
{
	return (unsigned char)c <= ' ' || c == 0x7f;
}

static struct span
trimmed(struct span s)
{
	while (s.len > 0 && is_space(s.p[0]))
		s = (struct span){ s.p + 1, s.len - 1 };
	while (s.len > 0 && is_space(s.p[s.len - 1]))
		s.len--;
	return s;
}

/* Runs of blanks and controls become one blank, bad UTF-8 becomes U+FFFD. */
static void
add_clean(struct span text, struct buf *out)
{
	size_t i = 0, n;

	text = trimmed(text);
	while (i < text.len && !buf_failed(out)) {
		bool wide = (unsigned char)text.p[i] >= 0x80;

		if (is_space(text.p[i])) {
			while (is_space(text.p[i]))
				i++;
			buf_puts(out, " ");
			continue;
		}
		n = !wide ? 1
			  : utf8_length((const unsigned char *)text.p + i,
				text.len - i);
		/* U+0080 to U+009F are controls as well. */
		if (n == 0 ||
		    (n == 2 && text.p[i] == '\xc2' &&
			(unsigned char)text.p[i + 1] < 0xa0)) {
			buf_puts(out, REPLACEMENT);
			n = n == 0 ? 1 : n;
		} else
			buf_add(out, text.p + i, n);
		i += n;
	}
}

static void
separate(struct buf *out, size_t from, const char *with)
{
	if (out->len > from)
		buf_puts(out, with);
}

/* --- JSON --- */

/* The members with words, the best first. */
static const char *const keys[] = { "error", "message", "detail", "msg",
	"error_message", "error_msg", "error_description", "errorMessage",
	"errmsg", "err_msg", "errors", "details", "description", "reason",
	"title", "status_message", "status_msg", "fault", "faultstring",
	"messages", "exception", "cause", "Message", "Error" };
#define NKEYS (sizeof(keys) / sizeof(*keys))

struct members {
	struct span value[NKEYS];
	struct span location; /* FastAPI's loc */
	struct span raw; /* OpenRouter's metadata.raw */
	struct span code; /* or type: words where there are no others */
};

static int
on_member(void *ctx, const struct jscan_value *v)
{
	struct members *m = ctx;

	if (v->begin || v->depth == 0 || v->type == JSCAN_NULL)
		return 0;
	if (v->depth == 2 && jscan_key_is(&v->path[0], "metadata") &&
	    jscan_key_is(&v->path[1], "raw"))
		m->raw = v->raw;
	if (v->depth != 1)
		return 0;
	if (jscan_key_is(&v->path[0], "loc") && v->type == JSCAN_ARRAY)
		m->location = v->raw;
	if (v->type == JSCAN_STRING && v->raw.len > 2 &&
	    (jscan_key_is(&v->path[0], "code") ||
		(jscan_key_is(&v->path[0], "type") && m->code.len == 0)))
		m->code = v->raw;
	for (size_t i = 0; i < NKEYS; i++)
		if (jscan_key_is(&v->path[0], keys[i]) &&
		    (v->type == JSCAN_STRING || v->type == JSCAN_OBJECT ||
			v->type == JSCAN_ARRAY))
			m->value[i] = v->raw;
	return 0;
}

/* ["body","messages",0] as body.messages.0 */
static int
on_value(void *ctx, const struct jscan_value *v)
{
	struct buf *out = ctx;
	struct span text = v->raw;

	if (v->depth != 1 || v->begin)
		return 0;
	if (v->type == JSCAN_STRING)
		text = (struct span){ text.p + 1, text.len - 2 };
	separate(out, 0, ".");
	add_clean(text, out);
	return 0;
}

static void
add_location(struct span list, struct buf *out)
{
	struct jscan_error error;
	struct buf path;

	buf_init(&path, WORDS_MAX);
	jscan(list, JSCAN_DEPTH_MAX, on_value, &path, &error);
	if (path.len > 0) {
		buf_add(out, path.p, path.len);
		buf_puts(out, ": ");
	}
	buf_free(&path);
}

/* Is it an object, or a list that begins with one?  A list of texts may be the
 * model's output. */
static bool
holds_object(struct span v)
{
	struct jspan_walk w = jspan_walk(v);

	return jspan_is_object(v) ||
	    (jspan_is_array(v) && jspan_next(&w) && jspan_is_object(w.value));
}

/* Words under one of the names, else those of objects under any other name. */
static void
add_object(struct span json, unsigned nested, struct buf *out)
{
	struct jspan_walk w = jspan_walk(json);
	struct jscan_error error;
	struct members m;
	size_t from, i;

	memset(&m, 0, sizeof(m));
	jscan(json, JSCAN_DEPTH_MAX, on_member, &m, &error);
	if (m.location.len > 0)
		add_location(m.location, out);
	from = out->len;
	for (i = 0; i < NKEYS && out->len == from; i++)
		if (m.value[i].len > 0)
			add_value(m.value[i], nested + 1, out);
	if (m.raw.len > 0) {
		separate(out, from, ": ");
		add_value(m.raw, nested + 1, out);
	}
	while (out->len == from && jspan_next(&w))
		if (holds_object(w.value) &&
		    !jspan_key_in(w.key, keys, NKEYS) &&
		    (m.raw.len == 0 || !jspan_key_is(w.key, "metadata")))
			add_value(w.value, nested + 1, out);
	if (nested > 0 && out->len == from && m.code.len > 0)
		add_value(m.code, nested + 1, out);
}

struct list {
	unsigned nested;
	size_t from;
	struct buf *out;
};

static int
on_element(void *ctx, const struct jscan_value *v)
{
	struct list *l = ctx;
	struct buf one;

	if (v->depth != 1 || v->begin || buf_failed(l->out))
		return 0;
	buf_init(&one, WORDS_MAX * 4);
	add_value(v->raw, l->nested + 1, &one);
	if (one.len > 0) {
		separate(l->out, l->from, "; ");
		buf_add(l->out, one.p, one.len);
	}
	buf_free(&one);
	return 0;
}

/* A string that contains JSON is a provider's error inside a gateway's. */
static void
add_string(struct span raw, unsigned nested, struct buf *out)
{
	char *text = memory_alloc(raw.len + 1);
	struct span s = { text, 0 };
	size_t from = out->len;

	s.len = jscan_decode(raw, text);
	s = trimmed(s);
	if (s.len > 1 && (s.p[0] == '{' || s.p[0] == '['))
		add_value(s, nested + 1, out);
	if (out->len == from)
		add_clean(s, out);
	free(text);
}

static void
add_value(struct span json, unsigned nested, struct buf *out)
{
	struct list list = { nested, out->len, out };
	struct jscan_error error;

	json = trimmed(json);
	if (json.len < 2 || nested > NESTED_MAX)
		return;
	if (json.p[0] == '"')
		add_string(
		    (struct span){ json.p + 1, json.len - 2 }, nested, out);
	else if (json.p[0] == '{')
		add_object(json, nested, out);
	else if (json.p[0] == '[')
		jscan(json, JSCAN_DEPTH_MAX, on_element, &list, &error);
}

static int
pass(void *ctx, const struct jscan_value *v)
{
	(void)ctx;
	(void)v;
	return 0;
}

static bool
is_json(struct span s)
{
	struct jscan_error error;

	return s.len > 1 && (s.p[0] == '{' || s.p[0] == '[' || s.p[0] == '"') &&
	    jscan(s, JSCAN_DEPTH_MAX, pass, NULL, &error) == 0;
}

/* --- HTML --- */

static bool
starts(struct span s, size_t at, const char *with)
{
	size_t n = strlen(with);

	return s.len - at >= n && strncasecmp(s.p + at, with, n) == 0;
}

/* Where `what` next is, in either case; or the end. */
static size_t
find(struct span s, size_t at, const char *what)
{
	while (at < s.len && !starts(s, at, what))
		at++;
	return at;
}

/* XML as well: its texts, too, are between tags. */
static bool
is_html(struct span s)
{
	size_t at =
	    find((struct span){ s.p, s.len < 1024 ? s.len : 1024 }, 0, "<html");

	return s.len > 0 && s.p[0] == '<' &&
	    (starts(s, 0, "<!doctype") || starts(s, 0, "<html") ||
		starts(s, 0, "<head") || starts(s, 0, "<body") ||
		starts(s, 0, "<h1") || starts(s, 0, "<title") ||
		starts(s, 0, "<?xml") || starts(s, 0, "<error") ||
		at < (s.len < 1024 ? s.len : 1024));
}

static size_t
add_entity(struct span s, size_t at, struct buf *out)
{
	static const struct {
		const char *name, *text;
	} entities[] = { { "&amp;", "&" }, { "&lt;", "<" }, { "&gt;", ">" },
		{ "&quot;", "\"" }, { "&#39;", "'" }, { "&#x27;", "'" },
		{ "&apos;", "'" }, { "&nbsp;", " " } };

	for (size_t i = 0; i < sizeof(entities) / sizeof(*entities); i++)
		if (starts(s, at, entities[i].name)) {
			buf_puts(out, entities[i].text);
			return at + strlen(entities[i].name);
		}
	buf_puts(out, "&");
	return at + 1;
}

/* The text between the tags, without scripts and styles. */
static void
add_untagged(struct span s, struct buf *out)
{
	static const char *const hidden[][2] = { { "<script", "</script" },
		{ "<style", "</style" }, { "<title", "</title" },
		{ "<!--", "-->" } };
	size_t at = 0;

	while (at < s.len) {
		if (s.p[at] == '&') {
			at = add_entity(s, at, out);
			continue;
		}
		if (s.p[at] != '<') {
			buf_add(out, s.p + at++, 1);
			continue;
		}
		for (size_t i = 0; i < 4; i++)
			if (starts(s, at, hidden[i][0]))
				at = find(s, at, hidden[i][1]);
		at = find(s, at, ">");
		at += at < s.len;
		buf_puts(out, " ");
	}
}

static void
add_html(struct span html, struct buf *out)
{
	size_t title = find(html, 0, "<title"), end;
	struct buf head, body;

	buf_init(&head, BODY_BYTES);
	buf_init(&body, BODY_BYTES);
	title = find(html, title, ">");
	end = find(html, title, "</title");
	if (end < html.len)
		add_untagged(
		    (struct span){ html.p + title + 1, end - title - 1 },
		    &head);
	add_untagged(html, &body);
	struct span said = trimmed(buf_span(&body));
	struct span name = trimmed(buf_span(&head));
	/* Most pages repeat their title as a heading. */
	if (name.len > 0 &&
	    (said.len == 0 ||
		memmem(said.p, said.len, name.p, name.len) == NULL)) {
		add_clean(name, out);
		if (said.len > 0)
			buf_puts(out, ": ");
	}
	add_clean(said, out);
	buf_free(&head);
	buf_free(&body);
}

/* --- The whole --- */

/* The body of an error status may be an event, too. */
static struct span
unframed(struct span s)
{
	size_t at = 0, end;

	if (starts(s, 0, "event:") && (at = find(s, 0, "\ndata:")) < s.len)
		at++;
	if (!starts(s, at, "data:"))
		return s;
	end = find(s, at, "\n");
	return trimmed((struct span){ s.p + at + 5, end - at - 5 });
}

/* Not in the middle of a character. */
static void
add_bounded(struct span s, struct buf *out)
{
	size_t len = WORDS_MAX;

	if (s.len <= WORDS_MAX) {
		buf_add(out, s.p, s.len);
		return;
	}
	while (len > 0 && ((unsigned char)s.p[len] & 0xc0) == 0x80)
		len--;
	buf_add(out, s.p, len);
	buf_puts(out, ELLIPSIS);
}

void
words_of(struct span body, struct buf *out)
{
	struct buf words;

	if (body.len > BODY_BYTES)
		body.len = BODY_BYTES;
	body = unframed(trimmed(body));
	buf_init(&words, BODY_BYTES * 3);
	if (is_json(body))
		add_value(body, 0, &words);
	else if (is_html(body))
		add_html(body, &words);
	else
		add_clean(body, &words);
	add_bounded(trimmed(buf_span(&words)), out);
	buf_free(&words);
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The head of a response: hides which of an upstream's headers pass (an
 * allow-list) and how CGI spells a status.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "config/redact.h"
#include "serve/response_internal.h"

/* Size of a head; the upstream's fields get at most the first half. */
#define HEAD_BYTES (64 * 1024)
#define TYPE_MAX 256 /* of a Content-Type */

/* The upstream's fields that pass; a '*' ends a prefix.  Nothing that names
 * the provider's account, connection or cookies is among them. */
#define NAME(text) SPAN_LITERAL(text)
static const struct span passing[] = { NAME("content-disposition"),
	NAME("content-language"), NAME("cache-control"), NAME("retry-after"),
	NAME("retry-after-ms"), NAME("x-should-retry"), NAME("x-ratelimit-*"),
	NAME("anthropic-ratelimit-*"), NAME("openai-processing-ms") };

static bool
passes(struct span name)
{
	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
		const char *p = passing[i].p;
		size_t len = passing[i].len;

		if (p[len - 1] == '*' ? name.len >= len : name.len == len) {
			if (p[len - 1] == '*')
				len--;
			if (strncasecmp(name.p, p, len) == 0)
				return true;
		}
	}
	return false;
}

/* Does it match a prefix? */
static bool
passes_by_prefix(struct span name)
{
	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
		size_t len = passing[i].len - 1;

		if (passing[i].p[len] == '*' && name.len >= len &&
		    strncasecmp(name.p, passing[i].p, len) == 0)
			return true;
	}
	return false;
}

/* Common values that need not be searched for keys. */
static bool
is_usual_type(const char *type)
{
	static const char *const types[] = { "application/json",
		"text/event-stream", "text/event-stream; charset=utf-8",
		"application/json; charset=utf-8", "audio/mpeg" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

/* A name may contain a key, too. */
static bool
has_key(const struct response *a, const struct http1_field *field)
{
	return redact_finds(&a->keys, field->value) ||
	    (passes_by_prefix(field->name) &&
		redact_finds(&a->keys, field->name));
}

/* Nothing that could end the line or the head. */
static bool
is_clean(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c < 0x20 ? c != '\t' : c == 0x7f)
			return false;
	}
	return true;
}

static void
add_field(struct buf *b, size_t max, struct span name, struct span value)
{
	if (value.len == 0 || !is_clean(name) || !is_clean(value))
		return;
	/* After a truncated head, the client would read the rest as the
	 * body. */
	if (b->len + name.len + value.len + 4 > max)
		return;
	buf_add(b, name.p, name.len);
	buf_add(b, ": ", 2);
	buf_add(b, value.p, value.len);
	buf_add(b, "\r\n", 2);
}

/* Could a browser make a page of it that runs scripts? */
static bool
is_page(const char *type)
{
	return strcasestr(type, "html") != NULL ||
	    strcasestr(type, "xml") != NULL;
}

/* A web server may guess what has no type, and make a page of it. */
static void
add_type(const struct response *a, struct buf *b, int status, const char *type)
{
	if (type != NULL && !is_usual_type(type) &&
	    (redact_finds(&a->keys, span_of(type)) || !is_clean(span_of(type))))
		type = NULL;
	/* A field that add_field() leaves out would be guessed, too. */
	if (type == NULL || *type == '\0' || strlen(type) > TYPE_MAX)
		type = status == 204 ? "" : "application/octet-stream";
	add_field(b, HEAD_BYTES / 2, span_of("Content-Type"), span_of(type));
	/* No browser may interpret an upstream's bytes as anything else, nor
	 * run what is in a page. */
	buf_puts(b, "X-Content-Type-Options: nosniff\r\n");
	if (is_page(type))
		buf_puts(b, "Content-Security-Policy: sandbox\r\n");
}

/* Do we send that field ourselves?  (Our budget's room, not the provider's.) */
static bool
is_ours(const struct response *a, struct span name)
{
	for (unsigned i = 0; i < a->nextra; i++) {
		if (span_is_nocase(name, a->extra[i].name))
			return true;
	}
	return false;
}

static const char *
reason_phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} phrases[] = { { 200, "OK" }, { 204, "No Content" },
		{ 400, "Bad Request" }, { 401, "Unauthorized" },
		{ 403, "Forbidden" }, { 404, "Not Found" },
		{ 405, "Method Not Allowed" }, { 429, "Too Many Requests" },
		{ 500, "Internal Server Error" }, { 502, "Bad Gateway" },
		{ 503, "Service Unavailable" }, { 504, "Gateway Timeout" } };

	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
		if (phrases[i].status == status)
			return phrases[i].phrase;
	}
	return "Status";
}

/* Caddy passes the Status field to the client unless configured otherwise;
 * without it a response has 200 (RFC 3875 6.3.3). */
static void
add_status(const struct response *a, struct buf *b, int status)
{
	if (status == 200 && a->caddy)
		return;
	buf_puts(b, "Status: ");
	buf_u64(b, (uint64_t)status);
	buf_puts(b, " ");
	buf_puts(b, reason_phrase(status));
	buf_puts(b, "\r\n");
}

/* The fields that a page's SDK may read: otherwise it could not know when to
 * try again.  "*" works for calls without cookies, but not in every browser. */
static void
add_exposed(const struct response *a, struct buf *b,
    const struct http1_field *fields, size_t nfields)
{
	buf_puts(b,
	    "Access-Control-Expose-Headers: retry-after, retry-after-ms, "
	    "x-should-retry, x-request-id, x-tailgate-provider, "
	    "x-tailgate-model, x-tailgate-place, x-tailgate-fallback, "
	    "x-tailgate-dropped, openai-processing-ms, "
	    "x-ratelimit-limit-requests, x-ratelimit-limit-tokens, "
	    "x-ratelimit-remaining-requests, x-ratelimit-remaining-tokens, "
	    "x-ratelimit-reset-requests, x-ratelimit-reset-tokens");
	for (size_t i = 0; i < nfields; i++) {
		if (passes_by_prefix(fields[i].name) &&
		    is_clean(fields[i].name) && !has_key(a, &fields[i]) &&
		    b->len + fields[i].name.len < HEAD_BYTES / 2) {
			buf_puts(b, ", ");
			buf_add(b, fields[i].name.p, fields[i].name.len);
		}
	}
	buf_puts(b, "\r\n");
}

int
response_head(struct response *a, int status, const char *content_type,
    const struct http1_field *fields, size_t nfields, int64_t length)
{
	struct buf head;
	int rc;

	buf_init(&head, HEAD_BYTES);
	a->status = status;
	a->head_sent = true;
	a->is_events = content_type != NULL &&
	    strncasecmp(content_type, "text/event-stream", 17) == 0;
	add_status(a, &head, status);
	add_type(a, &head, status, content_type);
	if (a->exposes)
		add_exposed(a, &head, fields, nfields);
	for (size_t i = 0; i < nfields; i++) {
		if (passes(fields[i].name) && !is_ours(a, fields[i].name) &&
		    !has_key(a, &fields[i]))
			add_field(&head, HEAD_BYTES / 2, fields[i].name,
			    fields[i].value);
	}
	if (length >= 0) {
		buf_puts(&head, "Content-Length: ");
		buf_u64(&head, (uint64_t)length);
		buf_puts(&head, "\r\n");
	}
	if (a->request_id != NULL)
		add_field(&head, HEAD_BYTES - 2, span_of("x-request-id"),
		    span_of(a->request_id));
	for (unsigned i = 0; i < a->nextra; i++)
		add_field(&head, HEAD_BYTES - 2, span_of(a->extra[i].name),
		    span_of(a->extra[i].value));
	buf_add(&head, "\r\n", 2);
	rc = response_put(a, head.p, head.len);
	a->last_write_ms = clock_now_ms();
	buf_free(&head);
	return rc;
}

static void
add_number(
    struct response *a, struct arena *arena, const char *name, int64_t value)
{
	if (value >= 0)
		response_add(a, name, arena_printf(arena, "%" PRId64, value));
}

struct room_names {
	const char *limit, *left, *reset;
};

static void
add_left(struct response *a, struct arena *arena,
    const struct room_names *names, const struct budget_left *room)
{
	if (room->limit < 0)
		return;
	add_number(a, arena, names->limit, room->limit);
	add_number(a, arena, names->left, room->left);
	if (room->reset_ms >= 0)
		response_add(a, names->reset,
		    arena_printf(arena, "%" PRId64 "ms", room->reset_ms));
}

void
response_room(
    struct response *a, const struct budget_room *room, struct arena *arena)
{
	static const struct room_names requests = {
		.limit = "x-ratelimit-limit-requests",
		.left = "x-ratelimit-remaining-requests",
		.reset = "x-ratelimit-reset-requests",
	};
	static const struct room_names tokens = {
		.limit = "x-ratelimit-limit-tokens",
		.left = "x-ratelimit-remaining-tokens",
		.reset = "x-ratelimit-reset-tokens",
	};

	add_left(a, arena, &requests, &room->requests);
	add_left(a, arena, &tokens, &room->tokens);
}

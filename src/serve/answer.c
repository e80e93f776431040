/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how an answer is written to the web server: the CGI head, the
 * allow-list of headers, heartbeats, and errors in whatever form the answer's
 * state still allows.  The "relay" step of a request's way, client's side.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"
#include "bridge/words.h"
#include "config/redact.h"
#include "serve/answer.h"
#include "wire/reply.h"

/* After the answer's last byte the upstream gets this long to end its own. */
#define LINGER_MS 100
/* While the client takes nothing: how often to ask whether it is in the way. */
#define LOOK_MS 500
/* Under Caddy (2.6.2, HTTP/1.1) a gone client shows in the fourth write; the
 * first one's RST has to be back before the second. */
#define BURST 4
#define BURST_GAP_MS 50
#define HEARTBEAT_MS 10000
#define HEARTBEAT_CADDY_MS 1000
/* Of a sign of life: a bridge may begin its stream by it, which tells the
 * client's tools and instructions again. */
#define SIGN_BYTES ((size_t)64 * 1024 * 1024)
/* Of a head; what an upstream says has the first half at the most. */
#define HEAD_BYTES (64 * 1024)
/* A Content-Type that says more than is usual. */
#define LONG_TYPE 48

/* What passes from upstream; a '*' ends a prefix.  Not among them: anything
 * that names the provider's account, connection or cookies. */
#define NAME(text)                     \
	{                              \
		text, sizeof(text) - 1 \
	}
static const struct span passing[] = { NAME("content-disposition"),
	NAME("content-language"), NAME("cache-control"), NAME("retry-after"),
	NAME("retry-after-ms"), NAME("x-should-retry"), NAME("x-ratelimit-*"),
	NAME("anthropic-ratelimit-*"), NAME("openai-processing-ms") };

void
answer_init(struct answer *a, struct io *io, const struct config *config,
    int64_t start_ms)
{
	const char *software = io_param(io, "SERVER_SOFTWARE");

	memset(a, 0, sizeof(*a));
	a->io = io;
	a->config = config;
	a->start_ms = start_ms;
	a->last_write_ms = start_ms;
	a->at_boundary = true;
	a->caddy = software != NULL && strncmp(software, "Caddy", 5) == 0;
}

void
answer_add(struct answer *a, const char *name, const char *value)
{
	if (value != NULL && a->nextra < ANSWER_FIELDS_MAX)
		a->extra[a->nextra++] =
		    (struct http1_field){ span_of(name), span_of(value) };
}

struct span
answer_field(const struct http1_field *fields, size_t nfields, const char *name)
{
	for (size_t i = 0; i < nfields; i++) {
		if (span_is_nocase(fields[i].name, name))
			return fields[i].value;
	}
	return (struct span){ NULL, 0 };
}

/* ---- the head --------------------------------------------------------- */

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

/* Does it pass because of how it begins? */
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
	/* Of a head that breaks off, the body would go on. */
	if (b->len + name.len + value.len + 4 > max)
		return;
	buf_add(b, name.p, name.len);
	buf_add(b, ": ", 2);
	buf_add(b, value.p, value.len);
	buf_add(b, "\r\n", 2);
}

/* Do we say that ourselves?  (Our budget's room, not the provider's.) */
static bool
is_ours(const struct answer *a, struct span name)
{
	for (unsigned i = 0; i < a->nextra; i++) {
		if (span_is_nocase(name, a->extra[i].name.p))
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

static int
put(struct answer *a, const void *p, size_t len)
{
	if (a->gone || io_write(a->io, p, len) == -1) {
		a->gone = !a->ended;
		return -1;
	}
	return 0;
}

/* Caddy hands the field on to the client unless its configuration says
 * otherwise; 200 is what a response has that says none (RFC 3875 6.3.3). */
static void
add_status(const struct answer *a, struct buf *b, int status)
{
	if (status == 200 && a->caddy)
		return;
	buf_puts(b, "Status: ");
	buf_u64(b, (uint64_t)status);
	buf_puts(b, " ");
	buf_puts(b, reason_phrase(status));
	buf_puts(b, "\r\n");
}

/* What a page's SDK reads of a head: it has no other way to know when to try
 * again.  "*" would do for calls without cookies, but not in every browser. */
static void
add_exposed(struct buf *b, const struct http1_field *fields, size_t nfields)
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
		    is_clean(fields[i].name) &&
		    b->len + fields[i].name.len < HEAD_BYTES / 2) {
			buf_puts(b, ", ");
			buf_add(b, fields[i].name.p, fields[i].name.len);
		}
	}
	buf_puts(b, "\r\n");
}

int
answer_head(struct answer *a, int status, const char *content_type,
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
	if (content_type != NULL &&
	    (strlen(content_type) < LONG_TYPE ||
		!redact_finds(a->config, span_of(content_type))))
		add_field(&head, HEAD_BYTES / 2, span_of("Content-Type"),
		    span_of(content_type));
	/* No browser may guess that an upstream's bytes are a page. */
	buf_puts(&head, "X-Content-Type-Options: nosniff\r\n");
	if (a->exposes)
		add_exposed(&head, fields, nfields);
	for (size_t i = 0; i < nfields; i++) {
		if (passes(fields[i].name) && !is_ours(a, fields[i].name) &&
		    !redact_finds(a->config, fields[i].value))
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
		add_field(
		    &head, HEAD_BYTES - 2, a->extra[i].name, a->extra[i].value);
	buf_add(&head, "\r\n", 2);
	rc = put(a, head.p, head.len);
	a->last_write_ms = clock_now_ms();
	buf_free(&head);
	return rc;
}

int
answer_body(struct answer *a, struct span bytes)
{
	a->bytes_out += bytes.len;
	a->burst = 0;
	if (a->head_only)
		return 0;
	return put(a, bytes.p, bytes.len);
}

int
answer_flush(struct answer *a)
{
	a->last_write_ms = clock_now_ms();
	if (a->gone || io_flush(a->io) == -1) {
		a->gone = !a->ended;
		return -1;
	}
	return 0;
}

void
answer_end(struct answer *a)
{
	if (a->ended)
		return;
	a->ended = true;
	a->ended_ms = clock_now_ms();
}

/* ---- waiting ---------------------------------------------------------- */

static int
early_head(struct answer *a)
{
	static const struct http1_field no_cache = { { "Cache-Control", 13 },
		{ "no-cache", 8 } };

	a->head_early = true;
	return answer_head(
	    a, 200, "text/event-stream; charset=utf-8", &no_cache, 1, -1);
}

static int64_t
heartbeat_ms(const struct answer *a)
{
	if (a->config->heartbeat_ms > 0)
		return a->config->heartbeat_ms;
	return a->caddy ? HEARTBEAT_CADDY_MS : HEARTBEAT_MS;
}

static int
heartbeat(struct answer *a)
{
	struct buf sign;
	int rc;

	buf_init(&sign, SIGN_BYTES);
	/* What follows in a burst is for the connection alone. */
	if (a->burst > 0)
		buf_puts(&sign, ALIVE_COMMENT);
	else
		alive_write(&a->alive, &sign);
	a->burst = a->burst > 0 ? a->burst - 1 : a->caddy ? BURST - 1 : 0;
	rc = put(a, sign.p, sign.len);
	buf_free(&sign);
	return rc == -1 ? -1 : answer_flush(a);
}

/* How long until the next sign of life is due, up to a second. */
static int
until_due_ms(const struct answer *a, int64_t now_ms)
{
	int64_t every_ms = heartbeat_ms(a), ms;

	if (a->burst > 0 && every_ms > BURST_GAP_MS)
		every_ms = BURST_GAP_MS;
	ms = (a->head_sent ? a->last_write_ms + every_ms
			   : a->start_ms + a->config->commit_ms) -
	    now_ms;
	return ms < 0 ? 0 : ms < 1000 ? (int)ms : 1000;
}

enum watch_out
answer_out(void *ctx)
{
	const struct answer *a = ctx;

	return a->io->queued == 0 ? WATCH_OUT_NONE
	    : io_full(a->io)      ? WATCH_OUT_FULL
				  : WATCH_OUT_SOME;
}

/* What the client had no room for.  False: it has still none, or is gone. */
static bool
catch_up(struct answer *a)
{
	if (io_flush(a->io) == -1)
		a->gone = true;
	else if (io_stalls(a->io)) {
		log_info("the client takes nothing of its response; dropped");
		a->gone = true;
	}
	return !a->gone && a->io->queued == 0;
}

int
answer_tick(void *ctx)
{
	struct answer *a = ctx;
	int64_t now_ms = clock_now_ms();
	int ms;

	if (a->ended)
		return now_ms - a->ended_ms >= LINGER_MS ? WATCH_GONE
							 : LINGER_MS;
	if (atomic_load(a->aborting)) {
		/* To a CGI program the web server says so by SIGTERM. */
		a->gone = a->io->fd == -1;
		return WATCH_GONE;
	}
	if (a->gone || io_gone(a->io) || peer_gone(&a->peer, a->peers, a->io)) {
		a->gone = true;
		return WATCH_GONE;
	}
	if (a->io->queued > 0 && !catch_up(a))
		return a->gone ? WATCH_GONE : LOOK_MS;
	if (!a->streams || a->head_only)
		return 1000;
	if ((ms = until_due_ms(a, now_ms)) > 0)
		return ms;
	if (!a->at_boundary)
		return (int)(heartbeat_ms(a) < 1000 ? heartbeat_ms(a) : 1000);
	if ((!a->head_sent && early_head(a) == -1) || heartbeat(a) == -1)
		return WATCH_GONE;
	return until_due_ms(a, clock_now_ms());
}

bool
answer_gone(struct answer *a)
{
	if (!a->gone && !a->ended)
		a->gone =
		    io_gone(a->io) || peer_look(&a->peer, a->peers, a->io);
	return a->gone;
}

/* ---- answers of our own ----------------------------------------------- */

void
answer_json(struct answer *a, int status, struct span body)
{
	if (answer_head(
		a, status, "application/json", NULL, 0, (int64_t)body.len) == 0)
		answer_body(a, body);
	answer_end(a);
}

/* One of the events that end a stream which went wrong: each API's own. */
static void
error_event(struct answer *a, const char *name, struct span json)
{
	struct buf b;

	buf_init(&b, json.len + 128);
	/* An event that was cut in the middle ends here for every parser. */
	if (!a->at_boundary)
		buf_puts(&b, "\n\n");
	if (name != NULL)
		buf_printf(&b, "event: %s\n", name);
	buf_puts(&b, "data: ");
	buf_add(&b, json.p, json.len);
	buf_puts(&b, "\n\n");
	answer_body(a, buf_span(&b));
	buf_free(&b);
}

/* A Responses stream says it twice: by the first event the SDKs raise, by the
 * second Codex ends. */
static void
refuse_in_stream(struct answer *a, const struct refused *refused)
{
	enum endpoint id = a->spec->id;
	struct buf json;

	buf_init(&json, 64 * 1024);
	if (id == ENDPOINT_RESPONSES)
		reply_response_error(
		    &json, refused, alive_next_number(&a->alive));
	else
		reply_error_json(&json, a->shape, refused, a->request_id);
	error_event(a,
	    id == ENDPOINT_RESPONSES || id == ENDPOINT_MESSAGES ? "error"
								: NULL,
	    buf_span(&json));
	if (id == ENDPOINT_RESPONSES) {
		buf_reset(&json);
		reply_response_failed(&json, refused, alive_id(&a->alive),
		    alive_next_number(&a->alive));
		error_event(a, "response.failed", buf_span(&json));
	}
	buf_free(&json);
	answer_flush(a);
	answer_end(a);
}

static void
add_retry(struct answer *a, const struct refused *refused, char after[24])
{
	const struct refusal_spec *spec = refusal_spec(refused->refusal);
	int64_t ms = refused->retry_after_ms;

	if (spec->should_not_retry)
		answer_add(a, "x-should-retry", "false");
	if (!spec->retry_after && ms == 0)
		return;
	snprintf(after, 24, "%lld",
	    ms > 1000 ? (long long)((ms + 999) / 1000) : 1LL);
	answer_add(a, "Retry-After", after);
}

void
answer_refuse(struct answer *a, const struct refused *refused)
{
	char after[24];
	struct buf json;

	if (a->ended || a->gone)
		return;
	/* Of a status Codex learns nothing: by the event it compacts. */
	if (!a->head_sent && a->streams && a->spec != NULL &&
	    a->spec->id == ENDPOINT_RESPONSES &&
	    refused->refusal == REFUSE_TOO_LONG && early_head(a) == -1)
		return;
	if (a->head_sent && a->streams && a->is_events) {
		refuse_in_stream(a, refused);
		return;
	}
	if (a->head_sent) {
		a->cut = true;
		return;
	}
	buf_init(&json, 64 * 1024);
	reply_error_json(&json, a->shape, refused, a->request_id);
	add_retry(a, refused, after);
	answer_json(a, refusal_spec(refused->refusal)->status, buf_span(&json));
	buf_free(&json);
}

/* Where the upstream does not say what is best, we do. */
static void
add_missing_retry(struct answer *a, const struct http1_field *fields,
    size_t nfields, const struct refused *wrapped, char after[24])
{
	static const char *const advice[] = { "retry-after", "retry-after-ms",
		"x-should-retry" };

	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		if (answer_field(fields, nfields, advice[i]).len > 0)
			return;
	}
	add_retry(a, wrapped, after);
}

/* One JSON value, or NULL. */
static json_t *
parse(struct span body)
{
	return json_loadb(
	    body.p == NULL ? "" : body.p, body.len, JSON_ALLOW_NUL, NULL);
}

void
answer_upstream_error(struct answer *a, int status,
    const struct http1_field *fields, size_t nfields, struct span body,
    const struct refused *wrapped)
{
	json_t *json = parse(body);
	char *line, after[24];

	if (!a->head_sent)
		add_missing_retry(a, fields, nfields, wrapped, after);
	if (json == NULL && !a->head_sent) {
		/* Status and advice are the upstream's, the words are ours. */
		struct buf b;

		buf_init(&b, 64 * 1024);
		reply_error_json(&b, a->shape, wrapped, a->request_id);
		if (answer_head(a, status, "application/json", fields, nfields,
			(int64_t)b.len) == 0)
			answer_body(a, buf_span(&b));
		buf_free(&b);
		answer_end(a);
	} else if (!a->head_sent) {
		if (answer_head(a, status, "application/json", fields, nfields,
			(int64_t)body.len) == 0)
			answer_body(a, body);
		answer_end(a);
	} else if (json != NULL && json_object_get(json, "error") != NULL &&
	    a->spec->id != ENDPOINT_RESPONSES &&
	    (line = json_dumps(json, JSON_COMPACT)) != NULL) {
		error_event(a,
		    a->spec->id == ENDPOINT_MESSAGES ? "error" : NULL,
		    span_of(line));
		free(line);
		answer_flush(a);
		answer_end(a);
	} else {
		/* The upstream's words, in the form of the endpoint. */
		struct refused told = *wrapped;
		struct buf said;

		buf_init(&said, WORDS_MAX * 2);
		words_of(body, &said);
		buf_add(&said, "", 1);
		if (said.len > 1 && !buf_failed(&said))
			told.message = said.p;
		answer_refuse(a, &told);
		buf_free(&said);
	}
	json_decref(json);
}

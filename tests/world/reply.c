/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a provider's response is made and framed, and how it is found again
 * in what a client got.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reply.h"

#define TEXT_MAX 60000
#define EVENTS_MAX 400

struct text {
	char *p;
	size_t len, size;
};

static void
add(struct text *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void
add(struct text *t, const char *fmt, ...)
{
	va_list args;
	size_t n;

	va_start(args, fmt);
	n = (size_t)vsnprintf(t->p + t->len, t->size - t->len, fmt, args);
	va_end(args);
	if (n >= t->size - t->len)
		abort();
	t->len += n;
}

/* ---- bodies ------------------------------------------------------------ */

static void
add_usage(struct text *b)
{
	unsigned in = (unsigned)world_below(5000);
	unsigned out = (unsigned)world_below(2000);

	add(b,
	    "\"usage\":{\"prompt_tokens\":%u,\"completion_tokens\":%u,"
	    "\"total_tokens\":%u}",
	    in, out, in + out);
}

static char *
make_words(int request)
{
	size_t n = world_size(1,
	    world->io_max != 0      ? 500
		: world_chance(850) ? 3000
				    : TEXT_MAX);
	size_t len;
	char *text = world_alloc(n + 32);

	len = (size_t)snprintf(text, n + 32, "w%06d:", request);
	for (uint64_t some = 0; len < n; len++, some >>= 5) {
		if (some == 0)
			some = world_random();
		text[len] = (char)((some & 31) < 26 ? 'a' + (some & 31) : ' ');
	}
	text[len] = '\0';
	return text;
}

static void
make_events(struct text *b, const char *words)
{
	static const char head[] =
	    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\","
	    "\"created\":1,\"model\":\"w\",\"choices\":[";
	size_t left = strlen(words), piece = 1 + left / EVENTS_MAX;
	const char *eol = world_chance(100) ? "\r\n" : "\n";

	if (piece < left && world_chance(512))
		piece = 1 + left / (1 + world_below(20));
	for (size_t n; left > 0; left -= n, words += n) {
		n = piece < left ? piece : left;
		if (world_chance(20))
			add(b, ": busy%s%s", eol, eol);
		add(b,
		    "%s{\"index\":0,\"delta\":{\"content\":\"%.*s\"},"
		    "\"finish_reason\":null}]}%s%s",
		    head, (int)n, words, eol, eol);
	}
	add(b, "%s{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}%s%s",
	    head, eol, eol);
	if (world_chance(700)) {
		add(b, "%s],", head);
		add_usage(b);
		add(b, "}%s%s", eol, eol);
	}
	add(b, "data: [DONE]%s%s", eol, eol);
}

static void
make_whole(struct text *b, const char *words, bool embeddings)
{
	if (embeddings)
		add(b,
		    "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\","
		    "\"index\":0,\"embedding\":[0.5,0.25],\"note\":\"%s\"}],",
		    words);
	else
		add(b,
		    "{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":"
		    "1,"
		    "\"model\":\"w\",\"choices\":[{\"index\":0,\"message\":{"
		    "\"role\":\"assistant\",\"content\":\"%s\"},"
		    "\"finish_reason\":\"stop\"}],",
		    words);
	add_usage(b);
	add(b, "}");
}

/* ---- framing ----------------------------------------------------------- */

static void
add_chunks(struct text *to, const char *p, size_t len)
{
	for (size_t n; len > 0; len -= n, p += n) {
		n = world_size(1, 70000);
		if (n > len)
			n = len;
		if (n * 100 < len) /* not thousands of chunks */
			n = 1 + len / 100;
		add(to, "%zx\r\n", n);
		memcpy(to->p + to->len, p, n);
		to->len += n;
		add(to, "\r\n");
	}
	add(to, "0\r\n\r\n");
}

static void
make_reply(struct world_try *t, int status, struct text *body)
{
	struct text all = { NULL, 0, body->len + 3000 };
	bool chunked = t->stream || world_chance(300);

	t->by_end = world_chance(60) && status == 200;
	all.p = world_alloc(all.size);
	if (!world->calm && world_chance(20))
		add(&all, "HTTP/1.1 100 Continue\r\n\r\n");
	add(&all, "HTTP/1.1 %d Whatever\r\nContent-Type: %s\r\n", status,
	    t->stream && status == 200 ? "text/event-stream"
				       : "application/json");
	if (status == 429)
		add(&all, "Retry-After: 1\r\n");
	if (t->by_end)
		add(&all, "Connection: close\r\n\r\n");
	else if (chunked)
		add(&all, "Transfer-Encoding: chunked\r\n\r\n");
	else
		add(&all, "Content-Length: %zu\r\n\r\n", body->len);
	t->head_len = all.len;
	if (chunked && !t->by_end)
		add_chunks(&all, body->p, body->len);
	else {
		memcpy(all.p + all.len, body->p, body->len);
		all.len += body->len;
	}
	t->reply = all.p;
	t->reply_len = all.len;
	t->body = body->p;
	t->body_bytes = body->len;
}

static int
draw_status(void)
{
	static const int bad[] = { 500, 503, 429, 400, 404, 401, 200 };

	return world->calm || world_chance(900) ? 0 : bad[world_below(7)];
}

void
reply_make(struct world_try *t, const char *head, int request)
{
	const struct world_request *r = &world->requests[request];
	struct text body = { NULL, 0, 0 };
	int status = draw_status();

	t->stream = r->kind == KIND_STREAM || r->kind == KIND_MESSAGES_STREAM ||
	    r->kind == KIND_RESPONSES_STREAM;
	(void)head;
	if (status != 0) {
		body.size = 1000;
		body.p = world_alloc(body.size);
		add(&body,
		    "{\"error\":{\"message\":\"w%06d is sorry\",\"type\":"
		    "\"server_error\",\"code\":\"sorry\"}}",
		    request);
		make_reply(t, status, &body);
		return;
	}
	t->good = true;
	t->text = make_words(request);
	body.size = 2 * strlen(t->text) + (t->stream ? EVENTS_MAX * 300 : 1000);
	body.p = world_alloc(body.size);
	if (t->stream)
		make_events(&body, t->text);
	else
		make_whole(&body, t->text, r->kind == KIND_EMBEDDINGS);
	make_reply(t, 200, &body);
}

/* ---- what a client got ------------------------------------------------- */

/* The next event of a stream, without comments; false: no complete one is
 * left. */
static bool
next_event(const char **p, const char *end, const char **event, size_t *len)
{
	for (;;) {
		const char *eol;

		while (*p < end && (**p == '\n' || **p == '\r'))
			(*p)++;
		if (*p == end ||
		    (eol = memchr(*p, '\n', (size_t)(end - *p))) == NULL)
			return false;
		if (**p == ':') {
			*p = eol + 1;
			continue;
		}
		*event = *p;
		*len = (size_t)(eol - *p) - (eol > *p && eol[-1] == '\r');
		*p = eol + 1;
		return true;
	}
}

static bool
has(const char *p, size_t len, const char *what)
{
	return memmem(p, len, what, strlen(what)) != NULL;
}

/* The events as they came, except usage that the client did not ask for. */
static bool
same_events(const struct world_try *t, const char *p, size_t len, bool whole)
{
	const char *end = p + len, *their_end = t->body + t->body_bytes;
	const char *theirs = t->body, *a, *b;
	size_t n, m;

	while (next_event(&p, end, &a, &n)) {
		bool more = next_event(&theirs, their_end, &b, &m);

		if (more && n == m && memcmp(a, b, n) == 0)
			continue;
		return has(a, n, "\"error\"");
	}
	return !whole || !next_event(&theirs, their_end, &b, &m);
}

/* The text of all deltas of a bridged stream (or of a whole response),
 * concatenated. */
static size_t
gather(const char *p, size_t len, const char *key, char *out)
{
	const char *end = p + len;
	size_t n = 0;

	while ((p = memmem(p, (size_t)(end - p), key, strlen(key))) != NULL) {
		p += strlen(key);
		while (p < end && *p != '"')
			out[n++] = *p++;
	}
	return n;
}

static bool
same_text(const struct world_request *r, const struct world_try *t,
    const char *p, size_t len, bool whole)
{
	const char *key = "\"text\":\"";
	char *said;
	size_t n, all = strlen(t->text);
	const char *end = NULL;

	if (r->kind == KIND_RESPONSES_STREAM)
		key = "\"delta\":\"";
	if (r->kind == KIND_RESPONSES_STREAM)
		end = "response.completed";
	else if (r->kind == KIND_MESSAGES_STREAM)
		end = "message_stop";
	said = world_alloc(len + 1);
	n = gather(p, len, key, said);
	if (n > all || memcmp(said, t->text, n) != 0)
		return false;
	if (has(p, len, "\"error\"") || has(p, len, "response.failed"))
		return true;
	if (end != NULL && has(p, len, end))
		return n == all;
	return whole ? n == all && end == NULL : true;
}

bool
reply_is(const struct world_request *r, const struct world_try *t,
    const char *body, size_t len, bool whole)
{
	if (!t->good)
		return false;
	if (r->kind > KIND_EMBEDDINGS)
		return same_text(r, t, body, len, whole);
	if (t->stream)
		return same_events(t, body, len, whole);
	return len <= t->body_bytes && memcmp(body, t->body, len) == 0 &&
	    (!whole || len == t->body_bytes);
}

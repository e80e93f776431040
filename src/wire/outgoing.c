/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides what a request to a provider looks like on the wire: request line,
 * fields, key, and the body's parts as vectors.  The key is never copied: its
 * vector points to where it lies.  upstream.c sends them.
 */
#include "config.h"

#include <string.h>

#include "base/buf.h"
#include "wire/outgoing.h"

/* A body up to this size is copied and sent in one write (and one TLS
 * record) with the head. */
#define SMALL_BODY_BYTES (12 * 1024)

/* A head in the making: counted while p is NULL, then written. */
struct line {
	char *p;
	size_t len;
	size_t key_at;
};

static void
put(struct line *l, struct span text)
{
	if (l->p != NULL && text.len > 0)
		memcpy(l->p + l->len, text.p, text.len);
	l->len += text.len;
}

static void
put_text(struct line *l, const char *text)
{
	put(l, span_of(text));
}

static void
put_field(struct line *l, struct span name, struct span value)
{
	put(l, name);
	put_text(l, ": ");
	put(l, value);
	put_text(l, "\r\n");
}

/* The operator's headers for a provider replace ours. */
static bool
is_set(const struct provider *p, struct span name)
{
	for (size_t i = 0; i < p->nheaders; i++) {
		if (span_is_nocase(name, p->headers[i].name))
			return true;
	}
	return false;
}

static void
put_ours(struct line *l, const struct provider *p, const char *name,
    struct span value)
{
	if (!is_set(p, span_of(name)))
		put_field(l, span_of(name), value);
}

static size_t
body_len(const struct upstream_request *r)
{
	size_t len = 0;

	for (size_t i = 0; i < r->nparts; i++)
		len += r->parts[i].len;
	return len;
}

static void
put_target(struct line *l, const struct upstream_request *r)
{
	const char *url = r->provider->url;
	const char *authority = strstr(url, "://") + 3;
	size_t len = strcspn(authority, "/");
	struct span base = span_of(authority + len);

	if (r->beside_v1 && base.len >= 3 &&
	    memcmp(base.p + base.len - 3, "/v1", 3) == 0)
		base.len -= 3;
	put_text(l, r->method);
	put_text(l, " ");
	put(l, base);
	put_text(l, r->path);
	if (r->query != NULL) {
		put_text(l, "?");
		put_text(l, r->query);
	}
	put_text(l, " HTTP/1.1\r\n");
	put_ours(l, r->provider, "Host", (struct span){ authority, len });
}

static bool
has_key(const struct upstream_request *r)
{
	return r->key != NULL && r->provider->auth != AUTH_NONE;
}

/* All but the key. */
static void
put_head(struct line *l, const struct upstream_request *r)
{
	const struct provider *p = r->provider;
	char room[BUF_DIGITS];

	put_target(l, r);
	put_ours(l, p, "Accept", span_of("*/*"));
	/* A coded stream can neither be read nor be added to. */
	put_ours(l, p, "Accept-Encoding", span_of("identity"));
	for (size_t i = 0; i < r->nfields; i++) {
		if (!is_set(p, r->fields[i].name))
			put_field(l, r->fields[i].name, r->fields[i].value);
	}
	for (size_t i = 0; i < p->nheaders; i++)
		put_field(l, span_of(p->headers[i].name),
		    span_of(p->headers[i].value));
	if (has_key(r)) {
		put_text(l,
		    p->auth == AUTH_X_API_KEY || r->own_x_api_key
			? "x-api-key: "
			: "Authorization: Bearer ");
		l->key_at = l->len;
		put_text(l, "\r\n");
	}
	if (strcmp(r->method, "GET") != 0)
		put_field(l, span_of("Content-Length"),
		    buf_digits(room, body_len(r)));
	put_text(l, "\r\n");
}

void
outgoing_make(
    struct outgoing *o, const struct upstream_request *r, struct arena *arena)
{
	size_t body = body_len(r), small = body <= SMALL_BODY_BYTES ? body : 0;
	struct line l = { NULL, 0, 0 };

	put_head(&l, r);
	o->request = r;
	o->key = has_key(r) ? span_of(r->key) : (struct span){ NULL, 0 };
	l.p = o->head = arena_alloc(arena, l.len + small);
	l.len = 0;
	put_head(&l, r);
	o->head_len = l.len;
	o->key_at = l.key_at;
	for (size_t i = 0; small > 0 && i < r->nparts; i++)
		put(&l, r->parts[i]);
}

static void
add(struct outgoing *o, const char *p, size_t len)
{
	o->out[o->n++] = (struct iovec){ (char *)p, len };
}

void
outgoing_rewind(struct outgoing *o)
{
	const struct upstream_request *r = o->request;
	size_t body = body_len(r), small = body <= SMALL_BODY_BYTES ? body : 0;

	o->n = o->at = 0;
	o->head_left = o->head_len + o->key.len;
	if (o->key.len > 0) {
		add(o, o->head, o->key_at);
		add(o, o->key.p, o->key.len);
	}
	add(o, o->head + o->key_at, o->head_len - o->key_at + small);
	for (size_t i = 0; body > SMALL_BODY_BYTES && i < r->nparts; i++)
		add(o, r->parts[i].p, r->parts[i].len);
}

bool
outgoing_sent(const struct outgoing *o)
{
	return o->at == o->n;
}

void
outgoing_drop(struct outgoing *o)
{
	o->at = o->n;
}

size_t
outgoing_count(struct outgoing *o, size_t n)
{
	size_t head = n < o->head_left ? n : o->head_left, body = n - head;

	o->head_left -= head;
	while (o->at < o->n && n >= o->out[o->at].iov_len)
		n -= o->out[o->at++].iov_len;
	if (o->at < o->n) {
		struct iovec *v = &o->out[o->at];

		v->iov_base = (char *)v->iov_base + n;
		v->iov_len -= n;
	}
	return body;
}

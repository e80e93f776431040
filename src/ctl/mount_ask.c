/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides the connection of `tailgate probe --mount`: libcurl makes it (names,
 * TLS).  The bytes are written and read here, because some requests are broken
 * on purpose.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "ctl/mount_ask.h"
#include "wire/connector.h"

#define CHUNK 16384
#define BODY_MAX ((size_t)1024 * 1024)

struct asking {
	const struct mount_request *request;
	struct mount_reply *reply;
	struct connector *connector;
	bool tls;
	int fd;
	char *out;
	size_t out_len, sent;
	int64_t start_ms;
	struct http1 http;
};

static void
failed(struct asking *a, const char *why)
{
	a->reply->status = 0;
	snprintf(a->reply->why, sizeof(a->reply->why), "%s", why);
}

/* ---- the request -------------------------------------------------------- */

static void
add_body(struct buf *b, const struct mount_request *q)
{
	char size[24], piece[CHUNK];

	if (q->text.p != NULL)
		buf_add(b, q->text.p, q->text.len);
	/* A JSON string of spaces: '"', then all but two, then '"'. */
	for (uint64_t at = 0; at < q->body;) {
		size_t n =
		    q->body - at < CHUNK ? (size_t)(q->body - at) : CHUNK;

		memset(piece, ' ', n);
		if (at == 0)
			piece[0] = '"';
		if (at + n == q->body)
			piece[n - 1] = '"';
		if (q->chunked) {
			snprintf(size, sizeof(size), "%zx\r\n", n);
			buf_puts(b, size);
		}
		buf_add(b, piece, n);
		if (q->chunked)
			buf_puts(b, "\r\n");
		at += n;
	}
	if (q->chunked)
		buf_puts(b, "0\r\n\r\n");
}

static void
add_head(struct buf *b, const struct mount *m, const struct mount_request *q)
{
	buf_printf(b, "%s %s%s HTTP/1.1\r\nHost: %s\r\n", q->method, m->prefix,
	    q->path, m->host);
	buf_puts(b, "User-Agent: tailgate-probe\r\nConnection: close\r\n");
	if (m->key != NULL)
		buf_printf(b, "%s%s\r\n",
		    m->key_as_x_api_key ? "x-api-key: "
					: "Authorization: Bearer ",
		    m->key);
	if (q->fields != NULL)
		buf_puts(b, q->fields);
	if (strcmp(q->method, "POST") == 0)
		buf_printf(b, "Content-Type: %s\r\n",
		    q->type == NULL ? "application/json" : q->type);
	if (q->chunked)
		buf_puts(b, "Transfer-Encoding: chunked\r\n");
	else if (strcmp(q->method, "POST") == 0)
		buf_printf(b, "Content-Length: %llu\r\n",
		    (unsigned long long)(q->text.p != NULL ? q->text.len
							   : q->body));
	buf_puts(b, "\r\n");
}

/* ---- the response ------------------------------------------------------- */

static int
on_head(void *ctx, const struct http1_head *head)
{
	struct asking *a = ctx;

	a->reply->status = head->status;
	for (size_t i = 0; i < head->nfields; i++) {
		const struct http1_field *f = &head->fields[i];

		if (span_is_nocase(f->name, "x-request-id"))
			a->reply->ours |= f->value.len > 4 &&
			    memcmp(f->value.p, "req_", 4) == 0;
		a->reply->cgi_status |= span_is_nocase(f->name, "status");
		a->reply->retry_after |= span_is_nocase(f->name, "retry-after");
	}
	return 0;
}

static int
on_body(void *ctx, struct span bytes)
{
	struct asking *a = ctx;

	if (a->reply->first_ms == 0)
		a->reply->first_ms = clock_now_ms();
	if (a->reply->body.len + bytes.len < a->reply->body.max_bytes)
		buf_add(&a->reply->body, bytes.p, bytes.len);
	return 0;
}

/* ---- the exchange ------------------------------------------------------- */

static bool
connect_it(struct asking *a, const struct mount *m)
{
	enum upstream_result why = UPSTREAM_CONNECT;
	int64_t end_ms = a->start_ms + a->request->timeout_ms;
	int rc;

	connector_begin(a->connector, &m->provider);
	while ((rc = connector_advance(a->connector, &a->fd, &why)) == 0 &&
	    clock_now_ms() < end_ms)
		connector_wait(a->connector, -1, 100);
	if (rc == 1)
		return true;
	failed(a,
	    rc == -1 ? connector_error(a->connector) : "no connection in time");
	return false;
}

static bool
would_block(ssize_t n)
{
	return n == -1 &&
	    (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

/* push() and pull() return whether there was any progress. */
static bool
push(struct asking *a)
{
	size_t left = a->out_len - a->sent;
	ssize_t n;

	if (left == 0)
		return false;
	n = a->tls
	    ? connector_send(a->connector, a->out + a->sent, left)
	    : send(a->fd, a->out + a->sent, left, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0)
		a->sent += (size_t)n;
	else if (!would_block(n))
		a->sent = a->out_len; /* a response may still come */
	return n > 0;
}

/* *over: the other side sends no more. */
static bool
pull(struct asking *a, bool *over)
{
	char in[CHUNK];
	ssize_t n = a->tls ? connector_recv(a->connector, in, sizeof(in))
			   : recv(a->fd, in, sizeof(in), MSG_DONTWAIT);
	enum http1_result result;

	if (would_block(n))
		return false;
	if (n <= 0) {
		*over = true;
		if (a->reply->status == 0)
			failed(a,
			    "the connection was closed without a "
			    "response");
		else if (!http1_ends(&a->http))
			failed(a, "the response was cut");
		return false;
	}
	result = http1_push(&a->http, (struct span){ in, (size_t)n });
	*over = result != HTTP1_MORE;
	if (result == HTTP1_BAD)
		failed(a, a->http.error);
	return true;
}

/* When it is time to hang up, or INT64_MAX. */
static int64_t
leave_at_ms(const struct asking *a)
{
	int64_t from_ms =
	    a->request->leave_in_body ? a->reply->first_ms : a->start_ms;

	return a->request->leave_ms == 0 || from_ms == 0
	    ? INT64_MAX
	    : from_ms + a->request->leave_ms;
}

static void
exchange(struct asking *a)
{
	int64_t end_ms = a->start_ms + a->request->timeout_ms;
	bool over = false;

	while (!over) {
		int64_t now_ms = clock_now_ms(), next_ms = leave_at_ms(a);
		bool moved;

		if (now_ms >= next_ms) {
			a->reply->left = true;
			return;
		}
		if (now_ms >= end_ms) {
			failed(a, "no response in time");
			return;
		}
		moved = push(a);
		moved |= pull(a, &over);
		if (!moved && !over) {
			struct pollfd p = { .fd = a->fd,
				.events = POLLIN |
				    (a->sent < a->out_len ? POLLOUT : 0) };
			int64_t until = next_ms < end_ms ? next_ms : end_ms;

			poll(&p, 1, (int)(until - now_ms) + 1);
		}
	}
}

void
mount_ask(const struct mount *m, const struct mount_request *q,
    struct mount_reply *reply)
{
	struct asking a = { .request = q,
		.reply = reply,
		.fd = -1,
		.start_ms = clock_now_ms() };
	struct http1_sink sink = { on_head, on_body, &a };
	struct arena *arena = arena_new();
	struct buf out;

	memset(reply, 0, sizeof(*reply));
	buf_init(&reply->body, q->reply_max > 0 ? q->reply_max : BODY_MAX);
	buf_init(&out, q->text.len + (size_t)q->body + q->body / 1024 + 65536);
	add_head(&out, m, q);
	if (!q->head_only)
		add_body(&out, q);
	a.tls = strncmp(m->provider.url, "https:", 6) == 0;
	a.out = out.p;
	a.out_len = out.len;
	http1_init(&a.http, arena, &sink);
	if (buf_failed(&out) ||
	    (a.connector = connector_new(&m->provider)) == NULL)
		fatal("out of memory for a request");
	if (connect_it(&a, m))
		exchange(&a);
	reply->end_ms = clock_now_ms();
	connector_end(a.connector, false);
	connector_free(a.connector);
	explicit_bzero(out.p, out.len < 4096 ? out.len : 4096);
	buf_free(&out);
	arena_free(arena);
}

void
mount_of_url(struct mount *m, struct arena *arena, const char *url)
{
	struct span host = { strstr(url, "://") + 3, 0 };
	struct span prefix;

	host.len = strcspn(host.p, "/");
	prefix = span_of(host.p + host.len);
	while (prefix.len > 0 && prefix.p[prefix.len - 1] == '/')
		prefix.len--;
	if (prefix.len >= 3 && memcmp(prefix.p + prefix.len - 3, "/v1", 3) == 0)
		prefix.len -= 3;
	m->host = arena_text(arena, host);
	m->prefix = arena_text(arena, prefix);
	m->provider = (struct provider){ .name = "mount",
		.place = PLACE_EXTERNAL,
		.url = url,
		.host = m->host,
		.timeouts = { .connect_ms = 10000 } };
}

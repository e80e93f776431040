/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Asks a local server how many tokens the request has, before the request is
 * refused because the estimate is too long.  Hides how servers are asked.  The
 * server gets the request that would be sent, at another path.  This is not a
 * try: it takes no slot, does not affect the provider's health and has no
 * account.
 */
#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "base/jscan.h"
#include "base/log.h"
#include "base/task.h"
#include "serve/attempt.h"
#include "serve/attempt_internal.h"

/* vLLM also lists each token's number. */
#define RESPONSE_MAX ((size_t)4 * 1024 * 1024)
/* A server that could not say is not asked again for this long. */
#define SILENT_MS 300000
/* With less time a server is not asked; with less than the other it is not
 * blamed. */
#define LEAST_MS 200
#define FAIR_MS 1000
/* The largest count that is believed. */
#define COUNT_DIGITS 12
/* How often to look whether the client is still there. */
#define LOOK_MS 250

static const struct {
	const char *path, *member;
	bool beside_v1;
} ways[] = {
	[COUNTS_INPUT_TOKENS] = { "/chat/completions/input_tokens",
	    "input_tokens", false },
	[COUNTS_TOKENIZE] = { "/tokenize", "count", true },
};

struct counting {
	const char *member;
	int status; /* 0: no head came */
	struct buf body;
	uint64_t tokens;
	bool found;
};

/* ---- the response ------------------------------------------------------- */

static int
on_head(void *ctx, const struct http1_head *head)
{
	struct counting *n = ctx;

	n->status = head->status;
	return head->status == 200 ? 0 : -1;
}

static int
on_body(void *ctx, struct span bytes)
{
	struct counting *n = ctx;

	buf_add(&n->body, bytes.p, bytes.len);
	return buf_failed(&n->body) ? -1 : 0;
}

static int
on_pause(void *ctx)
{
	(void)ctx;
	return 0;
}

/* A plain whole number. */
static bool
read_count(struct span raw, uint64_t *tokens)
{
	*tokens = 0;
	for (size_t i = 0; i < raw.len; i++) {
		if (raw.p[i] < '0' || raw.p[i] > '9')
			return false;
		*tokens = *tokens * 10 + (uint64_t)(raw.p[i] - '0');
	}
	return raw.len > 0 && raw.len <= COUNT_DIGITS && *tokens > 0;
}

static int
on_value(void *ctx, const struct jscan_value *v)
{
	struct counting *n = ctx;

	if (v->depth == 1 && v->type == JSCAN_NUMBER &&
	    jscan_key_is(&v->path[0], n->member))
		n->found = read_count(v->raw, &n->tokens);
	return 0;
}

static void
read_response(void *ctx)
{
	struct counting *n = ctx;
	struct jscan_error error;

	if (jscan(buf_span(&n->body), JSCAN_DEPTH_MAX, on_value, n, &error) ==
	    -1)
		n->found = false;
}

/* ---- the question -------------------------------------------------------- */

static int
on_tick(void *ctx)
{
	return response_gone(ctx) ? WATCH_GONE : LOOK_MS;
}

static void
shorten(int64_t *ms, int64_t left_ms)
{
	if (*ms > left_ms)
		*ms = left_ms;
}

/* It does not have that path.  What else it says may be about this request, or
 * pass. */
static bool
has_no_count(int status)
{
	return status == 404 || status == 405 || status == 501;
}

/* Why the server gave no count; NULL: it gave one, or it is not to blame. */
static const char *
exchange(struct attempt *t, struct counting *n, int64_t left_ms)
{
	struct request *r = t->request;
	struct timeouts *limits = &t->upstream.timeouts;
	const struct upstream_sink sink = { on_head, on_body, on_pause, n };

	*limits = t->provider->timeouts;
	shorten(&limits->connect_ms, left_ms);
	shorten(&limits->first_byte_ms, left_ms);
	shorten(&limits->total_ms, left_ms);
	upstream_send(r->server->upstreams, &t->upstream, &t->watch, &sink,
	    r->arena, &t->report);
	if (n->status != 0 && n->status != 200)
		return has_no_count(n->status)
		    ? arena_printf(r->arena, "HTTP status %d", n->status)
		    : NULL;
	/* Another server may have used up most of the time. */
	if (t->report.result != UPSTREAM_OK && left_ms < FAIR_MS)
		return NULL;
	if (t->report.result == UPSTREAM_CLIENT_GONE ||
	    t->report.result == UPSTREAM_EXHAUSTED ||
	    t->memory.lack != MEMORY_ENOUGH)
		return NULL;
	if (t->report.result != UPSTREAM_OK)
		return t->report.result == UPSTREAM_STOPPED
		    ? "its response is too large"
		    : t->report.detail;
	task_work(n->body.len, read_response, n);
	return n->found ? NULL : "there is no count in its response";
}

/* The key is of the request itself: a server that remembers it must not give
 * the count as its response. */
static void
drop_idempotency(struct attempt *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->upstream.nfields; i++)
		if (!span_is_nocase(t->fields[i].name, "idempotency-key"))
			t->fields[n++] = t->fields[i];
	t->upstream.nfields = n;
}

/* Makes the request as it would be sent, and sends it to the other path. */
static void
ask(struct attempt *t, struct counting *n, int64_t until_ms)
{
	struct request *r = t->request;
	struct server *s = r->server;
	enum counts way = t->provider->counts;
	const char *why;
	int64_t left_ms;

	if (!attempt_admit_ledger(t) || !attempt_make_request(t))
		return;
	drop_idempotency(t);
	if ((left_ms = until_ms - clock_now_ms()) < LEAST_MS)
		return;
	t->upstream.path = ways[way].path;
	t->upstream.beside_v1 = ways[way].beside_v1;
	t->upstream.query = NULL;
	n->member = ways[way].member;
	why = exchange(t, n, left_ms);
	if (why == NULL)
		return;
	s->silent_ms[t->provider->index] = clock_now_ms() + SILENT_MS;
	log_warn("provider %s: it was asked to count tokens (%s), but %s; its "
		 "requests are estimated for %d s",
	    t->provider->name, ways[way].path, why, SILENT_MS / 1000);
}

/* May the server be asked now, and with which key? */
static bool
may_ask(struct attempt *t)
{
	struct server *s = t->request->server;
	const struct provider *p = t->provider;

	if (clock_now_ms() < s->silent_ms[p->index] ||
	    (p->sleeps && !health_is_awake(s->health, p)))
		return false;
	t->key = health_key(s->health, p, t->candidate->model, 0, &t->rest_ms);
	return t->key != -1;
}

bool
attempt_count(struct request *r, const struct candidate *c, int64_t until_ms,
    uint64_t *tokens)
{
	struct attempt *t = arena_alloc(r->arena, sizeof(*t));
	struct counting n = { .found = false };
	unsigned nextra = r->response.nextra;
	const char *bridge = r->entry.bridge;

	t->request = r;
	t->candidate = c;
	t->provider = c->target->provider;
	if (!may_ask(t))
		return false;
	t->watch = (struct watch){ .fd = r->io->watchable ? r->io->fd : -1,
		.events = POLLIN,
		.tick = on_tick,
		.ctx = &r->response };
	t->memory.share = r->memory.share;
	buf_init_charged(
	    &t->chat, r->server->config->json_max_bytes * 2 + 4096, &t->memory);
	buf_init_charged(&n.body, RESPONSE_MAX, &t->memory);
	ask(t, &n, until_ms);
	buf_free(&n.body);
	alive_unbridge(&r->response.alive);
	bridge_free(t->bridge);
	buf_free(&t->chat);
	r->response.nextra = nextra;
	r->entry.bridge = bridge;
	*tokens = n.tokens;
	return n.found;
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Hides how a response is written to the web server, and the signs of life that
 * keep a waiting client connected (response_head.c: the head; response_error.c:
 * errors).  The "relay" step of a request's way, client's side.
 */
#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/response_internal.h"

/* After the response's last byte the upstream gets this long to end its own. */
#define LINGER_MS 100
/* While the client reads nothing: how often to check whether others wait for
 * its place. */
#define LOOK_MS 500
/* Under Caddy (2.6.2, HTTP/1.1) a gone client shows in the fourth write; the
 * first one's RST has to be back before the second. */
#define BURST 4
#define BURST_GAP_MS 50
#define HEARTBEAT_MS 10000
#define HEARTBEAT_CADDY_MS 1000
/* Size of a sign of life: a bridge may begin its stream with it, which
 * repeats the client's tools and instructions. */
#define SIGN_BYTES ((size_t)64 * 1024 * 1024)

void
response_init(struct response *a, struct io *io, const struct config *config,
    int64_t start_ms)
{
	const char *software = io_param(io, "SERVER_SOFTWARE");

	memset(a, 0, sizeof(*a));
	a->io = io;
	a->config = config;
	a->keys.config = config;
	a->start_ms = start_ms;
	a->last_write_ms = start_ms;
	a->at_boundary = true;
	a->caddy = software != NULL && strncmp(software, "Caddy", 5) == 0;
}

void
response_add(struct response *a, const char *name, const char *value)
{
	if (value != NULL && a->nextra < RESPONSE_FIELDS_MAX)
		a->extra[a->nextra++] = (struct response_field){ name, value };
}

int
response_put(struct response *a, const void *p, size_t len)
{
	if (a->gone || io_write(a->io, p, len) == -1) {
		a->gone = !a->ended;
		return -1;
	}
	return 0;
}

static void
keep(struct record *record, struct span bytes)
{
	struct buf *b = &record->response;

	if (record->cut)
		return;
	if (bytes.len > b->max_bytes - b->len || !buf_room(b, bytes.len))
		record->cut = true;
	else
		buf_add(b, bytes.p, bytes.len);
}

static int
put(void *ctx, struct span bytes)
{
	struct response *a = ctx;

	if (a->record != NULL)
		keep(a->record, bytes);
	return response_put(a, bytes.p, bytes.len);
}

int
response_body(struct response *a, struct span bytes)
{
	a->bytes_out += bytes.len;
	a->burst = 0;
	if (a->head_only)
		return 0;
	return sieve_push(a->sieve, &a->held, bytes, put, a);
}

int
response_flush(struct response *a)
{
	a->last_write_ms = clock_now_ms();
	if (a->gone || io_flush(a->io) == -1) {
		a->gone = !a->ended;
		return -1;
	}
	return 0;
}

void
response_end(struct response *a)
{
	if (a->ended)
		return;
	if (a->held.len > 0)
		sieve_end(a->sieve, &a->held, put, a);
	a->ended = true;
	a->ended_ms = clock_now_ms();
}

/* ---- waiting ---------------------------------------------------------- */

int
response_early_head(struct response *a)
{
	static const struct http1_field no_cache = { { "Cache-Control", 13 },
		{ "no-cache", 8 } };

	a->head_early = true;
	return response_head(
	    a, 200, "text/event-stream; charset=utf-8", &no_cache, 1, -1);
}

static int64_t
heartbeat_ms(const struct response *a)
{
	if (a->config->heartbeat_ms > 0)
		return a->config->heartbeat_ms;
	return a->caddy ? HEARTBEAT_CADDY_MS : HEARTBEAT_MS;
}

static int
heartbeat(struct response *a)
{
	struct buf sign;
	int rc;

	buf_init(&sign, SIGN_BYTES);
	/* The rest of the burst only keeps the connection open. */
	if (a->burst > 0)
		buf_puts(&sign, ALIVE_COMMENT);
	else
		alive_write(&a->alive, &sign);
	a->burst = a->burst > 0 ? a->burst - 1 : a->caddy ? BURST - 1 : 0;
	/* Half a sign would break the stream: ends it instead. */
	a->gone |= buf_failed(&sign);
	rc = response_put(a, sign.p, sign.len);
	buf_free(&sign);
	return rc == -1 ? -1 : response_flush(a);
}

/* How long until the next sign of life is due, up to a second. */
static int
until_due_ms(const struct response *a, int64_t now_ms)
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
response_out(void *ctx)
{
	const struct response *a = ctx;

	return a->io->queued == 0 ? WATCH_OUT_NONE
	    : io_full(a->io)      ? WATCH_OUT_FULL
				  : WATCH_OUT_SOME;
}

/* Sends what the client had no room for.  False: it still has none, or has
 * gone. */
static bool
catch_up(struct response *a)
{
	if (io_flush(a->io) == -1)
		a->gone = true;
	else if (io_stalls(a->io)) {
		log_info("the client reads nothing of its response; dropped");
		a->gone = true;
	}
	return !a->gone && a->io->queued == 0;
}

int
response_tick(void *ctx)
{
	struct response *a = ctx;
	int64_t now_ms = clock_now_ms();
	int ms;

	if (a->ended)
		return now_ms - a->ended_ms >= LINGER_MS ? WATCH_GONE
							 : LINGER_MS;
	if (atomic_load(a->aborting)) {
		/* A CGI program gets SIGTERM from the web server. */
		a->gone = a->io->fd == -1;
		return WATCH_GONE;
	}
	if (a->gone || io_gone(a->io) || peer_gone(&a->peer, a->peers, a->io)) {
		a->gone = true;
		return WATCH_GONE;
	}
	if (a->io->queued > 0 && !catch_up(a))
		return a->gone ? WATCH_GONE : LOOK_MS;
	if (!a->streams || a->head_only || a->relayed)
		return 1000;
	if ((ms = until_due_ms(a, now_ms)) > 0)
		return ms;
	if (!a->at_boundary)
		return (int)(heartbeat_ms(a) < 1000 ? heartbeat_ms(a) : 1000);
	if ((!a->head_sent && response_early_head(a) == -1) ||
	    heartbeat(a) == -1)
		return WATCH_GONE;
	return until_due_ms(a, clock_now_ms());
}

bool
response_gone(struct response *a)
{
	if (!a->gone && !a->ended)
		a->gone =
		    io_gone(a->io) || peer_look(&a->peer, a->peers, a->io);
	return a->gone;
}

/* ---- answers of our own ----------------------------------------------- */

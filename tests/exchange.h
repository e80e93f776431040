/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * One exchange without a network.  The bytes of an upstream's response, cut as
 * the caller likes, go through the real framing, decoding, relay and bridge.
 * What the client would get is collected.  For the packing property and the
 * fuzzer.
 */
#ifndef TESTS_EXCHANGE_H
#define TESTS_EXCHANGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "serve/response.h"
#include "serve/relay.h"
#include "wire/incoming.h"

/* How the client asks. */
struct exchange_ask {
	enum endpoint endpoint; /* what the client speaks */
	bool stream;
	bool withhold; /* usage = "ask", and the client did not */
	bool bridged;
};

struct exchange_seen {
	struct buf out; /* head and body, as sent to the web server */
	struct relay_result result;
	struct usage usage;
	bool ended; /* the client's response is complete */
	bool cut; /* it breaks off, and the web server knows it */
};

static struct exchange_io {
	struct io io;
	struct buf *out;
} exchange_io;

static const char *
exchange_param(struct io *io, const char *name)
{
	(void)io;
	(void)name;
	return NULL;
}

static int
exchange_write(struct io *io, const void *p, size_t len)
{
	(void)io;
	buf_add(exchange_io.out, p, len);
	return 0;
}

static int
exchange_flush(struct io *io)
{
	(void)io;
	return 0;
}

static struct bridge_run *
exchange_bridge(const struct exchange_ask *ask)
{
	struct bridge_ask b = { .request_id = "req_1",
		.model = "m",
		.upstream_model = "m",
		.stream = ask->stream,
		.input_tokens = 7,
		.wall_ms = 1700000000000 };
	static const char messages[] =
	    "{\"model\":\"m\",\"max_tokens\":9,\"messages\":"
	    "[{\"role\":\"user\",\"content\":\"x\"}]}";
	static const char input[] = "{\"model\":\"m\",\"input\":\"x\"}";
	struct refused refused = { .refusal = REFUSE_NONE };
	struct bridge_run *run;
	struct buf chat;

	if (!ask->bridged)
		return NULL;
	run = bridge_new(ask->endpoint == ENDPOINT_MESSAGES ? BRIDGE_MESSAGES
							    : BRIDGE_RESPONSES,
	    &b);
	buf_init(&chat, 65536);
	if (bridge_request(run,
		span_of(ask->endpoint == ENDPOINT_MESSAGES ? messages : input),
		&chat, &refused) == -1)
		abort();
	buf_free(&chat);
	return run;
}

/* Pushes the bytes in pieces; `cut` gives their lengths. */
static void
exchange_run(const struct exchange_ask *ask, struct span wire,
    size_t (*cut)(void *ctx, size_t left), void *ctx,
    struct exchange_seen *seen)
{
	static const struct io_ops ops = { .param = exchange_param,
		.write = exchange_write,
		.flush = exchange_flush };
	static const struct config config = { .heartbeat_ms = 1000000,
		.commit_ms = 1000000 };
	static const struct provider provider = { .name = "stub" };
	static const struct target target = {
		.provider = (struct provider *)&provider, .model = "m"
	};
	static atomic_bool aborting;
	struct candidate candidate = { .target = &target, .model = "m" };
	struct call call = { .endpoint = ask->endpoint,
		.model = "m",
		.stream = ask->stream,
		.asks_usage = !ask->withhold };
	struct arena *arena = arena_new();
	struct response response;
	struct relay relay;
	struct incoming in;
	struct upstream_sink sink;
	struct upstream_report report = { .connected = true };

	buf_init(&seen->out, (size_t)1 << 28);
	exchange_io.io = (struct io){ .ops = &ops, .fd = -1 };
	exchange_io.out = &seen->out;
	response_init(&response, &exchange_io.io, &config, 0);
	response.spec = endpoint_spec(ask->endpoint);
	response.streams = ask->stream;
	response.aborting = &aborting;
	relay_init(
	    &relay, &response, &call, &candidate, exchange_bridge(ask), arena);
	relay.withhold_usage = ask->withhold;
	sink = relay_sink(&relay);
	incoming_init(&in, &sink, arena);
	while (wire.len > 0 && !in.over && !in.stopped) {
		size_t n = cut(ctx, wire.len);
		/* In memory of its own, so that a stale span is seen. */
		char *copy = malloc(n);

		memcpy(copy, wire.p, n);
		incoming_push(&in, (struct span){ copy, n });
		memset(copy, '#', n);
		free(copy);
		wire.p += n;
		wire.len -= n;
		if (in.dirty && !in.over && !in.stopped &&
		    sink.pause(sink.ctx) == -1)
			in.stopped = true;
		in.dirty = false;
	}
	if (!in.over && !in.stopped)
		incoming_end(&in, true);
	report.result = in.stopped ? UPSTREAM_STOPPED : in.ended;
	report.bytes_in = in.bytes;
	relay_finish(&relay, &report, &seen->result);
	if (seen->result.end == RELAY_FAILED || seen->result.end == RELAY_CUT)
		relay_refuse(&relay, &seen->result);
	seen->result.refused.message = NULL; /* owned by the arena */
	seen->usage = relay.usage;
	seen->ended = response.ended;
	seen->cut = response.cut;
	relay_free(&relay);
	incoming_free(&in);
	arena_free(arena);
}

#endif

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * An upstream's response from its status line to what the client gets: the
 * framing, the content coding, the relay and the bridges.  Input: a byte for
 * the mode, a byte for how the rest is cut into reads, the upstream's bytes.
 * Whatever comes, the client gets a head, and a response that ends or breaks
 * off.  A bridge's output is JSON.  How the reads are cut changes nothing.
 */
#include "config.h"

#include "exchange.h"
#include "fuzz.h"
#include "must_stream.h"

#define STREAM_TYPE "\nContent-Type: text/event-stream"

/* Chosen by the first byte; the last rows are bridges' whole responses. */
static const struct exchange_ask modes[] = {
	{ .endpoint = ENDPOINT_CHAT, .stream = true },
	{ .endpoint = ENDPOINT_CHAT, .stream = true, .withhold = true },
	{ .endpoint = ENDPOINT_RESPONSES, .stream = true, .bridged = true },
	{ .endpoint = ENDPOINT_MESSAGES, .stream = true, .bridged = true },
	{ .endpoint = ENDPOINT_RESPONSES, .stream = true },
	{ .endpoint = ENDPOINT_MESSAGES, .stream = true },
	{ .endpoint = ENDPOINT_CHAT },
	{ .endpoint = ENDPOINT_RESPONSES, .bridged = true },
	{ .endpoint = ENDPOINT_MESSAGES, .bridged = true },
};

static size_t
whole(void *ctx, size_t left)
{
	(void)ctx;
	return left;
}

/* Pieces of up to 1 + (the seed's low bits) bytes. */
static size_t
pieces(void *ctx, size_t left)
{
	uint32_t *seed = ctx;
	size_t n;

	*seed = *seed * 1664525 + 1013904223;
	n = 1 + (*seed >> 16) % (1 + (*seed & 63));
	return n < left ? n : left;
}

/* Checks a head and a body; a bridge's body is complete events or JSON. */
static void
check_client(const struct exchange_ask *ask, const struct exchange_seen *seen)
{
	const char *end = seen->out.p == NULL
	    ? NULL
	    : memmem(seen->out.p, seen->out.len, "\r\n\r\n", 4);
	struct span head, body;
	struct sse sse;

	/* Only a response that passes unchanged can break off. */
	MUST(seen->ended != seen->cut);
	MUST(seen->ended || !ask->bridged);
	MUST(end != NULL);
	head = (struct span){ seen->out.p, (size_t)(end - seen->out.p) };
	body = (struct span){ end + 4, seen->out.len - head.len - 4 };
	MUST(head.len >= 11 && memcmp(head.p, "Status: ", 8) == 0);
	if (!ask->bridged || body.len == 0)
		return;
	if (memmem(head.p, head.len, STREAM_TYPE, strlen(STREAM_TYPE)) ==
	    NULL) {
		must_be_json(body);
		return;
	}
	sse_init(&sse, (size_t)1 << 26, NULL);
	sse_push(&sse, body, must_event, NULL);
	MUST(sse_at_boundary(&sse));
	sse_free(&sse);
}

static void
check_same(const struct exchange_seen *a, const struct exchange_seen *b)
{
	MUST(a->out.len == b->out.len);
	MUST(memcmp(a->out.p, b->out.p, a->out.len) == 0);
	MUST(a->ended == b->ended);
	MUST(a->result.end == b->result.end);
	MUST(a->result.reason == b->result.reason);
	MUST(a->result.health == b->result.health);
	MUST(a->usage.reported == b->usage.reported);
	MUST(a->usage.input == b->usage.input);
	MUST(a->usage.output == b->usage.output);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct exchange_ask *ask;
	struct exchange_seen once, cut;
	struct span wire;
	uint32_t seed;

	if (size < 2)
		return 0;
	ask = &modes[data[0] % (sizeof(modes) / sizeof(*modes))];
	seed = data[1];
	wire = (struct span){ (const char *)data + 2, size - 2 };
	exchange_run(ask, wire, whole, NULL, &once);
	check_client(ask, &once);
	exchange_run(ask, wire, pieces, &seed, &cut);
	check_same(&once, &cut);
	buf_free(&once.out);
	buf_free(&cut.out);
	return 0;
}

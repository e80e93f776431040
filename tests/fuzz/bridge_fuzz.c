/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The bridges.  Input: a byte for the dialect and the way, the client's body,
 * an empty line, the upstream's response.  Whatever the input is, the output is
 * JSON, and a stream ends exactly once.
 */
#include "config.h"

#include <string.h>

#include "fuzz.h"
#include "must_stream.h"
#include "bridge/bridge.h"
#include "wire/sse.h"

#define MAX_BYTES ((size_t)1 << 26)

struct chain {
	struct bridge_run *run;
	struct buf out;
	enum bridge_result result;
};

static int
take_event(void *ctx, const struct sse_event *e)
{
	struct chain *c = ctx;

	c->result = bridge_event(c->run, e->data, &c->out);
	return c->result == BRIDGE_MORE ? 0 : 1;
}

static void
response_stream(struct chain *c, struct span response)
{
	struct sse sse;
	size_t len;

	sse_init(&sse, MAX_BYTES, NULL);
	sse_push(&sse, response, take_event, c);
	sse_free(&sse);
	if (c->result == BRIDGE_MORE)
		c->result = bridge_end(c->run, &c->out);
	MUST(c->result != BRIDGE_MORE);
	len = c->out.len;
	MUST(bridge_end(c->run, &c->out) == c->result && c->out.len == len);
	MUST((bridge_why(c->run) != NULL) == (c->result == BRIDGE_FAILED));
	sse_init(&sse, MAX_BYTES, NULL);
	sse_push(&sse, buf_span(&c->out), must_event, NULL);
	MUST(sse_at_boundary(&sse));
	sse_free(&sse);
}

static void
response_whole(struct chain *c, struct span response)
{
	c->result = bridge_response(c->run, response, &c->out);
	MUST(c->result != BRIDGE_MORE);
	if (c->result == BRIDGE_DONE)
		must_be_json(buf_span(&c->out));
	else
		MUST(c->out.len == 0);
	buf_reset(&c->out);
	bridge_error_body(c->run, 500, response, &c->out);
	must_be_json(buf_span(&c->out));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *gap;
	struct bridge_ask ask = { .request_id = "r\"1",
		.model = "m",
		.upstream_model = "u",
		.ask_usage = true,
		.max_bytes = (size_t)1 << 20 };
	struct refused refused;
	struct chain c = { .result = BRIDGE_MORE };
	struct buf chat;

	if (size < 2 || (gap = memmem(text + 1, size - 1, "\n\n", 2)) == NULL)
		return 0;
	ask.stream = (data[0] & 2) != 0;
	c.run =
	    bridge_new(data[0] & 1 ? BRIDGE_MESSAGES : BRIDGE_RESPONSES, &ask);
	buf_init(&chat, MAX_BYTES);
	buf_init(&c.out, MAX_BYTES);
	if (bridge_request(c.run,
		(struct span){ text + 1, (size_t)(gap - text) - 1 }, &chat,
		&refused) == 0) {
		struct span response = { gap + 2,
			size - (size_t)(gap + 2 - text) };

		must_be_json(buf_span(&chat));
		if (ask.stream)
			response_stream(&c, response);
		else
			response_whole(&c, response);
	} else {
		MUST(refused.refusal != REFUSE_NONE && refused.message != NULL);
	}
	bridge_free(c.run);
	buf_free(&chat);
	buf_free(&c.out);
	return 0;
}

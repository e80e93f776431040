/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Measuring a call and replacing its model.  Input: a byte for the endpoint,
 * the body.  If the call has a model at a place, another name can be put there,
 * and is then found there.
 */
#include "config.h"

#include <string.h>

#include "base/buf.h"
#include "fuzz.h"
#include "policy/call.h"

static const struct private_rule rules[] = {
	{ .name = "keys", .pattern = "-----BEGIN [A-Z ]*PRIVATE KEY-----" },
};
static const struct config config = { .privates = rules,
	.nprivates = 1,
	.private_max_bytes = 1 << 20,
	.private_max_ms = 1000,
	.json_max_bytes = 1 << 24 };

static void
check_splice(enum endpoint endpoint, struct span body, const struct call *call,
    struct arena *arena)
{
	static const char model[] = "\"other-model\"";
	size_t behind = call->model_offset + call->model_len;
	struct refused refused;
	struct call again = { .stream = false };
	struct buf b;

	MUST(call->model_is_json && call->model_len >= 2);
	MUST(behind <= body.len && body.p[call->model_offset] == '"' &&
	    body.p[behind - 1] == '"');
	MUST(call->object_end_offset < body.len &&
	    body.p[call->object_end_offset] == '}');
	MUST(
	    call->stream_options_offset + call->stream_options_len <= body.len);
	buf_init(&b, (size_t)1 << 28);
	buf_add(&b, body.p, call->model_offset);
	buf_puts(&b, model);
	buf_add(&b, body.p + behind, body.len - behind);
	MUST(call_parse_json(&config, NULL, endpoint, buf_span(&b), arena,
		 &again, &refused) == 0);
	MUST(strcmp(again.model, "other-model") == 0);
	MUST(again.stream == call->stream && again.needs == call->needs);
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum endpoint endpoints[] = { ENDPOINT_CHAT,
		ENDPOINT_RESPONSES, ENDPOINT_MESSAGES, ENDPOINT_EMBEDDINGS,
		ENDPOINT_SPEECH, ENDPOINT_COMPLETIONS };
	static struct patterns *patterns;
	struct arena *arena;
	enum endpoint endpoint;
	struct span body;
	struct refused refused = { .refusal = REFUSE_NONE };
	struct call call = { .stream = false };

	if (patterns == NULL)
		patterns = patterns_new(&config, stderr);
	if (size == 0)
		return 0;
	endpoint = endpoints[data[0] % 6];
	body = (struct span){ (const char *)data + 1, size - 1 };
	arena = arena_new();
	if (call_parse_json(
		&config, patterns, endpoint, body, arena, &call, &refused) == 0)
		check_splice(endpoint, body, &call, arena);
	else
		MUST(refused.refusal != REFUSE_NONE);
	arena_free(arena);
	return 0;
}

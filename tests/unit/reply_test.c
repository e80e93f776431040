/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Error objects: every refusal in both shapes is JSON with the keys that the
 * SDKs look for, whatever bytes its message holds.
 */
#include "config.h"

#include <jansson.h>

#include "check.h"
#include "wire/reply.h"

static json_t *
reply(enum endpoint_shape shape, const struct refused *r, const char *id)
{
	struct buf b;
	json_t *j;

	buf_init(&b, 65536);
	reply_error_json(&b, shape, r, id);
	j = json_loadb(b.p, b.len, JSON_ALLOW_NUL, NULL);
	buf_free(&b);
	return j;
}

static const char *
text(json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void
test_all(void)
{
	for (int i = REFUSE_NONE + 1; i < REFUSE_COUNT; i++) {
		struct refused r = { .refusal = (enum refusal)i };
		json_t *o = reply(ENDPOINT_SHAPE_OPENAI, &r, "req_1");
		json_t *a = reply(ENDPOINT_SHAPE_ANTHROPIC, &r, "req_1");
		json_t *e = json_object_get(o, "error");
		json_t *f = json_object_get(a, "error");

		CHECK(json_object_size(o) == 1 && json_object_size(e) == 4 &&
			text(e, "message") != NULL && text(e, "type") != NULL &&
			text(e, "code") != NULL &&
			json_is_null(json_object_get(e, "param")),
		    "refusal %d has OpenAI's four keys", i);
		CHECK(text(a, "type") != NULL &&
			strcmp(text(a, "type"), "error") == 0 &&
			text(f, "type") != NULL && text(f, "message") != NULL &&
			strcmp(text(a, "request_id"), "req_1") == 0,
		    "refusal %d has Anthropic's shape", i);
		json_decref(o);
		json_decref(a);
	}
}

int
main(void)
{
	struct refused r = { .refusal = REFUSE_UNSUPPORTED,
		.message = "no \"x\"\n\\\x01\xff",
		.param = "in\"put" };
	json_t *j;

	test_all();
	j = reply(ENDPOINT_SHAPE_OPENAI, &r, NULL);
	CHECK_STR(text(json_object_get(j, "error"), "message"),
	    "no \"x\"\n\\\x01\xef\xbf\xbd", "a hostile message is escaped");
	CHECK_STR(text(json_object_get(j, "error"), "param"), "in\"put",
	    "a param is named");
	json_decref(j);
	j = reply(ENDPOINT_SHAPE_ANTHROPIC, &r, NULL);
	CHECK(json_is_null(json_object_get(j, "request_id")),
	    "no request id is null");
	json_decref(j);
	r = (struct refused){ .refusal = REFUSE_TOO_LONG, .message = "x" };
	j = reply(ENDPOINT_SHAPE_ANTHROPIC, &r, NULL);
	CHECK_STR(text(json_object_get(j, "error"), "message"),
	    "prompt is too long: x", "Claude Code knows when to compact");
	json_decref(j);
	r = (struct refused){ .refusal = REFUSE_UNSUPPORTED,
		.param = "thread" };
	j = reply(ENDPOINT_SHAPE_ANTHROPIC, &r, NULL);
	CHECK_STR(text(json_object_get(json_object_get(j, "error"), "details"),
		      "error_code"),
	    "thread_unsupported_request", "the SDK stops threading");
	json_decref(j);
	return check_done();
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * Round trips.  An upstream may add members of its own to a message, a text or
 * a call.  They come back to it with the next request, through both bridges,
 * streamed and whole.  The client here keeps what its API gives it, and sends
 * that back with results for the calls.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/jspan.h"
#include "bridge/bridge.h"
#include "check.h"
#include "wire/sse.h"

#define MAX_BYTES ((size_t)1 << 24)
#define DELTAS_MAX 10

struct trip {
	const char *name; /* "none: …": with reasoning = "none" */
	const char *message; /* whole; NULL: only streamed */
	const char *deltas[DELTAS_MAX];
	const char *back; /* the assistant's message, as sent back */
};

#define CALL(id, more)                                                     \
	"{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":" \
	"\"f\",\"arguments\":\"{\\\"x\\\":1.0}\"" more "}"
#define TWO_OWN "},\"own\":\"s\",\"more\":{\"n\":1.50,\"l\":[1,2]}"
#define SIGNED                                                                 \
	"\"extra_content\":{\"google\":{\"thought_signature\":\"A\\\"\\u00e9=" \
	"\"}}"
#define DETAIL(n, text, more)                           \
	"{\"type\":\"reasoning.text\",\"text\":\"" text \
	"\",\"format\":\"a-v1\","                       \
	"\"index\":" n more "}"

static const struct trip trips[] = {
	{ "a signature of a call, two members of another, none",
	    "{\"content\":\"t\",\"tool_calls\":[" CALL("c1",
		"}," SIGNED) "," CALL("c2", TWO_OWN) "," CALL("c3", "}") "]}",
	    { "{\"content\":\"t\"}",
		"{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"function\":{"
		"\"name\":\"f\",\"arguments\":\"\"}," SIGNED "}]}",
		"{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{"
		"\\\"x\\\":1.0}\"}}]}",
		"{\"tool_calls\":[{\"index\":1,\"id\":\"c2\",\"own\":\"s\","
		"\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":\"}}]"
		"}",
		"{\"tool_calls\":[{\"index\":1,\"more\":{\"n\":1.50,\"l\":[1,2]"
		"},\"function\":{\"arguments\":\"1.0}\"}}]}",
		"{\"tool_calls\":[{\"index\":2,\"id\":\"c3\",\"function\":{"
		"\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1.0}\"}}]}" },
	    "{\"role\":\"assistant\",\"content\":\"t\",\"tool_calls\":[" CALL(
		"c1", "}," SIGNED) "," CALL("c2", TWO_OWN) "," CALL("c3",
		"}") "]}" },
	{ "members in a call's function, and one that comes last",
	    "{\"content\":null,\"tool_calls\":[" CALL(
		"c1", ",\"thought_signature\":\"S\"},\"late\":\"L\"") "]}",
	    { "{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"function\":{"
	      "\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1.0}\",\"thought_"
	      "signature\":\"S\"}}]}",
		"{\"tool_calls\":[{\"index\":0,\"late\":\"L\"}]}" },
	    "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[" CALL(
		"c1", ",\"thought_signature\":\"S\"},\"late\":\"L\"") "]}" },
	{ "reasoning_details in pieces, a signature at their end",
	    "{\"content\":\"t\",\"reasoning\":\"We "
	    "go\",\"reasoning_details\":[" DETAIL("0", "We go",
		",\"signature\":\"S1\"") ",{\"type\":\"reasoning.encrypted\","
					 "\"data\":\"E\",\"id\":\"r\","
					 "\"index\":1}]}",
	    { "{\"content\":\"\",\"reasoning\":\"We\",\"reasoning_details\":"
	      "[" DETAIL("0", "We", ",\"signature\":null") "]}",
		"{\"content\":\"\",\"reasoning\":\" "
		"go\",\"reasoning_details\":[" DETAIL(
		    "0", " go", ",\"signature\":null") "]}",
		"{\"content\":\"\",\"reasoning_details\":[{\"type\":"
		"\"reasoning.text\",\"signature\":\"S1\",\"format\":\"a-v1\","
		"\"index\":0}]}",
		"{\"content\":\"\",\"reasoning_details\":[{\"type\":"
		"\"reasoning.encrypted\",\"data\":\"E\",\"id\":\"r\",\"index\":"
		"1}]}",
		"{\"content\":\"t\"}" },
	    "{\"role\":\"assistant\",\"content\":\"t\",\"reasoning_details\":"
	    "[" DETAIL("0", "We go",
		",\"signature\":\"S1\"") ",{\"type\":\"reasoning.encrypted\","
					 "\"data\":\"E\",\"id\":\"r\","
					 "\"index\":1}]}" },
	{ "the same beside a call",
	    "{\"content\":null,\"reasoning\":\"h\",\"reasoning_details\":"
	    "[" DETAIL("0", "h", "") "],\"tool_calls\":[" CALL("c1", "}") "]}",
	    { "{\"reasoning\":\"h\",\"reasoning_details\":[" DETAIL(
		  "0", "h", "") "]}",
		"{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"function\":{"
		"\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1.0}\"}}]}" },
	    "{\"role\":\"assistant\",\"content\":null,\"reasoning_content\":"
	    "\"h\",\"reasoning_details\":[" DETAIL(
		"0", "h", "") "],\"tool_calls\":[" CALL("c1", "}") "]}" },
	{
	    "none: the same where reasoning is never sent",
	    "{\"content\":\"t\",\"thinking_blocks\":[{\"signature\":\"S\"}],"
	    "\"own\":\"o\",\"reasoning_details\":[" DETAIL("0", "h", "") "]}",
	    { "{\"reasoning_details\":[" DETAIL("0", "h", "") "]}",
		"{\"own\":\"o\",\"content\":\"t\",\"thinking_blocks\":[{"
		"\"signature\":\"S\"}]}" },
	    "{\"role\":\"assistant\",\"content\":\"t\",\"own\":\"o\"}",
	},
	{ "thinking_blocks without an index, two of them",
	    "{\"content\":\"t\",\"reasoning_content\":\"ab\",\"thinking_"
	    "blocks\":[{\"type\":\"thinking\",\"thinking\":\"a\",\"signature\":"
	    "\"S1\"},{\"type\":\"thinking\",\"thinking\":\"b\",\"signature\":"
	    "\"S2\"}]}",
	    { "{\"reasoning_content\":\"a\",\"thinking_blocks\":[{\"type\":"
	      "\"thinking\",\"thinking\":\"a\"}]}",
		"{\"thinking_blocks\":[{\"type\":\"thinking\",\"thinking\":"
		"\"\",\"signature\":\"S1\"}]}",
		"{\"reasoning_content\":\"b\",\"thinking_blocks\":[{\"type\":"
		"\"thinking\",\"thinking\":\"b\"}]}",
		"{\"thinking_blocks\":[{\"type\":\"thinking\",\"signature\":"
		"\"S2\"}]}",
		"{\"content\":\"t\"}" },
	    "{\"role\":\"assistant\",\"content\":\"t\",\"thinking_blocks\":[{"
	    "\"type\":\"thinking\",\"thinking\":\"a\",\"signature\":\"S1\"},{"
	    "\"type\":\"thinking\",\"thinking\":\"b\",\"signature\":\"S2\"}]"
	    "}" },
	{ "after: a signature of a text that is a part",
	    "{\"content\":[{\"type\":\"text\",\"text\":\"t\",\"thought_"
	    "signature\":\"S\",\"n\":1e2}]}",
	    { "{\"content\":[{\"type\":\"text\",\"text\":\"t\",\"thought_"
	      "signature\":\"S\",\"n\":1e2}]}" },
	    "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":"
	    "\"t\",\"thought_signature\":\"S\",\"n\":1e2}]}" },
	{ "of two texts, and one after its text",
	    "{\"content\":[{\"type\":\"text\",\"text\":\"a\",\"extra_content\":"
	    "{\"s\":\"1\"}},{\"type\":\"text\",\"text\":\"b\",\"extra_"
	    "content\":{\"s\":\"2\"}},{\"type\":\"text\",\"text\":\"c\"}]}",
	    { "{\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}",
		"{\"content\":[{\"type\":\"text\",\"text\":\"\",\"extra_"
		"content\":{\"s\":\"1\"}}]}",
		"{\"content\":[{\"type\":\"text\",\"text\":\"b\",\"extra_"
		"content\":{\"s\":\"2\"}}]}",
		"{\"content\":\"c\"}" },
	    "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":"
	    "\"a\",\"extra_content\":{\"s\":\"1\"}},{\"type\":\"text\","
	    "\"text\":\"b\",\"extra_content\":{\"s\":\"2\"}},{\"type\":"
	    "\"text\",\"text\":\"c\"}]}" },
	{ "after: a message's own", "{\"content\":\"t\"," SIGNED "}",
	    { "{\"content\":\"t\",\"extra_content\":{\"google\":null}}",
		"{\"content\":\"\"," SIGNED "}" },
	    "{\"role\":\"assistant\",\"content\":\"t\"," SIGNED "}" },
	{ "a part of thought with a signature, as it was",
	    "{\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\","
	    "\"signature\":\"S\"},{\"type\":\"text\",\"text\":\"t\"}]}",
	    { "{\"content\":[{\"type\":\"thinking\",\"thinking\":\"h\"}]}",
		"{\"content\":[{\"type\":\"thinking\",\"thinking\":\"m\","
		"\"signature\":\"S\"}]}",
		"{\"content\":[{\"type\":\"text\",\"text\":\"t\"}]}" },
	    "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\","
	    "\"thinking\":\"hm\",\"signature\":\"S\"},{\"type\":\"text\","
	    "\"text\":\"t\"}]}" },
	{ "a signature inside a thought's summary",
	    "{\"content\":[{\"type\":\"reasoning\",\"summary\":[{\"type\":"
	    "\"summary_text\",\"text\":\"hm\",\"signature\":\"S\"}]},{\"type\":"
	    "\"text\",\"text\":\"t\"}]}",
	    { "{\"content\":[{\"type\":\"reasoning\",\"summary\":[{\"type\":"
	      "\"summary_text\",\"text\":\"h\",\"signature\":\"\"}]}]}",
		"{\"content\":[{\"type\":\"reasoning\",\"summary\":[{\"type\":"
		"\"summary_text\",\"text\":\"m\",\"signature\":\"S\"}]}]}",
		"{\"content\":\"t\"}" },
	    "{\"role\":\"assistant\",\"content\":[{\"type\":\"reasoning\","
	    "\"summary\":[{\"type\":\"summary_text\",\"text\":\"hm\","
	    "\"signature\":\"S\"}]},{\"type\":\"text\",\"text\":\"t\"}]}" },
	{ "thoughts without one go the bridge's way",
	    "{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":"
	    "\"text\",\"text\":\"hm\"}],\"closed\":true},{\"type\":\"text\","
	    "\"text\":\"t\"}],\"own\":3,\"flag\":true}",
	    { "{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":"
	      "\"text\",\"text\":\"hm\"}]}],\"own\":3}",
		"{\"content\":\"t\",\"flag\":true,\"other\":\"\"}" },
	    "{\"role\":\"assistant\",\"content\":\"t\"}" },
	{ "halves of a character in a text that grows", NULL,
	    { "{\"own\":[{\"index\":0,\"text\":\"a\\ud83d\"}]}",
		"{\"own\":[{\"index\":0,\"text\":\"\\ude00\"}],\"content\":"
		"\"t\"}" },
	    "{\"role\":\"assistant\",\"content\":\"t\",\"own\":[{\"index\":0,"
	    "\"text\":\"a\\ud83d\\ude00\"}]}" },
};

/* --- What a client keeps --- */

/* The blocks of a Messages stream. */
static int
on_messages_event(void *ctx, const struct sse_event *event)
{
	json_t *content = ctx;
	json_t *e = json_loadb(event->data.p, event->data.len, 0, NULL);
	json_t *block = json_object_get(e, "content_block");
	json_t *index = json_object_get(e, "index"), *value;
	json_t *delta = json_object_get(e, "delta");
	const char *key;

	if (block != NULL)
		json_array_append(content, block);
	block = index == NULL
	    ? NULL
	    : json_array_get(content, (size_t)json_integer_value(index));
	json_object_foreach (delta, key, value) {
		const char *old = json_string_value(json_object_get(
		    block, strcmp(key, "partial_json") == 0 ? "input" : key));

		if (block == NULL || !json_is_string(value) ||
		    strcmp(key, "type") == 0)
			continue;
		json_object_set_new(block,
		    strcmp(key, "partial_json") == 0 ? "input" : key,
		    json_sprintf("%s%s", old == NULL ? "" : old,
			json_string_value(value)));
	}
	json_decref(e);
	return 0;
}

static int
on_responses_event(void *ctx, const struct sse_event *event)
{
	struct buf *output = ctx;
	struct span response =
	    jspan_member(jspan_document(event->data), "response");
	struct span list = jspan_member(response, "output");

	if (jspan_member_says(response, "status", "completed"))
		buf_add(output, list.p, list.len);
	return 0;
}

/* As in the SDKs, a call's arguments are JSON; their numbers stay as they
 * are. */
static void
write_blocks(json_t *content, struct buf *out)
{
	size_t i;
	json_t *block;

	buf_puts(out, "[");
	json_array_foreach (content, i, block) {
		json_t *input = json_object_get(block, "input");
		char *text;

		if (json_is_string(input)) {
			json_incref(input);
			json_object_del(block, "input");
		} else
			input = NULL;
		text = json_dumps(block, JSON_COMPACT);
		buf_puts(out, i > 0 ? "," : "");
		buf_add(out, text, strlen(text) - 1);
		if (input != NULL)
			buf_printf(
			    out, ",\"input\":%s", json_string_value(input));
		buf_puts(out, "}");
		json_decref(input);
		free(text);
	}
	buf_puts(out, "]");
}

static void
keep_stream(enum bridge kind, struct span stream, struct buf *out)
{
	json_t *content = json_array();
	struct sse sse;

	sse_init(&sse, MAX_BYTES, NULL);
	if (kind == BRIDGE_MESSAGES)
		sse_push(&sse, stream, on_messages_event, content);
	else
		sse_push(&sse, stream, on_responses_event, out);
	sse_free(&sse);
	if (kind == BRIDGE_MESSAGES)
		write_blocks(content, out);
	json_decref(content);
}

/* --- The trips --- */

static struct bridge_run *
new_run(const struct trip *t, enum bridge kind, bool stream)
{
	struct bridge_ask ask = { .request_id = "r",
		.model = "m",
		.upstream_model = "u",
		.stream = stream,
		.dialect = { .reasoning = strncmp(t->name, "none:", 5) == 0
			? REASONING_NONE
			: REASONING_CALLS } };

	return bridge_new(kind, &ask);
}

static void
response_stream(const struct trip *t, struct bridge_run *run, struct buf *out)
{
	for (size_t i = 0; i < DELTAS_MAX && t->deltas[i] != NULL; i++) {
		struct buf data;

		buf_init(&data, MAX_BYTES);
		buf_printf(&data, "{\"choices\":[{\"index\":0,\"delta\":%s}]}",
		    t->deltas[i]);
		bridge_event(run, buf_span(&data), out);
		buf_free(&data);
	}
	bridge_event(run, span_of("[DONE]"), out);
}

static void
response_whole(const struct trip *t, struct bridge_run *run, struct buf *out)
{
	struct buf data;

	buf_init(&data, MAX_BYTES);
	buf_printf(&data,
	    "{\"choices\":[{\"index\":0,\"message\":%s,\"finish_reason\":"
	    "\"stop\"}]}",
	    t->message);
	bridge_response(run, buf_span(&data), out);
	buf_free(&data);
}

/* What the client sends back in its next request. */
static void
make_request(
    const struct trip *t, enum bridge kind, bool stream, struct buf *request)
{
	struct bridge_run *run = new_run(t, kind, stream);
	struct buf out, kept;
	struct span items;

	buf_init(&out, MAX_BYTES);
	buf_init(&kept, MAX_BYTES);
	if (stream) {
		response_stream(t, run, &out);
		keep_stream(kind, buf_span(&out), &kept);
	} else {
		response_whole(t, run, &out);
		items = jspan_member(jspan_document(buf_span(&out)),
		    kind == BRIDGE_MESSAGES ? "content" : "output");
		buf_add(&kept, items.p, items.len);
	}
	buf_printf(request,
	    kind == BRIDGE_MESSAGES
		? "{\"messages\":[{\"role\":\"assistant\",\"content\":%s}]}"
		: "{\"input\":%s}",
	    kept.p == NULL ? "[]" : kept.p);
	bridge_free(run);
	buf_free(&out);
	buf_free(&kept);
}

/* "after: …": a Messages stream cannot carry what comes after the text. */
static const char *
back_of(const struct trip *t, enum bridge kind, bool stream)
{
	return stream && kind == BRIDGE_MESSAGES &&
		strncmp(t->name, "after:", 6) == 0
	    ? "{\"role\":\"assistant\",\"content\":\"t\"}"
	    : t->back;
}

static void
try_trip(const struct trip *t, enum bridge kind, bool stream)
{
	struct refused refused = { .refusal = REFUSE_NONE };
	struct bridge_run *run = new_run(t, kind, stream);
	struct buf request, chat;
	struct jspan_walk messages;

	buf_init(&request, MAX_BYTES);
	buf_init(&chat, MAX_BYTES);
	make_request(t, kind, stream, &request);
	CHECK(bridge_request(run, buf_span(&request), &chat, &refused) == 0,
	    "%s: it can be sent back", t->name);
	messages = jspan_walk(
	    jspan_member(jspan_document(buf_span(&chat)), "messages"));
	if (jspan_next(&messages)) {
		struct buf first;

		buf_init(&first, MAX_BYTES);
		buf_add(&first, messages.value.p, messages.value.len);
		CHECK_STR(first.p, back_of(t, kind, stream), "%s: %s, %s",
		    t->name, kind == BRIDGE_MESSAGES ? "Messages" : "Responses",
		    stream ? "streamed" : "whole");
		buf_free(&first);
	} else
		CHECK(
		    false, "%s: a message comes back: %s", t->name, request.p);
	CHECK_STR(
	    bridge_dropped(run), NULL, "%s: nothing is left out", t->name);
	bridge_free(run);
	buf_free(&request);
	buf_free(&chat);
}

/* A member that is too large is left out; the others are carried. */
static void
test_too_large(void)
{
	struct trip t = { .name = "too large",
		.back = "{\"role\":\"assistant\",\"content\":\"t\",\"own\":"
			"\"S\"}" };
	struct buf message;

	buf_init(&message, MAX_BYTES);
	buf_puts(&message, "{\"content\":\"t\",\"images\":[{\"url\":\"");
	for (int i = 0; i < 30000; i++)
		buf_puts(&message, "0123456789");
	buf_puts(&message, "\"}],\"own\":\"S\"}");
	t.message = message.p;
	try_trip(&t, BRIDGE_MESSAGES, false);
	try_trip(&t, BRIDGE_RESPONSES, false);
	buf_free(&message);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(trips) / sizeof(*trips); i++)
		for (int kind = 0; kind < 2; kind++) {
			enum bridge b =
			    kind == 0 ? BRIDGE_MESSAGES : BRIDGE_RESPONSES;

			try_trip(&trips[i], b, true);
			if (trips[i].message != NULL)
				try_trip(&trips[i], b, false);
		}
	test_too_large();
	return check_done();
}

/*
 * Copyright (c) 2026 The tailgate authors
 * SPDX-License-Identifier: ISC
 */
/*
 * The bridges, by recorded conversations.  Each directory of tests/bridge is
 * one, named after its dialect:
 *
 *	request.json	the client's body
 *	chat.json	what the chat upstream must be asked, or
 *	refused.txt	how the request must be refused: param and message
 *	dropped.txt	what must be named as left out (or no such file)
 *	answer.json	a whole chat response, and
 *	out.json	what the client must get for it
 *	stream.sse	a chat stream, and
 *	out.sse		what the client must get for it, however the stream is
 *			cut on its way
 *
 * In addition to the bytes, every out.sse is checked against the rules that
 * clients' parsers rely on.  BRIDGE_UPDATE=1 writes the outputs anew: read the
 * diff.
 */
#include "config.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "base/jscan.h"
#include "check.h"
#include "policy/call.h"
#include "bridge/bridge.h"
#include "wire/sse.h"
#include "wire/usage.h"

#define MAX_BYTES ((size_t)1 << 24)

static char dir[1024];
static bool update;

static const char *
path_of(const char *file)
{
	static char path[1200];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return path;
}

/* NULL: there is none. */
static char *
slurp(const char *file)
{
	FILE *f = fopen(path_of(file), "r");
	struct buf b;
	char piece[4096];
	size_t n;

	if (f == NULL)
		return NULL;
	buf_init(&b, MAX_BYTES);
	buf_puts(&b, "");
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(&b, piece, n);
	fclose(f);
	return b.p;
}

/* Compares the output with its file; JSON files end in a line feed. */
static void
compare(const char *file, const struct buf *got, bool newline)
{
	char *want = slurp(file);
	struct buf b;

	buf_init(&b, MAX_BYTES);
	buf_add(&b, got->p, got->len);
	if (newline)
		buf_puts(&b, "\n");
	if (update) {
		FILE *f = fopen(path_of(file), "w");

		if (f != NULL) {
			fwrite(b.p, 1, b.len, f);
			fclose(f);
		}
	} else {
		CHECK_STR(b.p, want, "%s", path_of(file));
	}
	free(want);
	buf_free(&b);
}

static struct bridge_run *
new_run(const char *name, bool stream)
{
	struct bridge_ask ask = {
		.request_id = "req_1",
		.model = "house-model",
		.upstream_model = "upstream-model",
		.stream = stream,
		.ask_usage = stream,
		.input_tokens = 1000,
		.wall_ms = 1700000000123,
	};

	return bridge_new(strncmp(name, "messages", 8) == 0 ? BRIDGE_MESSAGES
							    : BRIDGE_RESPONSES,
	    &ask);
}

static bool
wants_stream(const char *request)
{
	return strstr(request, "\"stream\": true") != NULL;
}

/* --- The chain: pieces of a stream through the splitter --- */

/* Does what the relay does. */
static void
tell_usage(struct bridge_run *run, struct span data, struct usage *u)
{
	if (!usage_read(ENDPOINT_USAGE_OPENAI, data, u))
		return;
	bridge_set_usage(run,
	    &(struct bridge_usage){ true, u->input, u->cached, u->cache_write,
		u->output, u->reasoning });
}

struct chain {
	struct bridge_run *run;
	struct usage usage;
	struct buf out;
	enum bridge_result result;
};

static int
take_event(void *ctx, const struct sse_event *e)
{
	struct chain *c = ctx;

	tell_usage(c->run, e->data, &c->usage);
	c->result = bridge_event(c->run, e->data, &c->out);
	return c->result == BRIDGE_MORE ? 0 : 1;
}

static void
run_stream(struct chain *c, const char *name, const char *request,
    const char *stream, size_t first, size_t piece)
{
	size_t len = strlen(stream), at = 0;
	struct refused refused;
	struct buf chat;
	struct sse sse;

	buf_init(&chat, MAX_BYTES);
	buf_init(&c->out, MAX_BYTES);
	buf_puts(&c->out, "");
	c->run = new_run(name, true);
	usage_init(&c->usage);
	c->result = BRIDGE_MORE;
	bridge_request(c->run, span_of(request), &chat, &refused);
	sse_init(&sse, MAX_BYTES, NULL);
	while (at < len && c->result == BRIDGE_MORE) {
		size_t n = at == 0 ? first : piece;

		n = n < len - at ? n : len - at;
		sse_push(&sse, (struct span){ stream + at, n }, take_event, c);
		at += n;
	}
	if (c->result == BRIDGE_MORE)
		c->result = bridge_end(c->run, &c->out);
	sse_free(&sse);
	buf_free(&chat);
	bridge_free(c->run);
}

/* --- What clients rely on --- */

struct reading {
	bool messages;
	bool ok;
	const char *why;
	unsigned events, opened, closed;
	bool open;
	bool ended;
	json_t *items; /* done items of a Responses stream */
	struct buf deltas; /* of the open item */
};

static void
wrong(struct reading *r, const char *why)
{
	if (r->ok)
		r->why = why;
	r->ok = false;
}

static const char *
text_of(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s == NULL ? "" : s;
}

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static void
read_item_done(struct reading *r, json_t *item)
{
	const char *text = text_of(item, "arguments");
	json_t *part = json_array_get(json_object_get(item, "content"), 0);

	if (part == NULL)
		part = json_array_get(json_object_get(item, "summary"), 0);
	if (*text == '\0')
		text = text_of(item, "input");
	if (part != NULL)
		text = text_of(part, "text");
	if (part != NULL && *text == '\0')
		text = text_of(part, "refusal");
	if (r->deltas.p == NULL || strcmp(text, r->deltas.p) != 0)
		wrong(r, "the deltas make another text than the item");
	json_array_append(r->items, item);
	buf_reset(&r->deltas);
}

static void
read_responses(struct reading *r, const char *type, json_t *e)
{
	json_t *response = json_object_get(e, "response");
	json_t *index = json_object_get(e, "output_index");
	const char *last[] = { "response.completed", "response.incomplete" };

	if (json_integer_value(json_object_get(e, "sequence_number")) !=
	    (json_int_t)r->events)
		wrong(r, "a sequence number is out of order");
	if (r->events == 0 && strcmp(type, "response.created") != 0)
		wrong(r, "it does not begin with response.created");
	if (index != NULL && json_integer_value(index) != (json_int_t)r->closed)
		wrong(r, "an output_index is not that of the open item");
	if (strcmp(type, "response.output_item.added") == 0) {
		if (r->open)
			wrong(r, "two items are open");
		r->open = true;
		r->opened++;
	} else if (strcmp(type, "response.output_item.done") == 0) {
		r->open = false;
		r->closed++;
		read_item_done(r, json_object_get(e, "item"));
	} else if (ends_with(type, ".delta")) {
		const char *delta = text_of(e, "delta");

		buf_puts(&r->deltas, delta);
	}
	if (response != NULL &&
	    !json_is_integer(json_object_get(response, "created_at")))
		wrong(r, "a response without created_at");
	r->ended = strcmp(type, "response.failed") == 0;
	for (size_t i = 0; i < 2; i++)
		if (strcmp(type, last[i]) == 0) {
			r->ended = true;
			if (!json_equal(json_object_get(response, "output"),
				r->items) ||
			    r->open)
				wrong(r, "its output is not what was told");
			if (!json_is_object(json_object_get(response, "usage")))
				wrong(r, "it ends without usage");
		}
}

static void
read_messages(struct reading *r, const char *type, json_t *e)
{
	json_t *index = json_object_get(e, "index");

	if (r->events == 0 && strcmp(type, "message_start") != 0)
		wrong(r, "it does not begin with message_start");
	if (index != NULL && json_integer_value(index) != (json_int_t)r->closed)
		wrong(r, "an index is not that of the open block");
	if (strcmp(type, "content_block_start") == 0) {
		if (r->open)
			wrong(r, "two blocks are open");
		r->open = true;
	} else if (strcmp(type, "content_block_stop") == 0) {
		if (!r->open)
			wrong(r, "a block is stopped twice");
		r->open = false;
		r->closed++;
	} else if (strcmp(type, "content_block_delta") == 0 && !r->open) {
		wrong(r, "a delta outside a block");
	} else if (strcmp(type, "message_delta") == 0 && r->open) {
		wrong(r, "the message ends with an open block");
	}
	r->ended =
	    strcmp(type, "message_stop") == 0 || strcmp(type, "error") == 0;
}

static int
read_event(void *ctx, const struct sse_event *event)
{
	struct reading *r = ctx;
	json_t *e =
	    json_loadb(event->data.p, event->data.len, JSON_ALLOW_NUL, NULL);
	const char *type = text_of(e, "type");

	if (r->ended)
		wrong(r, "an event comes behind the last");
	if (e == NULL || !span_is(event->name, type))
		wrong(r, "an event's name is not its type");
	if (r->messages)
		read_messages(r, type, e);
	else
		read_responses(r, type, e);
	r->events++;
	json_decref(e);
	return 0;
}

static void
check_reading(const char *name, const struct buf *out)
{
	struct reading r = { .ok = true,
		.items = json_array(),
		.messages = strncmp(name, "messages", 8) == 0 };
	struct sse sse;

	buf_init(&r.deltas, MAX_BYTES);
	buf_puts(&r.deltas, "");
	sse_init(&sse, MAX_BYTES, NULL);
	sse_push(&sse, buf_span(out), read_event, &r);
	CHECK(r.ok && r.ended, "%s: a client can read it: %s", name,
	    r.ok ? "it ends once" : r.why);
	sse_free(&sse);
	buf_free(&r.deltas);
	json_decref(r.items);
}

/* --- One conversation --- */

static void
try_request(const char *name, const char *request)
{
	struct bridge_run *run = new_run(name, wants_stream(request));
	char *refusal = slurp("refused.txt"), *dropped = slurp("dropped.txt");
	struct refused refused = { .refusal = REFUSE_NONE };
	struct buf chat;
	int result;

	buf_init(&chat, MAX_BYTES);
	result = bridge_request(run, span_of(request), &chat, &refused);
	if (result == 0) {
		CHECK(refusal == NULL, "%s is translated", name);
		compare("chat.json", &chat, true);
	} else {
		buf_reset(&chat);
		buf_printf(&chat, "%s: %s", refused.param, refused.message);
		compare("refused.txt", &chat, true);
	}
	if (dropped != NULL)
		dropped[strcspn(dropped, "\n")] = '\0';
	if (result == 0)
		CHECK_STR(
		    bridge_dropped(run), dropped, "%s: what is left out", name);
	free(refusal);
	free(dropped);
	buf_free(&chat);
	bridge_free(run);
}

static void
try_response(const char *name, const char *request, const char *response)
{
	struct bridge_run *run = new_run(name, false);
	struct refused refused;
	struct usage usage;
	struct buf out;

	buf_init(&out, MAX_BYTES);
	usage_init(&usage);
	bridge_request(run, span_of(request), &out, &refused);
	buf_reset(&out);
	tell_usage(run, span_of(response), &usage);
	CHECK(bridge_response(run, span_of(response), &out) == BRIDGE_DONE,
	    "%s: the answer is whole", name);
	compare("out.json", &out, true);
	bridge_free(run);

	/* The same for a client that asks for a stream. */
	buf_reset(&out);
	run = new_run(name, true);
	bridge_request(run, span_of(request), &out, &refused);
	buf_reset(&out);
	tell_usage(run, span_of(response), &usage);
	CHECK(bridge_response(run, span_of(response), &out) == BRIDGE_DONE,
	    "%s: the answer as a stream", name);
	check_reading(name, &out);
	bridge_free(run);
	buf_free(&out);
}

static void
try_stream(const char *name, const char *request, const char *stream)
{
	struct chain whole, cut;
	bool same = true;
	size_t len = strlen(stream);

	run_stream(&whole, name, request, stream, len, len);
	compare("out.sse", &whole.out, false);
	check_reading(name, &whole.out);
	for (size_t at = 1; at < len && same; at += 1 + len / 50) {
		run_stream(&cut, name, request, stream, at, len);
		same = strcmp(cut.out.p, whole.out.p) == 0;
		buf_free(&cut.out);
	}
	CHECK(same, "%s: the same however it is cut", name);
	run_stream(&cut, name, request, stream, 1, 1);
	CHECK(strcmp(cut.out.p, whole.out.p) == 0 && cut.result == whole.result,
	    "%s: the same byte by byte", name);
	buf_free(&cut.out);
	buf_free(&whole.out);
}

/* A stream that is cut between two events never ends as complete. */
static void
try_cut(const char *name, const char *request, const char *stream)
{
	const char *done = strstr(stream, "\"finish_reason\":\"");
	struct chain c;
	bool honest = true;

	for (const char *p = strstr(stream, "\n\n");
	     p != NULL && done != NULL && p < done; p = strstr(p + 2, "\n\n")) {
		char *part = strndup(stream, (size_t)(p + 2 - stream));

		run_stream(&c, name, request, part, strlen(part), 1);
		if (c.result != BRIDGE_FAILED ||
		    strstr(c.out.p, "response.completed") != NULL ||
		    strstr(c.out.p, "message_stop") != NULL)
			honest = false;
		buf_free(&c.out);
		free(part);
	}
	CHECK(honest, "%s: cut short it ends as an error", name);
}

static void
try_conversation(const char *name)
{
	char *request = slurp("request.json"), *response = slurp("answer.json");
	char *stream = slurp("stream.sse");

	CHECK(request != NULL, "%s has a request", name);
	if (request != NULL) {
		try_request(name, request);
		if (response != NULL)
			try_response(name, request, response);
		if (stream != NULL) {
			try_stream(name, request, stream);
			try_cut(name, request, stream);
		}
	}
	free(request);
	free(response);
	free(stream);
}

/* --- Cases without a recording --- */

static void
test_fail(enum bridge kind, const char *begin, const char *error)
{
	struct bridge_ask ask = { .request_id = "r",
		.model = "m",
		.upstream_model = "u",
		.stream = true };
	struct refused why = { .refusal = REFUSE_BUSY_TIMEOUT,
		.message = "no slot" };
	struct bridge_run *run = bridge_new(kind, &ask);
	struct buf out;
	size_t len;

	buf_init(&out, MAX_BYTES);
	bridge_fail(run, &why, &out);
	CHECK(strncmp(out.p, begin, strlen(begin)) == 0,
	    "a stream that fails at once begins all the same");
	CHECK(strstr(out.p, error) != NULL, "and ends with %s", error);
	check_reading(kind == BRIDGE_MESSAGES ? "messages" : "responses", &out);
	len = out.len;
	bridge_fail(run, &why, &out);
	CHECK(bridge_end(run, &out) == BRIDGE_FAILED &&
		bridge_event(run, span_of("[DONE]"), &out) == BRIDGE_FAILED &&
		out.len == len,
	    "nothing comes behind the end");
	bridge_free(run);
	buf_free(&out);
}

static void
test_caps(enum bridge kind)
{
	static const char chunk[] =
	    "{\"choices\":[{\"delta\":{\"content\":"
	    "\"0123456789012345678901234567890123456789\"}}]}";
	struct bridge_ask ask = { .request_id = "r",
		.model = "m",
		.upstream_model = "u",
		.stream = true,
		.max_bytes = 1000 };
	struct bridge_run *run = bridge_new(kind, &ask);
	enum bridge_result result = BRIDGE_MORE;
	struct buf out;
	int n = 0;

	buf_init(&out, MAX_BYTES);
	while (result == BRIDGE_MORE && n++ < 1000)
		result = bridge_event(run, span_of(chunk), &out);
	CHECK(result == BRIDGE_FAILED && n > 10 && n < 40,
	    "an answer over the cap fails (after %d events)", n);
	check_reading(kind == BRIDGE_MESSAGES ? "messages" : "responses", &out);
	bridge_free(run);
	buf_free(&out);
}

static void
error_body(enum bridge kind, int status, const char *body, const char *want)
{
	struct bridge_ask ask = {
		.request_id = "r", .model = "m", .upstream_model = "u"
	};
	struct bridge_run *run = bridge_new(kind, &ask);
	struct buf out;

	buf_init(&out, MAX_BYTES);
	bridge_error_body(run, status, span_of(body), &out);
	CHECK_STR(out.p, want, "the error body of %d", status);
	bridge_free(run);
	buf_free(&out);
}

static void
test_error_bodies(void)
{
	error_body(BRIDGE_RESPONSES, 400,
	    "{\"error\":{\"message\":\"x\",\"n\":1.50}}",
	    "{\"error\":{\"message\":\"x\",\"n\":1.50}}");
	error_body(BRIDGE_RESPONSES, 502, "<html>Bad Gateway</html>",
	    "{\"error\":{\"message\":\"Bad Gateway\",\"type\":"
	    "\"server_error\",\"param\":null,\"code\":"
	    "\"upstream_error\"}}");
	error_body(BRIDGE_RESPONSES, 422, "{\"detail\":\"no such tool\"}",
	    "{\"error\":{\"message\":\"no such tool\",\"type\":"
	    "\"invalid_request_error\",\"param\":null,\"code\":"
	    "\"upstream_error\"}}");
	error_body(BRIDGE_MESSAGES, 500, "",
	    "{\"type\":\"error\",\"error\":{\"type\":\"api_error\","
	    "\"message\":\"The upstream answered with status 500 and gave "
	    "no reason.\"},\"request_id\":\"r\"}");
	error_body(BRIDGE_MESSAGES, 429,
	    "{\"error\":{\"message\":\"slow \\\"down\\\"\",\"code\":429}}",
	    "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\","
	    "\"message\":\"slow \\\"down\\\"\"},\"request_id\":\"r\"}");
	error_body(BRIDGE_MESSAGES, 400,
	    "{\"error\":{\"message\":\"too much\",\"type\":"
	    "\"exceed_context_size_error\",\"code\":400}}",
	    "{\"type\":\"error\",\"error\":{\"type\":"
	    "\"invalid_request_error\",\"message\":\"prompt is too long: too "
	    "much\"},\"request_id\":\"r\"}");
	error_body(BRIDGE_MESSAGES, 500, "{\"error\":\"no such model\"}",
	    "{\"type\":\"error\",\"error\":{\"type\":\"api_error\","
	    "\"message\":\"no such model\"},\"request_id\":\"r\"}");
}

static void
test_answers(void)
{
	static const char *const bad[] = { "", "[]", "{}", "{\"choices\":[]}",
		"{\"error\":{\"message\":\"x\"}}", "{\"choices\":{}}",
		"<html>" };
	struct bridge_ask ask = {
		.request_id = "r", .model = "m", .upstream_model = "u"
	};
	struct buf out;

	buf_init(&out, MAX_BYTES);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct bridge_run *run = bridge_new(BRIDGE_RESPONSES, &ask);

		CHECK(bridge_response(run, span_of(bad[i]), &out) ==
			    BRIDGE_FAILED &&
			out.len == 0 && bridge_why(run) != NULL,
		    "no answer: %s", bad[i]);
		bridge_free(run);
	}
	bridge_count_tokens(42, &out);
	CHECK_STR(out.p, "{\"input_tokens\":42}", "a count of tokens");
	buf_free(&out);
}

int
main(void)
{
	const char *srcdir = getenv("abs_srcdir");
	struct dirent **names;
	int n;

	update = getenv("BRIDGE_UPDATE") != NULL;
	snprintf(
	    dir, sizeof(dir), "%s/tests/bridge", srcdir == NULL ? "." : srcdir);
	n = scandir(dir, &names, NULL, alphasort);
	CHECK(n > 2, "there are recorded conversations in %s", dir);
	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.') {
			snprintf(dir, sizeof(dir), "%s/tests/bridge/%s",
			    srcdir == NULL ? "." : srcdir, names[i]->d_name);
			try_conversation(names[i]->d_name);
		}
		free(names[i]);
	}
	if (n > 0)
		free(names);
	test_fail(BRIDGE_RESPONSES, "event: response.created\n",
	    "\"error\":{\"code\":\"local_queue_timeout\","
	    "\"message\":\"no slot\"}");
	test_fail(BRIDGE_MESSAGES, "event: message_start\n",
	    "\"error\":{\"type\":\"overloaded_error\","
	    "\"message\":\"no slot\"}");
	test_caps(BRIDGE_RESPONSES);
	test_caps(BRIDGE_MESSAGES);
	test_error_bodies();
	test_answers();
	return check_done();
}
